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

Ints = NDArray[np.int64]
Block = NDArray[np.float64] | NDArray[np.float32]

CELLS = 2**21
"""Numbers that a batch may hold once its features are made: 16 MB of doubles, which the allocator hands out again;
32 MB are fetched from the system, page by page, every time."""
MOST_ROWS, FEWEST_ROWS = 2**16, 2**11


def batch_rows(width: int) -> int:
    """Rows of a batch of ``width`` numbers a row."""
    return int(np.clip(CELLS // max(width, 1), FEWEST_ROWS, MOST_ROWS))


@dataclass(frozen=True)
class BlockReader:
    """The features of each modality in batches of a table; ``widths``: elements of list columns, else None;
    ``single``: in single precision also where not all columns of a modality are.
    """

    modalities: Mapping[str, Sequence[str]]
    widths: Mapping[str, int | None]
    single: bool = False

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

    def blocks(self, batch: pa.RecordBatch, first_row: int, chosen: Ints | None = None) -> dict[str, Block]:
        """Numbers (n, p) of each modality in the rows ``chosen`` (n,) of a batch, by default all; NaN where missing.

        Raises DataError as ``feature_block``, with the row.
        """
        rows = np.arange(batch.num_rows) if chosen is None else chosen
        return {name: self._block(batch, group, first_row, rows) for name, group in self.modalities.items()}

    def some(self, batch: pa.RecordBatch, first_row: int, chosen: Ints) -> dict[str, Floats]:
        """The same in double precision, for a first look: numbers that cannot be used read as missing here."""
        found = {
            name: np.asarray(self._filled(batch, group, first_row, chosen), np.float64)
            for name, group in self.modalities.items()
        }
        return {name: np.where(np.abs(block) <= LARGEST, block, np.nan) for name, block in found.items()}

    def _block(self, batch: pa.RecordBatch, columns: Sequence[str], first_row: int, chosen: Ints) -> Block:
        block = self._filled(batch, columns, first_row, chosen)
        if not _sound(block):
            for column in columns:
                numbers = np.asarray(self._numbers(batch.column(column), column, first_row), np.float64)
                check_range(numbers, column, first_row)
        return block

    def _filled(self, batch: pa.RecordBatch, columns: Sequence[str], first_row: int, chosen: Ints) -> Block:
        widths = [self.widths[column] or 1 for column in columns]
        single = self.single or all(batch.column(column).type == pa.float32() for column in columns)
        # Column by column in memory, as they come.
        shape = (sum(widths), len(chosen))
        block: Block = np.empty(shape, np.float32) if single else np.empty(shape, np.float64)
        # What is beyond single precision becomes infinite, which is found after.
        with np.errstate(over="ignore"):
            for column, end in zip(columns, accumulate(widths), strict=True):
                numbers = self._numbers(batch.column(column), column, first_row)
                if numbers.ndim == 1 and numbers.dtype == block.dtype:
                    # Any mode but that which checks: it would write into memory of its own first.
                    np.take(numbers, chosen, mode="wrap", out=block[end - 1])
                elif numbers.ndim == 1:
                    block[end - 1] = numbers.take(chosen, mode="wrap")
                else:
                    block[end - numbers.shape[1] : end] = numbers[chosen].T
        return block.T

    def _numbers(self, chunk: pa.Array, column: str, first_row: int) -> Block:
        width = self.widths[column]
        return as_numbers(chunk) if width is None else list_numbers(chunk, column, width, first_row)


def complete(block: Block) -> bool:
    """Whether no number is missing or infinite, and none near the largest: in one pass, which asks no more."""
    flat = block.T.reshape(-1)
    with np.errstate(over="ignore", invalid="ignore"):
        return bool(np.isfinite(np.dot(flat, flat)))


def _sound(block: Block) -> bool:
    """Whether every number can be used; missing ones can."""
    if complete(block):
        return True
    with np.errstate(invalid="ignore"):
        return not bool((np.abs(block) > LARGEST).any())


def numbered_batches(
    table: ParquetTable, columns: Sequence[str], rows: int, share: tuple[int, int] = (0, 1)
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Batches of these columns, each named once, with the number of its first row in the table; ``share``: of
    ``ParquetTable.numbered_batches``.
    """
    return table.numbered_batches(list(dict.fromkeys(columns)), rows, share)
