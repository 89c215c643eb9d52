"""Which rows train, stop and test, dealt for the whole table at once: one byte a row."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.preparation.request import SplitKind
from pidreg_cli.data.preparation.survey import PARTS, Survey
from pidreg_cli.data.splits import SHARES, deal, whole_counts
from pidreg_cli.errors import DataError

Codes = NDArray[np.int8]
Floats = NDArray[np.float64]

# A stratum of so many rows has its share of test rows to within a few per cent.
ROWS_PER_STRATUM = 50
MOST_STRATA = 20
_SHARES = tuple(SHARES.values())


def split_codes(kind: SplitKind, survey: Survey, seed: int) -> Codes:
    """Places in ``PARTS`` of all rows, shape (rows,), 70/10/20; ``kind`` is decided, neither 'auto' nor 'none'.

    Raises DataError where there are too few rows, groups or points in time.
    """
    rng = np.random.default_rng(seed)
    if kind == "time":
        return by_time(_there(survey.times))
    if kind == "stratified":
        return stratified(_there(survey.target), rng)
    if survey.groups is not None:
        return deal(survey.rows, _SHARES, survey.groups, rng).astype(np.int8)
    return at_random(survey.rows, rng)


def at_random(rows: int, rng: np.random.Generator) -> Codes:
    """Exact shares in random order, in two bytes a row. Raises DataError for fewer rows than parts."""
    if rows < len(PARTS):
        raise DataError(
            "data.too_few_rows",
            f"The table has {rows} rows; a split needs {len(PARTS)} or more.",
            "Add rows, or leave the split out with --split none.",
        )
    dealt: Codes = rng.permutation(
        np.repeat(np.arange(len(PARTS), dtype=np.int8), whole_counts(rows, _SHARES))
    )
    return dealt


def by_time(times: Floats) -> Codes:
    """The earliest rows train, the latest test; rows of one point in time stay together."""
    moments, counts = np.unique(times, return_counts=True)
    if len(moments) < len(PARTS):
        raise DataError(
            "data.too_few_times",
            f"The rows are of {len(moments)} points in time; a split by time needs {len(PARTS)} or more.",
            "Choose another --time column, or another --split.",
        )
    before = np.cumsum(counts)
    ends = np.searchsorted(before, np.cumsum(_SHARES)[:-1] * len(times), side="left")
    # No part may be empty: it takes at least one point in time.
    first = int(np.clip(ends[0], 0, len(moments) - 3))
    second = int(np.clip(ends[1], first + 1, len(moments) - 2))
    codes: Codes = np.searchsorted(moments[[first, second]], times, side="left").astype(np.int8)
    return codes


def stratified(target: Floats, rng: np.random.Generator) -> Codes:
    """Within each range of the target (quantiles), and the rows without one, the same shares."""
    codes = np.empty(len(target), np.int8)
    present = np.flatnonzero(~np.isnan(target))
    strata = max(1, min(MOST_STRATA, len(present) // ROWS_PER_STRATUM))
    by_target = present[np.argsort(target[present], kind="stable")]
    missing = np.flatnonzero(np.isnan(target))
    for rows in (*np.array_split(by_target, strata), missing):
        codes[rows] = at_random(len(rows), rng) if len(rows) >= len(PARTS) else 0
    return codes


def _there(values: Floats | None) -> Floats:
    if values is None:
        raise ValueError("the survey did not keep what this split needs")
    return values
