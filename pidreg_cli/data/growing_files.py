"""Tables written piece by piece: Parquet or CSV by the suffix, wholly or not at all; CSV to a stream as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from pidreg_cli.atomic import replacing


class TableWriter(Protocol):
    """Takes tables of the same columns one after the other."""

    def write(self, table: pa.Table) -> None:
        """Append rows."""


class CsvWriter:
    """CSV with a header; missing cells are empty, infinite bounds read ``inf`` and ``-inf``."""

    def __init__(self, stream: TextIO) -> None:
        self._stream, self._started = stream, False

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        table.to_pandas().to_csv(self._stream, index=False, header=not self._started, lineterminator="\n")
        self._started = True


class ParquetFileWriter:
    """A Parquet file that grows by row groups."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: pq.ParquetWriter | None = None

    def write(self, table: pa.Table) -> None:
        """Append rows."""
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._path, table.schema, compression="snappy", use_dictionary=_texts(table.schema)
            )
        self._writer.write_table(table)

    def close(self) -> None:
        """Write the footer."""
        if self._writer is not None:
            self._writer.close()


def _texts(schema: pa.Schema) -> list[str]:
    """Columns that repeat themselves: numbers of predictions hardly do, and looking for it takes time."""
    return [field.name for field in schema if pa.types.is_string(field.type)]


@contextmanager
def open_output(path: Path) -> Iterator[TableWriter]:
    """A writer to ``path``, which appears when the block ends well. Raises OutputError."""
    with replacing(path) as part:
        if path.suffix.lower() == ".csv":
            with part.open("w", encoding="utf-8", newline="") as file:
                yield CsvWriter(file)
            return
        writer = ParquetFileWriter(part)
        try:
            yield writer
        finally:
            writer.close()
