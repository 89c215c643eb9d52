"""Choices among rows by their numbers alone: the same for every reader, and in step with no period of the rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

AT_ONCE = 2**18
"""Rows whose numbers are held at a time."""


def row_marks(rows: NDArray[np.intp], key: int = 0) -> Floats:
    """A number in [0, 1) for each row number, the same however rows are dealt into batches; other ones for another
    ``key``, in [0, 2^64).
    """
    bits = rows.astype(np.uint64)
    # The finaliser of SplitMix64 (Steele, Lea & Flood 2014): every bit of the number moves every bit of the mark.
    with np.errstate(over="ignore"):
        bits = (bits + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15) + np.uint64(key)
        bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        bits ^= bits >> np.uint64(31)
    return np.asarray((bits >> np.uint64(11)).astype(np.float64) / 2**53)


def spread_rows(rows: int, most: int) -> NDArray[np.intp]:
    """At most ``most`` of so many row numbers, in order, one of every run of as many: a table in any order shows all
    its parts. Which one of a run, its mark says: the first would be that of one hour of every day.
    """
    run = -(-rows // most)
    first = np.arange(0, rows, run)
    if run == 1:
        return first
    lengths = np.minimum(run, rows - first)
    return first + (row_marks(first) * lengths).astype(np.intp)


def nth_present(present: NDArray[np.bool_], nth: NDArray[np.intp]) -> NDArray[np.intp]:
    """Numbers (k,) of the rows that are the ``nth`` (k,), from 0 and in order, of those that are ``present`` (n,)."""
    found, passed = [np.empty(0, np.intp)], 0
    for start in range(0, len(present), AT_ONCE):
        here = start + np.flatnonzero(present[start : start + AT_ONCE])
        first, end = np.searchsorted(nth, [passed, passed + len(here)])
        found.append(here[nth[first:end] - passed])
        passed += len(here)
    return np.concatenate(found)
