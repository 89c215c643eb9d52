"""Columns that name rows rather than measure them: ids, groups, splits."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pidreg_cli.data.batches import MOST_ROWS
from pidreg_cli.data.features import at_row
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.errors import DataError

Labels = NDArray[np.generic]


def _labels(table: ParquetTable, name: str, role: str) -> tuple[Labels, NDArray[np.bool_]]:
    return _labels_of(table.read([name])[name].combine_chunks(), name, role)


def _labels_of(column: pa.Array, name: str, role: str) -> tuple[Labels, NDArray[np.bool_]]:
    """Integers, else texts, of each row, and where they are missing ('' or 0 there)."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    missing = _missing(column)
    if pa.types.is_integer(column.type):
        return pc.fill_null(column, 0).to_numpy(zero_copy_only=False), missing
    try:
        texts = pc.fill_null(pc.cast(column, pa.string()), "")
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as cause:
        raise DataError(
            "data.role_type",
            f"Column {name!r}, the {role}, holds {column.type}; it must hold numbers or texts.",
            f"Choose another column as the {role}.",
        ) from cause
    return texts.to_numpy(zero_copy_only=False), missing


def _missing(column: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.is_null(column, nan_is_null=True).to_numpy(zero_copy_only=False))


def row_ids(table: ParquetTable, name: str) -> Labels:
    """Ids as they are; where some are missing all become texts, the missing ones row numbers."""
    labels, missing = _labels(table, name, "id")
    return _filled_ids(labels, missing, np.arange(table.rows)) if missing.any() else labels


def _filled_ids(labels: Labels, missing: NDArray[np.bool_], numbers: NDArray[np.int64]) -> Labels:
    texts = labels.astype(str).astype(object)
    texts[missing] = numbers[missing].astype(str)
    return texts


@dataclass(frozen=True)
class RowIds:
    """The ids that ``row_ids`` gives, batch by batch; row numbers without a column. ``texts``: some are missing."""

    column: str | None
    texts: bool = False

    @classmethod
    def of(cls, table: ParquetTable, column: str | None) -> RowIds:
        """One pass over the column sees whether ids are missing."""
        cells = () if column is None else table.batches([column], MOST_ROWS)
        return cls(column, any(bool(_missing(batch.column(0)).any()) for batch in cells))

    @property
    def columns(self) -> list[str]:
        """Columns of the table that ``read`` needs."""
        return [] if self.column is None else [self.column]

    def read(self, batch: pa.RecordBatch, numbers: NDArray[np.int64]) -> pa.Array:
        """The ids of rows of a batch; ``numbers`` (n,): of these rows in the table."""
        if self.column is None:
            return pa.array(numbers)
        labels, missing = _labels_of(batch.column(self.column), self.column, "id")
        return pa.array(_filled_ids(labels, missing, numbers) if self.texts else labels)


def complete_labels(table: ParquetTable, name: str, role: str) -> Labels:
    """Integers or texts of each row. Raises DataError where one is missing."""
    return _complete(*_labels(table, name, role), name, role)


def batch_labels(column: pa.Array, name: str, role: str, first_row: int) -> Labels:
    """The same of the rows of a batch, whose first is ``first_row`` of the table."""
    return _complete(*_labels_of(column, name, role), name, role, first_row)


def _complete(labels: Labels, missing: NDArray[np.bool_], name: str, role: str, first_row: int = 0) -> Labels:
    if missing.any():
        raise DataError(
            f"data.missing_{role}",
            f"Column {name!r}, the {role}, is missing in {int(missing.sum())} rows, first in "
            f"{at_row(first_row + int(missing.argmax()))}; every row must have one.",
            "Fill it, or leave these rows out.",
        )
    return labels
