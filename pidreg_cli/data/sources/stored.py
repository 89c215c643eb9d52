"""Tables that bring their types: Parquet and Feather."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pyarrow as pa
import pyarrow.ipc

from pidreg_cli.data.inputs import InputFile
from pidreg_cli.data.metadata import ROLES_KEY, TableMetadata, parse_metadata
from pidreg_cli.data.naming import listing
from pidreg_cli.data.remote import Place
from pidreg_cli.data.sources.source import Oddity, plain_batch, plain_schema
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.errors import DataError


class _Typed:
    """Files with types have no oddities and need no texts."""

    @property
    def oddities(self) -> Mapping[str, Oddity]:
        return {}

    @property
    def codes(self) -> frozenset[str]:
        return frozenset()

    @property
    def notices(self) -> tuple[str, ...]:
        return ()


@dataclass(frozen=True)
class ParquetSource(_Typed):
    """Parquet files, as one table."""

    table: ParquetTable
    label: str

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types, structs opened."""
        return unique_names(plain_schema(self.table.schema), self.label)

    @property
    def rows(self) -> int:
        """Number of rows, by the footers."""
        return self.table.rows

    @property
    def files(self) -> tuple[str, ...]:
        """File names without folders."""
        return self.table.files

    @property
    def metadata(self) -> TableMetadata | None:
        """Roles in the files."""
        return self.table.metadata

    def with_texts(self, columns: Iterable[str]) -> ParquetSource:
        """Types are the file's own."""
        return self

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """These columns by batches of rows."""
        holders = _holders(self.table.schema)
        stored = list(dict.fromkeys(holders[name] for name in columns))
        for batch in self.table.batches(stored, rows):
            yield plain_batch(batch, columns)


@dataclass(frozen=True)
class FeatherSource(_Typed):
    """One Feather file (version 2, which is the Arrow file format)."""

    path: Place
    label: str
    stored: pa.Schema
    rows: int

    @classmethod
    def open(cls, file: InputFile) -> FeatherSource:
        """Read schema and number of rows. Raises DataError where the file is damaged or none."""
        with _reader(file.path) as reader:
            rows = sum(reader.get_batch(place).num_rows for place in range(reader.num_record_batches))
            source = cls(file.path, f"'{file.path}'", reader.schema, rows)
        if rows == 0:
            raise DataError("data.no_rows", f"'{file.path}' has no rows.", "Give a table with rows.")
        unique_names(source.stored, source.label)
        return source

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types, structs opened."""
        return unique_names(plain_schema(self.stored), self.label)

    @property
    def files(self) -> tuple[str, ...]:
        """The file's name."""
        return (self.path.name,)

    @property
    def metadata(self) -> TableMetadata | None:
        """Roles in the file."""
        raw = (self.stored.metadata or {}).get(ROLES_KEY)
        return None if raw is None else parse_metadata(raw)

    def with_texts(self, columns: Iterable[str]) -> FeatherSource:
        """Types are the file's own."""
        return self

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """These columns by batches of rows."""
        holders = _holders(self.stored)
        stored = list(dict.fromkeys(holders[name] for name in columns))
        with _reader(self.path) as reader:
            for place in range(reader.num_record_batches):
                batch = reader.get_batch(place).select(stored)
                for start in range(0, batch.num_rows, rows):
                    yield plain_batch(batch.slice(start, rows), columns)


def unique_names(schema: pa.Schema, label: str) -> pa.Schema:
    """``schema``; raises DataError where two columns have one name."""
    twice = [name for name, count in Counter(schema.names).items() if count > 1]
    if twice:
        raise DataError(
            "data.duplicate_column",
            f"{label} has two columns named {listing(twice)}; names must be unique.",
            "Rename one of them.",
        )
    return schema


def _holders(schema: pa.Schema) -> dict[str, str]:
    """The stored column that holds each opened one."""
    return {name: field.name for field in schema for name in plain_schema(pa.schema([field])).names}


@contextmanager
def _reader(path: Place) -> Iterator[pa.ipc.RecordBatchFileReader]:
    """An open Feather file; what goes wrong in it becomes a DataError."""
    try:
        with _arrow_file(path) as stream, pa.ipc.open_file(stream) as reader:
            yield reader
    except (pa.ArrowException, OSError, UnicodeDecodeError) as cause:
        reason = str(cause).strip().rstrip(".") or type(cause).__name__
        raise DataError(
            "data.unreadable_file",
            f"'{path}' cannot be read as Feather (version 2): {reason}.",
            "The file is damaged, incomplete or no Feather file; write or copy it again.",
        ) from cause


def _arrow_file(path: Place) -> pa.NativeFile:
    if isinstance(path, Path):
        # Mapped: batches are read as they are asked for.
        return pa.memory_map(str(path))
    return path.filesystem.open_input_file(str(path.path))
