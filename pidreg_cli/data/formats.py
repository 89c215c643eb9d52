"""How the names of tables end; knows nothing of the libraries that read them."""

PARQUET = (".parquet", ".pq")
FEATHER = (".feather", ".arrow", ".ipc")
TEXT = tuple(suffix + packed for suffix in (".csv", ".tsv", ".txt") for packed in ("", ".gz"))
TABLES = (*PARQUET, *FEATHER, *TEXT)
