"""Tables written piece by piece: Parquet or CSV by the suffix, wholly or not at all; CSV to a stream as it comes."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TextIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
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
        if not self._started:
            csv.writer(self._stream, lineterminator="\n").writerow(table.column_names)
            self._started = True
        rows = pa.table([_writable(column) for column in table.columns], names=table.column_names)
        buffer = pa.BufferOutputStream()
        pacsv.write_csv(rows, buffer, pacsv.WriteOptions(include_header=False, quoting_style="needed"))
        self._stream.write(buffer.getvalue().to_pybytes().decode())


def _writable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column as Arrow writes it to CSV: ids may be of any type."""
    if pa.types.is_nested(column.type) or pa.types.is_duration(column.type):
        return pa.chunked_array(
            [pa.array([None if cell is None else str(cell) for cell in column.to_pylist()])]
        )
    if pa.types.is_floating(column.type):
        return pc.if_else(pc.is_nan(column), pa.scalar(None, column.type), column)
    return column


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
