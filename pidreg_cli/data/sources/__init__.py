"""Readers: Parquet, Feather and delimited text as one kind of thing, a table that is read by batches of rows."""
