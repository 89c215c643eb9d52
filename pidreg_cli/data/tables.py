"""One or more Parquet files as one table: schema, roles in the metadata, fingerprint, chosen columns."""

from __future__ import annotations

import hashlib
import shlex
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pidreg_cli.data.digests import Digests
from pidreg_cli.data.inputs import InputFile, expand_inputs
from pidreg_cli.data.metadata import ROLES_KEY, TableMetadata, parse_metadata
from pidreg_cli.data.modalities import unknown_column
from pidreg_cli.data.naming import listing
from pidreg_cli.data.remote import Place
from pidreg_cli.errors import DataError

# Columns are read together up to this many cells (32 MB of doubles).
CELLS_AT_ONCE = 2**22
# Bytes read ahead of each column where a table is read by rows.
STREAM_BUFFER = 2**16
_OTHER_FORMATS = (".csv", ".tsv", ".txt", ".gz", ".feather", ".arrow", ".xlsx", ".xls", ".json")


@dataclass(frozen=True)
class _Part:
    """An open file's facts: its own schema, and the partition columns as one-value arrays."""

    path: Place
    schema: pa.Schema
    rows: int
    partitions: dict[str, pa.Scalar]
    groups: tuple[int, ...]
    """Rows of each row group."""


class ColumnPiece(NamedTuple):
    """``cells`` of a column in one file, of which the first is ``first_row`` of the table."""

    column: str
    first_row: int
    cells: pa.ChunkedArray


