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
NEARLY_NORMAL = 0.99
"""R2 of normal scores by the target itself from which nearly as much shows a copy; below, other features may do so."""
SAME = 1e-6
"""Difference of R2 within which a feature predicts normal scores as the target does itself, in any unit."""
MAYBE_SAME = 1e-4
"""The same by sums in single precision, which are off by a tenth of it where values are tied: too near to tell."""
OF_OWN = 0.1
"""Such differences are at most so much of the target's own R2: a target of a few wild values has next to none, and
features that tell nothing are as near to it."""
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


def almost_determines(shares: Floats, own: float) -> NDArray[np.bool_]:
    """Which features alone determine the target almost wholly, by their R2 (n,) of its normal scores.

    Those of its scores, and those that predict them as well as its own values do, ``own``: a copy in another unit is no
    straight line in the scores where the target is not normal.
    """
    alike = shares >= ALMOST * own if own >= NEARLY_NORMAL else _near(shares, own, SAME)
    return np.asarray(alike | (shares > ALMOST))


def may_determine(shares: Floats, own: float) -> bool:
    """Whether features may predict as well as the target's own values do, by ``shares`` in single precision."""
    return own < NEARLY_NORMAL and bool(np.any(_near(shares, own, MAYBE_SAME)))


def _near(shares: Floats, own: float, most: float) -> NDArray[np.bool_]:
    return np.abs(shares - own) <= min(most, OF_OWN * own)


def own_share(target: Counted, scores: Floats, cut: float) -> float:
    """R2 of a target's normal scores by its values, cut as features are, at ``cut`` standard deviations.

    ``scores`` (k,) are those of its distinct values.
    """
    values, counts = target
    centred = values - np.average(values, weights=counts)
    standard = centred / np.sqrt(np.average(centred**2, weights=counts))
    return _weighted_r2(np.clip(standard, -cut, cut), scores, counts)


def _weighted_r2(one: Floats, other: Floats, weights: NDArray[np.intp]) -> float:
    """Squared correlation of values (k,) that occur so often, (k,)."""
    one, other = (values - np.average(values, weights=weights) for values in (one, other))
    return float((weights * one) @ other) ** 2 / float((weights @ one**2) * (weights @ other**2))


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
