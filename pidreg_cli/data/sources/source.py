"""What every reader offers, and the few types of cells that the rest of the program has to know."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from pidreg_cli.data.metadata import TableMetadata

# Cells of a batch: 16 MB of doubles, whatever the number of columns.
CELLS_PER_BATCH = 2**21
MOST_ROWS_PER_BATCH = 2**17
FEWEST_ROWS_PER_BATCH = 64


class Oddity(NamedTuple):
    """A column of text cells most of which are numbers: how many are not, and the first of these.

    ``dressed``: that cell is a number written with a sign beside its digits (``1,000.5``, ``12 %``, ``$5``).
    """

    numbers: int
    others: int
    row: int
    value: str
    dressed: bool = False


class Source(Protocol):
    """A table on disk. ``schema`` has unique names and the types of ``plain_type``; ``rows`` is exact.

    ``oddities`` are columns that look like numbers with mistakes in them, ``notices`` what was detected.
    """

    @property
    def label(self) -> str:
        """How messages name the table."""

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""

    @property
    def rows(self) -> int:
        """Number of rows."""

    @property
    def files(self) -> tuple[str, ...]:
        """File names without folders."""

    @property
    def metadata(self) -> TableMetadata | None:
        """Roles that the files bring."""

    @property
    def oddities(self) -> Mapping[str, Oddity]:
        """Columns with text among numbers."""

    @property
    def codes(self) -> frozenset[str]:
        """Columns of numbers that are written like codes (leading zeros): texts where they name rows."""

    @property
    def notices(self) -> tuple[str, ...]:
        """What was detected in the files, for the user to confirm."""

    def with_texts(self, columns: Iterable[str]) -> Source:
        """The same table with these columns as texts where the file holds text (``007`` is not 7)."""

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """These columns, in this order, at most ``rows`` rows at a time. Raises DataError for a damaged file."""


def rows_per_batch(columns: int) -> int:
    """Rows of a batch of so many columns, for bounded memory."""
    return max(FEWEST_ROWS_PER_BATCH, min(MOST_ROWS_PER_BATCH, CELLS_PER_BATCH // max(1, columns)))


def plain_type(kind: pa.DataType) -> pa.DataType:
    """The type that cells of ``kind`` are read as: dictionaries decoded, decimals and halves as floats, one text."""
    if pa.types.is_dictionary(kind):
        return plain_type(kind.value_type)
    if pa.types.is_decimal(kind):
        return pa.float64()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return pa.list_(plain_type(kind.value_type))
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(plain_type(kind.value_type), kind.list_size)
    return kind


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """``schema`` with structs opened (field ``b`` of ``a`` is ``a.b``) and every type plain."""
    return pa.schema([pa.field(name, plain_type(kind)) for field in schema for name, kind in _leaves(field)])


def plain_column(column: pa.Array) -> pa.Array:
    """The cells with their plain type."""
    kind = plain_type(column.type)
    if column.type == kind:
        return column
    if pa.types.is_dictionary(column.type):
        return plain_column(column.dictionary_decode())
    return pc.cast(column, kind, safe=False)


def plain_batch(batch: pa.RecordBatch, columns: Sequence[str]) -> pa.RecordBatch:
    """Columns of a batch by their opened names, plain."""
    found = dict(_opened(batch))
    return pa.RecordBatch.from_arrays([plain_column(found[name]) for name in columns], names=list(columns))


def rebatched(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of exactly ``rows``, but for the last, however they came."""
    held: list[pa.RecordBatch] = []
    count = 0
    for batch in batches:
        while count + batch.num_rows >= rows:
            taken = rows - count
            yield _joined([*held, batch.slice(0, taken)])
            batch, held, count = batch.slice(taken), [], 0
        if batch.num_rows:
            held.append(batch)
            count += batch.num_rows
    if held:
        yield _joined(held)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    return batches[0] if len(batches) == 1 else pa.concat_batches(batches)


def _leaves(field: pa.Field) -> Iterator[tuple[str, pa.DataType]]:
    if not pa.types.is_struct(field.type):
        yield field.name, field.type
        return
    for child in field.type:
        for name, kind in _leaves(child):
            yield f"{field.name}.{name}", kind


def _opened(batch: pa.RecordBatch) -> Iterator[tuple[str, pa.Array]]:
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        yield from _opened_column(name, column)


def _opened_column(name: str, column: pa.Array) -> Iterator[tuple[str, pa.Array]]:
    if not pa.types.is_struct(column.type):
        yield name, column
        return
    # flatten() carries a missing struct over to its fields.
    for child, values in zip(column.type, column.flatten(), strict=True):
        yield from _opened_column(f"{name}.{child.name}", values)
