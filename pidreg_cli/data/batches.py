"""Feature columns of a table batch by batch, for memory of a batch whatever the number of rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pidreg_cli.data.columns import Floats, as_numbers
from pidreg_cli.data.features import LARGEST, check_range, feature_names, list_numbers, list_width
from pidreg_cli.data.tables import ParquetTable

CELLS = 2**22
"""Numbers that a batch may hold once its features are made: 32 MB of doubles."""
MOST_ROWS, FEWEST_ROWS = 2**16, 2**11


def batch_rows(width: int) -> int:
    """Rows of a batch of ``width`` numbers a row."""
    return int(np.clip(CELLS // max(width, 1), FEWEST_ROWS, MOST_ROWS))


@dataclass(frozen=True)
class BlockReader:
    """The features of each modality in batches of a table; ``widths``: elements of list columns, else None;
    ``kind``: of the numbers.
    """

    modalities: Mapping[str, Sequence[str]]
    widths: Mapping[str, int | None]
    kind: type[np.float32] | type[np.float64] = np.float64

    @classmethod
    def of(cls, table: ParquetTable, modalities: Mapping[str, Sequence[str]]) -> BlockReader:
        """Raises DataError for a list column without any list."""
        columns = [column for group in modalities.values() for column in group]
        return cls(modalities, {column: list_width(table, column) for column in columns})

    @property
    def columns(self) -> list[str]:
        """Columns of the table, in the order of the modalities."""
        return list(self.widths)

    @property
    def names(self) -> dict[str, tuple[str, ...]]:
        """Feature names of each modality."""
        return {
            name: tuple(feature for column in group for feature in feature_names(column, self.widths[column]))
            for name, group in self.modalities.items()
        }

    def blocks(self, batch: pa.RecordBatch, first_row: int) -> dict[str, Floats]:
        """Numbers (n, p) of each modality, NaN where missing. Raises DataError as ``feature_block``, with the row."""
        return {name: self._block(batch, group, first_row) for name, group in self.modalities.items()}

    def some(self, batch: pa.RecordBatch, first_row: int, rows: NDArray[np.intp]) -> dict[str, Floats]:
        """The same of some rows of a batch, for a first look: numbers that cannot be used read as missing here."""
        if any(width is not None for width in self.widths.values()):
            # Lists are checked as they are read, and errors name rows of the table.
            return {name: block[rows] for name, block in self.blocks(batch, first_row).items()}
        few = batch.take(pa.array(rows))
        found = {name: self._filled(few, group, first_row) for name, group in self.modalities.items()}
        return {name: np.where(np.abs(block) <= LARGEST, block, np.nan) for name, block in found.items()}

    def _block(self, batch: pa.RecordBatch, columns: Sequence[str], first_row: int) -> Floats:
        block = self._filled(batch, columns, first_row)
        with np.errstate(invalid="ignore"):
            sound = not (np.abs(block) > LARGEST).any()
        if not sound:
            for column in columns:
                check_range(self._numbers(batch.column(column), column, first_row), column, first_row)
        return block

    def _filled(self, batch: pa.RecordBatch, columns: Sequence[str], first_row: int) -> Floats:
        widths = [self.widths[column] or 1 for column in columns]
        # Column by column in memory, as they come.
        block = np.empty((sum(widths), batch.num_rows), self.kind).T
        # What is beyond single precision becomes infinite, which is found after.
        with np.errstate(over="ignore"):
            for column, end in zip(columns, accumulate(widths), strict=True):
                numbers = self._numbers(batch.column(column), column, first_row)
                block[:, end - numbers.shape[1] : end] = numbers
        return block

    def _numbers(self, chunk: pa.Array, column: str, first_row: int) -> NDArray[np.floating]:
        width = self.widths[column]
        return as_numbers(chunk)[:, None] if width is None else list_numbers(chunk, column, width, first_row)


def numbered_batches(
    table: ParquetTable, columns: Sequence[str], rows: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of these columns, each with the number of its first row in the table."""
    first = 0
    for batch in table.batches(list(dict.fromkeys(columns)), rows):
        yield first, batch
        first += batch.num_rows


def spread_rows(rows: int, most: int) -> NDArray[np.intp]:
    """At most ``most`` row numbers, evenly over all ``rows``: a table in any order shows all its parts."""
    return np.arange(0, rows, -(-rows // most))
