"""Targets that features determine: their information is infinite, and most often a feature is a copy of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.counted import Counted
from pidreg_cli.errors import DataError
from pidreg_cli.information.errors import DeterministicTargetError
from pidreg_cli.information.readouts import NO_ERROR

Floats = NDArray[np.float64]

SHARED_VALUES = 0.9
"""Distinct values of a copy over those of the target: rounding to float32 merges a few, a coarse scale many."""
ALMOST = 0.999
"""Share of the variance from which a feature alone determines a target almost wholly."""
FEWEST_ROWS, FEWEST_VALUES, LEAST_SHARE = 20, 10, 0.1
"""Of a straight line that shows anything: rows, distinct values of the target, all but one where it has no more, and
the share of the rows with a target that have the feature.
"""
ON_ANY_LINE = 2
"""Points that any line meets."""
NAMED = 5
"""Columns that a message names at most."""


def check_copies(arrays: MultimodalArrays, target: str) -> None:
    """Raise DataError where features rise or fall with the target without exception: copies, in any unit.

    Every row has a target. A feature that lacks values, or a noisy copy, is none.
    """
    outcome = arrays.required_target
    order = np.argsort(outcome, kind="stable")
    least = SHARED_VALUES * len(np.unique(outcome))
    copies = [
        f"{column!r} of '{name}'"
        for name, block in arrays.features.items()
        for column, values in zip(arrays.columns[name], block.T, strict=True)
        if _is_copy(values[order], outcome[order], least)
    ]
    if copies:
        more = f" and {len(copies) - NAMED} more" if len(copies) > NAMED else ""
        raise _determined(target, f"{', '.join(copies[:NAMED])}{more}")


def _is_copy(values: NDArray[np.float32], outcome: Floats, least: float) -> bool:
    """Whether ``values``, of rows in the order of ``outcome``, are one value for each, in that order or its reverse."""
    steps = np.diff(values)
    # Missing values compare as false.
    monotone = bool(np.all(steps >= 0)) or bool(np.all(steps <= 0))
    if not monotone or np.any(steps[np.diff(outcome) == 0]):
        return False
    distinct = 1 + np.count_nonzero(steps)
    return bool(distinct > 1 and distinct >= least)


def straight_lines(block: Floats, target: Floats) -> Floats:
    """R2 (p,) of the target (n,) by each column of ``block`` (n, p) as a straight line, in the rows that have both;
    0 where these are few.

    Where it is near one, that of ranks if this is smaller: a wild value in the same row, or a code for missing ones in
    the same rows, makes any two columns alike.
    """
    known = ~np.isnan(target)
    if not known.all():
        block, target = block[known], target[known]
    distinct = len(np.unique(target))
    return np.array([_straight_line(values, target, distinct) for values in np.ascontiguousarray(block.T)])


def _straight_line(values: Floats, target: Floats, distinct: int) -> float:
    present = ~np.isnan(values)
    if np.count_nonzero(present) < max(FEWEST_ROWS, LEAST_SHARE * len(target)):
        return 0.0
    if not present.all():
        values, target = values[present], target[present]
    found = _r2(values, target)
    if found <= ALMOST:
        return found
    if len(np.unique(target)) < max(ON_ANY_LINE + 1, min(FEWEST_VALUES, distinct - 1)):
        return 0.0
    ranks = _ranks(target)
    return min(found, max(_sorted_share(values, ranks), _sorted_share(-values, ranks)))


def _sorted_share(values: Floats, ranks: Floats) -> float:
    """R2 of ``ranks`` (n,) by those that ``values`` (n,), which sort them, would give their rows, the mean where equal.

    Ranks of the values themselves would not do: the least noise tells rows apart that the target ties.
    """
    _, ties, counts = np.unique(values, return_inverse=True, return_counts=True)
    given = np.empty(len(values))
    given[np.argsort(values, kind="stable")] = np.sort(ranks)
    return _r2((np.bincount(ties, given) / counts)[ties], ranks)


def _r2(one: Floats, other: Floats) -> float:
    """Squared correlation of values (k,), about 0 where either is constant."""
    one, other = (_centred(values) for values in (one, other))
    sizes = float(one @ one) * float(other @ other)
    return float(one @ other) ** 2 / sizes if sizes else 0.0


def _centred(values: Floats) -> Floats:
    """Around their mean, scaled to at most 1: squares of the smallest numbers would be zero."""
    centred: Floats = values - values.mean()
    return np.asarray(centred / (float(np.abs(centred).max()) or 1.0))


def _ranks(values: Floats) -> Floats:
    """Mean rank of each. That of scipy.stats takes half as long to import as a quick look at a small table takes."""
    distinct, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return Counted(distinct, counts).mean_ranks[places]


def check_errors(errors: Floats, names: tuple[str, ...], target: str) -> None:
    """Raise DataError where sets of modalities predict without error; ``errors`` (N, 2**n) squared, 0 the mean's."""
    sums = errors.sum(axis=0)
    exact = np.flatnonzero(sums < NO_ERROR * sums[0])
    if exact.size:
        smallest = min(exact.tolist(), key=int.bit_count)
        members = [f"'{name}'" for place, name in enumerate(names) if smallest >> place & 1]
        raise _determined(target, f"the features of {' and '.join(members)}")


@contextmanager
def determined_targets(names: tuple[str, ...], target: str) -> Iterator[None]:
    """Turn what the mathematics says of a target without error within the block into a DataError."""
    try:
        yield
    except DeterministicTargetError as error:
        raise _determined(target, f"features among those of {', '.join(map(repr, names))}") from error


def _determined(target: str, culprit: str) -> DataError:
    return DataError(
        "data.determined_target",
        f"'{target}' is determined by {culprit}: predicted without error, its information is infinite",
        "look for a leaked copy of the target, or what it was computed from, and leave it out",
    )
