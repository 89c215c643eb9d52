"""What one pass over the rows says exactly of the columns of a modality, for what a sample may not show."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import compress
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.batches import Block, complete
from pidreg_cli.data.features import Rounding

COUNTS = ("rows", "missing", "absent", "train_rows", "train_absent", "train_missing")
RANGE = ("low", "high", "error")


class ColumnFacts:
    """Counts over rows with a target, and over the training rows among them.

    ``missing``: cells; ``absent``: rows without any cell; ``train_missing`` (p,), ``train_absent``, ``train_rows``: of
    training rows; ``range``: of each column's training values.
    """

    def __init__(self, columns: tuple[str, ...]) -> None:
        self.columns = columns
        self.rows, self.missing, self.absent = 0, 0, 0
        self.train_rows, self.train_absent = 0, 0
        self.train_missing = np.zeros(len(columns), np.int64)
        self.range = Rounding(len(columns))

    def update(self, block: Block, training: NDArray[np.bool_]) -> None:
        """Rows (n, p) that have a target, NaN where missing, and which of them train, (n,)."""
        self.rows += len(block)
        self.train_rows += int(training.sum())
        if not complete(block):
            missing = np.isnan(block)
            absent = missing.all(axis=1)
            self.missing += int(missing.sum())
            self.absent += int(absent.sum())
            self.train_missing += missing[training].sum(axis=0)
            self.train_absent += int((absent & training).sum())
        exact = block if training.all() else block[training]
        self.range.update(slice(None), exact, exact.astype(np.float32))

    def join(self, other: ColumnFacts) -> None:
        """What was counted on other rows of the same columns."""
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.range.join(other.range)

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """What was counted, by name."""
        counts = {name: np.asarray(getattr(self, name)) for name in COUNTS}
        return counts | {name: getattr(self.range, name) for name in RANGE}

    @classmethod
    def from_arrays(cls, columns: tuple[str, ...], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of ``to_arrays``. Raises KeyError where one is missing."""
        found = cls(columns)
        for name in COUNTS:
            setattr(found, name, arrays[name] if arrays[name].ndim else int(arrays[name]))
        for name in RANGE:
            setattr(found.range, name, arrays[name])
        return found

    @property
    def blurred(self) -> tuple[str, ...]:
        """Columns that rounding to single precision blurs on training rows."""
        return tuple(compress(self.columns, self.range.blurs()))

    @property
    def missing_fraction(self) -> float:
        """Of the cells of rows with a target."""
        return self.missing / max(1, self.rows * len(self.columns))

    @property
    def absent_fraction(self) -> float:
        """Of the rows with a target: those without any cell."""
        return self.absent / max(1, self.rows)

    @property
    def flagged(self) -> tuple[int, ...]:
        """Columns that some, but not all, of the training rows that have the modality miss."""
        gaps = self.train_missing - self.train_absent
        return tuple(np.flatnonzero((gaps > 0) & (gaps < self.train_rows - self.train_absent)).tolist())

    def varying(self) -> NDArray[np.bool_]:
        """Columns with two training values or more in single precision, (p,)."""
        low, high = (bound.astype(np.float32) for bound in (self.range.low, self.range.high))
        return np.asarray((self.train_missing < self.train_rows) & (low < high))
