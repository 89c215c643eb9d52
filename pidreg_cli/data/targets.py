"""The target of a table of any length, read by batches: which rows have one, and enough values to know its ranks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.batches import MOST_ROWS, numbered_batches
from pidreg_cli.data.columns import Floats, as_floats
from pidreg_cli.data.counted import Counted
from pidreg_cli.data.features import check_range
from pidreg_cli.data.loading import without_spread
from pidreg_cli.data.row_marks import row_marks
from pidreg_cli.data.tables import ParquetTable

MOST_VALUES = 2**20
"""Values that are kept at most, and half as many at least: normal scores are within 0.006 of those of all rows (three
standard errors, at the median)."""
FEWEST_DISTINCT = 3


@dataclass(frozen=True)
class SeenTarget:
    """What one pass over the target shows: ``present`` (n_rows,), and ``values`` of the rows that have one.

    ``values`` are all of them up to 2**20, beyond that a random choice.
    """

    column: str
    present: NDArray[np.bool_]
    values: Floats

    @cached_property
    def counted(self) -> Counted:
        """The values by how often they occur."""
        return Counted.of(self.values)


def see_target(table: ParquetTable, column: str) -> SeenTarget:
    """Raises DataError as ``load_arrays`` for numbers that are infinite or too large, and for fewer than three."""
    present = np.empty(table.rows, np.bool_)
    kept, distinct = KeptValues(), np.empty(0)
    for first, batch in numbered_batches(table, [column], MOST_ROWS):
        values = as_floats(batch.column(0))
        check_range(values, column, first)
        there = ~np.isnan(values)
        present[first : first + len(values)] = there
        kept.add(values[there], first + np.flatnonzero(there))
        if len(distinct) < FEWEST_DISTINCT:
            distinct = np.unique(np.append(distinct, values[there]))
    if len(distinct) < FEWEST_DISTINCT:
        raise without_spread(column, distinct)
    return SeenTarget(column, present, kept.values)


class KeptValues:
    """At most ``MOST_VALUES`` of the values that pass, in their order.

    All of them until there are more; then those that a draw by row number keeps, half as many each time. A fixed step
    would fall in with the days or weeks of the rows.
    """

    def __init__(self) -> None:
        self._values: list[Floats] = []
        self._marks: list[Floats] = []
        self._share = 1.0

    def add(self, values: Floats, rows: NDArray[np.intp]) -> None:
        """Values (n,) of these rows of the table, (n,)."""
        marks = row_marks(rows)
        chosen = marks < self._share
        self._values.append(values[chosen])
        self._marks.append(marks[chosen])
        self._halve()

    def _halve(self) -> None:
        """The share, until what is kept is no more than allowed."""
        while sum(map(len, self._values)) > MOST_VALUES:
            self._share /= 2
            self._drop()

    def _drop(self) -> None:
        """What the share no longer keeps."""
        kept = [own < self._share for own in self._marks]
        self._values = [own[some] for own, some in zip(self._values, kept, strict=True)]
        self._marks = [own[some] for own, some in zip(self._marks, kept, strict=True)]

    def join(self, other: KeptValues) -> None:
        """What was kept of rows after these: then of all of them what one would have kept that saw them all."""
        self._share = min(self._share, other._share)
        self._values += other._values
        self._marks += other._marks
        self._drop()
        self._halve()

    def to_arrays(self) -> dict[str, Floats]:
        """What was kept, by name."""
        marks = np.concatenate([np.empty(0), *self._marks])
        return {"values": self.values, "marks": marks, "share": np.array(self._share)}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Floats]) -> Self:
        """Inverse of ``to_arrays``. Raises KeyError where one is missing."""
        found = cls()
        found._values, found._marks = [arrays["values"]], [arrays["marks"]]
        found._share = float(arrays["share"])
        return found

    @property
    def values(self) -> Floats:
        """Those that are kept, in their order."""
        return np.concatenate([np.empty(0), *self._values])
