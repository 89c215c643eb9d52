"""Distinct values of a column and how often each occurs: sorted once, for all that goes by ranks or ties."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Counted(NamedTuple):
    """``values`` (k,), distinct and in order, and in how many rows each occurs: ``counts`` (k,)."""

    values: Floats
    counts: NDArray[np.intp]

    @classmethod
    def of(cls, column: Floats) -> Self:
        """Count the values of a column (n,), none of which is NaN."""
        return cls(*np.unique(column, return_counts=True))

    @property
    def rows(self) -> int:
        """Of all values together, n."""
        return int(self.counts.sum())

    @property
    def mean_ranks(self) -> Floats:
        """Rank (k,) of each value, from 1; the mean of those that its rows share."""
        return np.asarray(np.cumsum(self.counts) - (self.counts - 1) / 2)

    @property
    def commonest(self) -> tuple[float, float]:
        """The value of most rows, and their share in (0, 1]."""
        place = int(self.counts.argmax())
        return float(self.values[place]), float(self.counts[place] / self.rows)
