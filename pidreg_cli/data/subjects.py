"""Rows of one subject are not independent: columns that name subjects, and whether they repeat."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pidreg_cli.data.batches import MOST_ROWS
from pidreg_cli.data.columns import as_integers, as_whole
from pidreg_cli.data.tables import ParquetTable

NAMES = "subject|patient|participant|person|individual|donor|case|mrn|pid|sub"
SUBJECT = re.compile(rf"(^|[_.\- ])({NAMES})([_.\- ]?(id|no|nr|number|key))?$", re.IGNORECASE)
"""How columns that name subjects are called."""
MOST_LABELS = 2**17
"""Labels that are held in memory, with as many rows that wait to be counted: some 6 MB."""
SPREAD = np.uint64(0x9E3779B97F4A7C15)
"""Odd, so that products of 64 bits are as distinct as the labels; any share of them lies below a bound."""

Words = NDArray[np.uint64]


class Repeated(NamedTuple):
    """A column with ``values`` distinct values in ``rows`` rows, which are more; rows without a value do not count."""

    column: str
    values: int
    rows: int


def repeated_subjects(table: ParquetTable, group: str | None, identifier: str | None) -> Repeated | None:
    """A column that reads as a subject's identifier and repeats, where no group keeps a subject's rows together."""
    if group is not None:
        return None
    named = [column for column in table.schema.names if SUBJECT.search(column)]
    for column in dict.fromkeys([*named, *([identifier] if identifier else [])]):
        counted = _counted(table, column)
        if counted is not None and 1 < (values := counted.values()) < counted.rows:
            return Repeated(column, values, counted.rows)
    return None


@dataclass
class DistinctLabels:
    """Distinct labels of ``rows`` rows: exactly up to ``MOST_LABELS``, of more by those whose word is below a bound."""

    rows: int = 0
    _bound: int = 2**64
    _words: Words = field(default_factory=lambda: np.zeros(0, np.uint64))
    _counts: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))
    _waiting: list[Words] = field(default_factory=list)

    def add(self, labels: NDArray[np.int64]) -> None:
        """Take in the labels of more rows."""
        self.rows += len(labels)
        self._waiting.append(labels.view(np.uint64) * SPREAD)
        if sum(map(len, self._waiting)) > MOST_LABELS:
            self._settle()

    def values(self) -> int:
        """How many there are; fewer than rows where one that was counted repeats."""
        self._settle()
        counted = int(self._counts.sum())
        if counted == len(self._words):
            return self.rows
        return min(self.rows - 1, max(1, round(self.rows * len(self._words) / counted)))

    def _settle(self) -> None:
        words = np.concatenate([self._words, *self._waiting])
        counts = np.ones(len(words), np.int64)
        counts[: len(self._counts)] = self._counts
        self._waiting = []
        while True:
            below = words <= np.uint64(self._bound - 1)
            self._words, places = np.unique(words[below], return_inverse=True)
            if len(self._words) <= MOST_LABELS:
                break
            self._bound //= 2
        self._counts = np.bincount(places, counts[below], len(self._words)).astype(np.int64)


def _counted(table: ParquetTable, column: str) -> DistinctLabels | None:
    """The labels of a column; None for one that measures."""
    found = DistinctLabels()
    for batch in table.batches([column], MOST_ROWS):
        labels = _labels(batch.column(0))
        if labels is None:
            return None
        found.add(labels)
    return found


def _labels(cells: pa.Array) -> NDArray[np.int64] | None:
    """A number for each label that is there, equal for equal ones; None where they are no labels."""
    cells = cells.dictionary_decode() if pa.types.is_dictionary(cells.type) else cells
    if pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type):
        texts = cells.drop_null().cast(pa.large_binary()).to_pylist()
        # Remainders by the prime 2**61 - 1, the same in every process; up to 7 bytes no two texts share one.
        return np.array([hash(int.from_bytes(text)) for text in texts], np.int64)
    if pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type):
        whole = as_whole(cells)
        return None if whole is None else as_integers(whole.drop_null()).astype(np.int64)
    return None
