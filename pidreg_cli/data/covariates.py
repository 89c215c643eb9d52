"""Covariates: columns that are known anyway, as numbers that a readout can hold beside everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pidreg_cli.data.columns import Floats, as_floats, as_whole, is_number
from pidreg_cli.data.features import check_range
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.errors import DataError

MOST_CATEGORIES = 50
FEW_CODES = 10
"""Whole numbers of 3 to so many values count as codes of categories: a step for each holds any trend of theirs."""
MISSING = "(missing)"


@dataclass(frozen=True)
class Number:
    """A covariate of numbers: standardised, with its square, and a flag of missing cells where there are some."""

    column: str
    mean: float
    sd: float
    squared: bool
    flagged: bool

    @property
    def width(self) -> int:
        """Columns of the readout."""
        return 1 + self.squared + self.flagged

    def apply(self, cells: pa.Array, first_row: int) -> Floats:
        """Cells (n,) as numbers (n, width)."""
        values = as_floats(cells)
        check_range(values, self.column, first_row)
        missing = np.isnan(values)
        standard = np.where(missing, 0.0, (values - self.mean) / self.sd)
        parts = [standard, *([standard**2] * self.squared), *([missing.astype(float)] * self.flagged)]
        return np.column_stack(parts)


@dataclass(frozen=True)
class Categories:
    """A covariate of categories: a 0/1 column for each but the most frequent; a missing cell is one of its own."""

    column: str
    values: tuple[str, ...]

    @property
    def width(self) -> int:
        """Columns of the readout."""
        return len(self.values)

    def apply(self, cells: pa.Array, first_row: int) -> Floats:
        """Cells (n,) as numbers (n, width)."""
        found = pc.index_in(_texts(cells), pa.array(self.values, pa.string()))
        codes = pc.fill_null(found, -1).to_numpy(zero_copy_only=False)
        return np.asarray(codes[:, None] == np.arange(len(self.values)), np.float64)


@dataclass(frozen=True)
class Covariates:
    """All covariates side by side, in the order given."""

    parts: tuple[Number | Categories, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table."""
        return tuple(part.column for part in self.parts)

    @property
    def width(self) -> int:
        """Columns of the readout."""
        return sum(part.width for part in self.parts)

    def apply(self, batch: pa.RecordBatch, first_row: int) -> Floats:
        """Rows of a batch as numbers (n, width)."""
        return np.hstack([part.apply(batch.column(part.column), first_row) for part in self.parts])

    def of_table(self, table: ParquetTable) -> Floats:
        """All rows of a table as numbers (n_rows, width)."""
        cells = table.read(self.columns).combine_chunks()
        return np.vstack([self.apply(batch, 0) for batch in cells.to_batches()])


def fit_covariates(table: ParquetTable, columns: Sequence[str]) -> Covariates:
    """How each column becomes numbers, from all its cells.

    Texts and whole numbers of 3 to 10 values, of whatever type, are categories. Raises DataError for an unknown
    column, one without variation, of another type, or of more than 50 categories.
    """
    return Covariates(tuple(_fitted(table, column) for column in columns))


def _fitted(table: ParquetTable, column: str) -> Number | Categories:
    cells = _plain(table.read([column])[column].combine_chunks())
    kind = cells.type
    if is_number(kind):
        codes = as_whole(cells)
        if codes is not None and 2 < pc.count_distinct(codes).as_py() <= FEW_CODES:
            return _categories(column, codes)
        return _number(column, as_floats(cells))
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _categories(column, cells)
    raise DataError(
        "data.covariate_type",
        f"Covariate {column!r} holds {kind}; a covariate is numbers or texts.",
        "Leave it out, or make numbers of it with 'pidreg prepare'.",
    )


def _number(column: str, values: Floats) -> Number:
    check_range(values, column)
    present = values[~np.isnan(values)]
    distinct = len(np.unique(present))
    if distinct < 2 and len(present) in (0, len(values)):
        raise _constant(column)
    sd = float(present.std()) or 1.0
    return Number(column, float(present.mean()), sd, distinct > 2, len(present) < len(values))


def _categories(column: str, cells: pa.Array) -> Categories:
    counts = sorted(_texts(cells).value_counts().to_pylist(), key=lambda one: (-one["counts"], one["values"]))
    if len(counts) < 2:
        raise _constant(column)
    if len(counts) > MOST_CATEGORIES:
        raise DataError(
            "data.covariate_categories",
            f"Covariate {column!r} has {len(counts):,} categories; at most {MOST_CATEGORIES} are held in a readout.",
            "Join rare ones, or leave it out; a column that names subjects belongs in --group.",
        )
    return Categories(column, tuple(one["values"] for one in counts[1:]))


def _plain(cells: pa.Array) -> pa.Array:
    return cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells


def _texts(cells: pa.Array) -> pa.Array:
    cells = _plain(cells)
    codes = as_whole(cells) if is_number(cells.type) else cells
    return pc.fill_null(pc.cast(cells if codes is None else codes, pa.string()), MISSING)


def _constant(column: str) -> DataError:
    return DataError(
        "data.constant_covariate",
        f"Covariate {column!r} has the same value in every row: nothing can be beyond it.",
        "Leave it out.",
    )
