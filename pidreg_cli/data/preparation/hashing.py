"""Contents of rows and columns as 64-bit numbers: equal contents give equal numbers, others almost never do."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]

_SEED = 20_240_531
_MIX = np.uint64(0x9E3779B97F4A7C15)
_MISSING = np.uint64(0x7FF8_0000_0000_0000)


class ContentHashes:
    """Hashes of ``columns`` columns, updated by batches of rows: sums of mixed cells with random weights.

    Two columns (or rows) that differ agree with a chance of about 2**-64; how rows are dealt into batches
    does not matter.
    """

    def __init__(self, columns: int) -> None:
        self._rng = np.random.default_rng(_SEED)
        self._of_columns = _odd(np.random.default_rng(_SEED + 1), columns)
        self.columns = np.zeros(columns, np.uint64)

    def add(self, block: Floats) -> Words:
        """Take in rows, shape (n, columns); their own hashes, shape (n,)."""
        cells = mixed(block)
        with np.errstate(over="ignore"):
            weights = _odd(self._rng, len(block))
            self.columns += (cells * weights[:, None]).sum(axis=0, dtype=np.uint64)
            rows: Words = (cells * self._of_columns).sum(axis=1, dtype=np.uint64)
        return rows


def mixed(block: Floats) -> Words:
    """Cells as evenly spread 64-bit numbers: those of equal value (NaN, -0 and 0 included) are equal."""
    bits = (block + 0.0).view(np.uint64)
    bits[np.isnan(block)] = _MISSING
    with np.errstate(over="ignore"):
        for shift in (32, 29):
            bits ^= bits >> np.uint64(shift)
            bits *= _MIX
        bits ^= bits >> np.uint64(32)
    return bits


def _odd(rng: np.random.Generator, size: int) -> Words:
    return rng.integers(0, 2**64, size, np.uint64) | np.uint64(1)


class RowHashes:
    """Hashes of rows with their places, of at most ``capacity`` rows: beyond, those of one hash in 2, in 4, ...

    Rows of equal contents stay or go together, so that a count of repeated rows times ``factor`` stays right.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self.factor = 1
        self._hashes: list[Words] = []
        self._places: list[NDArray[np.int64]] = []
        self._held = 0

    def add(self, hashes: Words, first_row: int, taken: NDArray[np.bool_]) -> None:
        """Take in the rows of a batch that are ``taken``."""
        places = first_row + np.flatnonzero(taken)
        self._put(hashes[taken], places)
        while self._held > self.capacity:
            self.factor *= 2
            hashes, places = self.held
            self._hashes, self._places, self._held = [], [], 0
            self._put(hashes, places)

    def _put(self, hashes: Words, places: NDArray[np.int64]) -> None:
        chosen = (hashes & np.uint64(self.factor - 1)) == 0
        self._hashes.append(hashes[chosen])
        self._places.append(places[chosen])
        self._held += int(chosen.sum())

    @property
    def held(self) -> tuple[Words, NDArray[np.int64]]:
        """Hashes and places of the rows held."""
        if not self._hashes:
            return np.zeros(0, np.uint64), np.zeros(0, np.int64)
        return np.concatenate(self._hashes), np.concatenate(self._places)