@dataclass(frozen=True)
class ParquetTable:
    """Rows of all files, one file after the other; ``schema`` includes partition columns of a hive folder."""

    parts: tuple[_Part, ...]
    schema: pa.Schema
    metadata: TableMetadata | None
    digests: Digests
    kept: Mapping[str, pa.Array] = field(default_factory=dict)
    """Columns that are in memory: batches of these alone need no file."""

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(part.rows for part in self.parts)

    @property
    def files(self) -> tuple[str, ...]:
        """File names without folders, in the order of the rows."""
        return tuple(part.path.name for part in self.parts)

    @cached_property
    def fingerprint(self) -> str:
        """'sha256:...' of the contents: of one file its SHA-256, of several that of a listing.

        The listing has a line per file, in the order of the rows, with its SHA-256 and partition values;
        names and places of files do not enter.
        """
        digests = self.digests.texts
        if len(digests) == 1 and not self.parts[0].partitions:
            return f"sha256:{digests[0]}"
        lines = (f"{d} {_partition_text(part)}\n" for d, part in zip(digests, self.parts, strict=True))
        return f"sha256:{hashlib.sha256(''.join(lines).encode()).hexdigest()}"

    def read(self, columns: Sequence[str]) -> pa.Table:
        """These columns of all rows, in this order. Raises DataError for an unknown one or a damaged file."""
        self._check_known(columns)
        return pa.concat_tables([_read(part, columns) for part in self.parts])

    def pieces(self, columns: Sequence[str]) -> Iterator[ColumnPiece]:
        """These columns file by file and column by column, for memory of a few columns; raises as ``read``.

        By column because a reader that goes by row holds pages of all columns: 400 MB of 170 columns.
        """
        self._check_known(columns)
        first_row = 0
        for part in self.parts:
            for column, cells in _columns(part, columns):
                yield ColumnPiece(column, first_row, cells)
            first_row += part.rows

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """These columns of all rows, at most ``rows`` at a time, for memory of a batch; raises as ``read``."""
        for _, batch in self.numbered_batches(columns, rows):
            yield batch

    def numbered_batches(
        self, columns: Sequence[str], rows: int, share: tuple[int, int] = (0, 1)
    ) -> Iterator[tuple[int, pa.RecordBatch]]:
        """The same of share ``share[0]`` of ``share[1]``, by default the whole, each with the number of its first row.

        The shares are runs of whole row groups, one after the other, as even as these allow: every row is in one of
        them. Whose the middle of a row group is, has it.
        """
        self._check_known(columns)
        stored = [name for name in columns if name not in self.kept]
        own = list(self._shared(*share))
        if self.kept and not stored:
            count = sum(part.groups[group] for part, _, groups in own for group in groups)
            yield from _slices(
                self.kept, columns, rows, range(own[0][1], own[0][1] + count) if own else range(0)
            )
            return
        for part, first, groups in own:
            at = first
            for batch in _batches(part, stored, rows, groups):
                yield at, _completed(batch, self.kept, columns, at)
                at += batch.num_rows

    def _shared(self, number: int, of: int) -> Iterator[tuple[_Part, int, list[int]]]:
        """Files with row groups of a share, the number of the first of their rows, and these row groups."""
        first = 0
        for part in self.parts:
            starts = list(accumulate(part.groups, initial=first))
            middles = [2 * start + size for start, size in zip(starts, part.groups, strict=False)]
            own = [g for g, middle in enumerate(middles) if middle * of // (2 * self.rows) == number]
            if own:
                yield part, starts[own[0]], own
            first += part.rows

    def _check_known(self, columns: Sequence[str]) -> None:
        # A set: of ten thousand columns each look into the list would make them a hundred million.
        known = set(self.schema.names)
        for name in columns:
            if name not in known:
                raise unknown_column(name, self.schema.names)


def open_table(inputs: Sequence[str | Path]) -> ParquetTable:
    """Open files, folders (plain or hive-partitioned) or globs as one table; reads footers only.

    Raises DataError where an input is missing or no Parquet file, files differ in columns, types or stored
    roles, a column name occurs twice, or there is no row.
    """
    files = expand_inputs(inputs)
    if not files:
        raise DataError(
            "data.missing_input", "No input was given.", "Name a Parquet file, a folder or a glob."
        )
    partitions = _partition_columns(files)
    parts = tuple(_part(file, values) for file, values in zip(files, partitions, strict=True))
    for part in parts[1:]:
        _check_same_columns(parts[0], part)
    table = ParquetTable(
        parts, _with_partitions(parts[0]), _stored_roles(parts), Digests([part.path for part in parts])
    )
    if table.rows == 0:
        raise DataError("data.no_rows", f"{_where(parts)} no rows.", "Give a table with rows.")
    return table


def _partition_columns(files: Sequence[InputFile]) -> list[dict[str, pa.Scalar]]:
    """Per file, partition values as numbers where every file's value is one, else as text."""
    keys = [key for key, _ in files[0].partitions]
    for file in files[1:]:
        if [key for key, _ in file.partitions] != keys:
            raise DataError(
                "data.partitions_differ",
                f"'{files[0].path}' and '{file.path}' lie in folders of different partition columns.",
                "Keep one partition scheme, or name the files themselves.",
            )
    columns = {
        key: _typed(pa.array([dict(file.partitions)[key] for file in files], pa.string())) for key in keys
    }
    return [{key: column[row] for key, column in columns.items()} for row in range(len(files))]


def _typed(texts: pa.Array) -> pa.Array:
    for kind in (pa.int64(), pa.float64()):
        try:
            return pc.cast(texts, kind)
        except pa.ArrowInvalid:  # not all of them are such numbers
            continue
    return texts


def _part(file: InputFile, partitions: dict[str, pa.Scalar]) -> _Part:
    with _opened(file.path) as parquet:
        facts = parquet.metadata
        groups = tuple(facts.row_group(group).num_rows for group in range(facts.num_row_groups))
        if min(groups, default=0) < 0 or sum(groups) != facts.num_rows:
            raise _unreadable(
                file.path, ValueError(f"row groups of {sum(groups)} rows, {facts.num_rows} in all")
            )
        part = _Part(file.path, parquet.schema_arrow, facts.num_rows, partitions, groups)
    twice = [name for name, count in Counter([*part.schema.names, *partitions]).items() if count > 1]
    if twice:
        raise DataError(
            "data.duplicate_column",
            f"'{file.path}' has two columns named {listing(twice)}; names must be unique.",
            "Rename one of them.",
        )
    return part


@contextmanager
def _opened(path: Place, buffer_size: int = 0) -> Iterator[pq.ParquetFile]:
    """An open Parquet file; what goes wrong in it becomes a DataError."""
    try:
        # Not pre-buffered: that would hold the whole file in memory.
        with pq.ParquetFile(
            path if isinstance(path, Path) else str(path.path),
            filesystem=None if isinstance(path, Path) else path.filesystem,
            pre_buffer=False,
            buffer_size=buffer_size,
            page_checksum_verification=True,
        ) as parquet:
            yield parquet
    except (pa.ArrowException, OSError, UnicodeDecodeError) as cause:
        raise _unreadable(path, cause) from cause


def _unreadable(path: Place, cause: Exception) -> DataError:
    if path.suffix.lower() in _OTHER_FORMATS:
        hint = (
            "A fit reads Parquet; 'pidreg prepare' makes it of CSV, TSV and Feather, as in: "
            f"pidreg prepare {shlex.quote(str(path))} -o {shlex.quote(path.name.partition('.')[0] or 'data')}.parquet"
        )
    elif isinstance(cause, PermissionError):
        hint = "Ask for permission to read it."
    else:
        hint = "The file is damaged, incomplete or no Parquet file; write or copy it again."
    reason = str(cause).strip().rstrip(".") or type(cause).__name__
    return DataError("data.unreadable_file", f"'{path}' cannot be read as Parquet: {reason}.", hint)


def _check_same_columns(first: _Part, other: _Part) -> None:
    here, there = (dict(zip(p.schema.names, p.schema.types, strict=True)) for p in (first, other))
    if only_one := [name for name in [*here, *there] if (name in here) != (name in there)]:
        difference = f"{listing(only_one)} in one of them only"
    elif retyped := [name for name in here if here[name] != there[name]]:
        name = retyped[0]
        difference = f"{name!r} is {here[name]} in the first and {there[name]} in the second"
    else:
        return
    raise DataError(
        "data.schemas_differ",
        f"'{first.path}' and '{other.path}' differ in their columns: {difference}.",
        "Files of one table must have the same columns with the same types.",
    )


def _with_partitions(part: _Part) -> pa.Schema:
    fields = [pa.field(name, value.type) for name, value in part.partitions.items()]
    return pa.schema([*part.schema, *fields])


def _stored_roles(parts: Sequence[_Part]) -> TableMetadata | None:
    stored = {(part.schema.metadata or {}).get(ROLES_KEY) for part in parts}
    if len(stored) > 1:
        raise DataError(
            "data.metadata_differs",
            f"{_where(parts)} different roles in the files' 'pidreg' metadata.",
            "Write the files with the same roles, or remove the metadata from all of them.",
        )
    raw = stored.pop()
    return None if raw is None else parse_metadata(raw)


def _where(parts: Sequence[_Part]) -> str:
    return f"'{parts[0].path}' has" if len(parts) == 1 else f"The {len(parts)} files have"


def _columns(part: _Part, columns: Sequence[str]) -> Iterator[tuple[str, pa.ChunkedArray]]:
    together = max(1, CELLS_AT_ONCE // max(1, part.rows))
    with _opened(part.path) as parquet:
        for start in range(0, len(columns), together):
            table = _read_from(parquet, part, columns[start : start + together])
            yield from zip(table.column_names, table.columns, strict=True)


def _read(part: _Part, columns: Sequence[str]) -> pa.Table:
    with _opened(part.path) as parquet:
        return _read_from(parquet, part, columns)


def _read_from(parquet: pq.ParquetFile, part: _Part, columns: Sequence[str]) -> pa.Table:
    # Names select by dotted prefix: 'a' brings 'a.b' along, hence the choice by exact name.
    table = parquet.read(columns=[name for name in columns if name not in part.partitions])
    filled = {name: pa.repeat(value, part.rows) for name, value in part.partitions.items()}
    arrays = [filled[name] if name in filled else table[name] for name in columns]
    return pa.Table.from_arrays(arrays, names=list(columns))


def _batches(
    part: _Part, columns: Sequence[str], rows: int, groups: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    """Of these row groups."""
    stored = [name for name in columns if name not in part.partitions]
    # A stored column tells how many rows a batch has, also where only partition columns are asked for.
    wanted = stored or part.schema.names[:1]
    # Buffered: else whole column chunks are held, of a row group that may be the whole file.
    with _opened(part.path, buffer_size=STREAM_BUFFER) as parquet:
        # One row group at a time: structs cannot be read across the borders of groups.
        for batch in _iterated(parquet, wanted, rows, groups):
            filled = {name: pa.repeat(value, batch.num_rows) for name, value in part.partitions.items()}
            arrays = [filled[name] if name in filled else batch.column(name) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _slices(
    kept: Mapping[str, pa.Array], columns: Sequence[str], rows: int, span: range
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """The rows of ``span`` from memory, numbered."""
    arrays = [kept[name].slice(span.start, len(span)) for name in columns]
    for start in range(0, len(span), rows):
        pieces = [array.slice(start, rows) for array in arrays]
        yield span.start + start, pa.RecordBatch.from_arrays(pieces, names=list(columns))


def _completed(
    batch: pa.RecordBatch, kept: Mapping[str, pa.Array], columns: Sequence[str], first: int
) -> pa.RecordBatch:
    """The batch, whose first row is ``first``, with the columns that are kept."""
    arrays = [kept[n].slice(first, batch.num_rows) if n in kept else batch.column(n) for n in columns]
    return pa.RecordBatch.from_arrays(arrays, names=list(columns))


def _iterated(
    parquet: pq.ParquetFile, columns: Sequence[str], rows: int, groups: Sequence[int]
) -> Iterator[pa.RecordBatch]:
    for group in groups:
        yield from parquet.iter_batches(batch_size=rows, row_groups=[group], columns=columns)


def _partition_text(part: _Part) -> str:
    return ",".join(f"{key}={value.as_py()!r}" for key, value in part.partitions.items())
