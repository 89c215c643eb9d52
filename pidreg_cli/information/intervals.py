"""Uncertainty: jackknife intervals of informations, atoms and summary, and p-values by sign-flipped targets.

The 30-group jackknife with Student's t acts on smooth quantities only: informations and their differences.
Atoms are minima of differences, so their intervals are minima of endpoints, held together at ties; a jackknife
or bootstrap of the atoms themselves fails there (coverage near 70 %).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtr, stdtrit

from pidreg_cli.information.arrays import Bools, Floats, Ints, columns, finite
from pidreg_cli.information.errors import InformationError, ShapeError, TooFewRowsError
from pidreg_cli.information.lattice import Atom, minimal_sets, source_count, upper_sets
from pidreg_cli.information.readouts import CrossFit, informations_of_sums

GROUPS = 30
# Share of a sum of errors up to which the first order of a refit is taken at its word.
MOST_SHRINKAGE = 0.5
# Draws for the joint critical value at ties: its error is about .05 standard errors.
DRAWS = 2_000


@dataclass(frozen=True)
class Jackknife:
    """Raw subset informations (2**n,) and those with each of G groups of rows left out, (G, 2**n). Bits."""

    estimate: Floats
    replicates: Floats

    def __post_init__(self) -> None:
        if self.replicates.ndim != 2 or self.replicates.shape[1:] != self.estimate.shape:
            raise ShapeError(
                f"replicates {self.replicates.shape} do not fit the estimate {self.estimate.shape}"
            )
        if self.replicates.shape[0] < 2:
            raise TooFewRowsError("a jackknife needs at least 2 groups")

    def interval(self, upper: Ints | int, lower: Ints | int, confidence: float) -> Floats:
        """Two-sided intervals of ``I_upper - I_lower`` for arrays of bitmasks of one shape: (..., 2)."""
        if not 0.0 < confidence < 1.0:
            raise InformationError(f"confidence must be between 0 and 1, however: {confidence}")
        value, deviations = self._contrast(upper, lower)
        reach = self._student(0.5 - confidence / 2.0) * np.sqrt(np.sum(deviations**2, axis=0))
        return np.stack([value - reach, value + reach], axis=-1)

    def standard_error(self, upper: Ints | int, lower: Ints | int) -> Floats:
        """Of ``I_upper - I_lower`` for arrays of bitmasks of one shape: (...)."""
        _, deviations = self._contrast(upper, lower)
        return np.asarray(np.sqrt(np.sum(deviations**2, axis=0)))

    def minimum_interval(self, upper: Ints, lower: Ints, confidence: float) -> Floats:
        """Interval (2,) of the least of the differences ``I_upper - I_lower``, arrays of bitmasks of shape (k,).

        The lower endpoint is the least of theirs. The upper one is the least of upper endpoints that hold together
        for all differences that may be the least one (intersection bounds: Chernozhukov, Lee & Rosen 2013): where
        only one may be, it is that one's own; at a tie the least of separate endpoints would lie too low.
        """
        spans = self.interval(upper, lower, confidence)
        close = spans[:, 0] <= spans[:, 1].min()
        value, deviations = self._contrast(upper[close], lower[close])
        error = np.sqrt(np.sum(deviations**2, axis=0))
        share = _joint_share(deviations, error, 0.5 - confidence / 2.0)
        return np.array([spans[:, 0].min(), np.min(value + self._student(share) * error)])

    def _contrast(self, upper: Ints | int, lower: Ints | int) -> tuple[Floats, Floats]:
        """Differences (...) and the deviations (G, ...) whose sum of squares is their variance."""
        replicates = self.replicates[:, upper] - self.replicates[:, lower]
        groups = replicates.shape[0]
        deviations = np.sqrt((groups - 1) / groups) * (replicates - replicates.mean(axis=0))
        return self.estimate[upper] - self.estimate[lower], deviations

    def _student(self, share: float) -> float:
        """The point of Student's t that a ``share`` of it lies above."""
        return float(stdtrit(self.replicates.shape[0] - 1, 1.0 - share))


@cache
def _multipliers(groups: int) -> Floats:
    # The same draws every time: they integrate a distribution, nothing in the data is drawn.
    return np.random.default_rng(0).standard_normal((DRAWS, groups))


def _joint_share(deviations: Floats, error: Floats, share: float) -> float:
    """The share each of k correlated normal variables may exceed so that any of them does in ``share`` of cases.

    ``share`` itself for one variable, ``share / k`` for k unrelated ones; from the deviations (G, k) of the jackknife.
    """
    varying = error > 0.0
    if np.count_nonzero(varying) < 2:
        return share
    largest = np.max(_multipliers(deviations.shape[0]) @ (deviations[:, varying] / error[varying]), axis=1)
    # Separately each exceeds its point in ``share`` of cases, so together they cannot need less than that.
    return min(share, float(ndtr(-np.quantile(largest, 1.0 - share))))


@dataclass(frozen=True)
class SummaryIntervals:
    """Intervals (lo, hi) of the parts of the summary in bits: ``unique`` (n, 2), the others (2,)."""

    total: Floats
    unique: Floats
    redundant: Floats
    synergistic: Floats


def jackknife_of_errors(errors: Floats, groups: Ints, influences: Floats | None = None) -> Jackknife:
    """Jackknife over ``groups`` (N,) of squared errors (N, 2**n) of cross-fitted predictions.

    Its intervals are about the population value of the fitted readouts, a lower bound on the information. Without
    ``influences`` the predictions are held fixed. With them (``training_influences``, the same shape) a group that is
    left out is missing in the other folds' fits too, to first order: where rows are few for the features, intervals
    that hold the predictions fixed are up to a fifth too short (Bates, Hastie & Tibshirani 2024 on cross-validation).
    Groups come from ``balanced_folds(labels, GROUPS, rng)``.
    """
    errors = finite(errors, "squared errors")
    _, label = np.unique(groups, return_inverse=True)
    growth = None if influences is None else _group_sums(finite(influences, "influences"), label)
    return jackknife_of_sums(_group_sums(errors, label), growth, errors.sum(axis=0))


def jackknife_of_sums(sums: Floats, growth: Floats | None = None, total: Floats | None = None) -> Jackknife:
    """The same from sums over each group of errors and of influences, both (G, 2**n); ``total`` (2**n,) of all."""
    total = sums.sum(axis=0) if total is None else total
    others = total - sums
    if growth is not None:
        others = refitted(others, growth)
    return Jackknife(informations_of_sums(total), informations_of_sums(others))


def _group_sums(values: Floats, label: Ints) -> Floats:
    sums = np.zeros((int(label.max()) + 1, values.shape[1]))
    np.add.at(sums, label, values)
    return sums


def refitted(others: Floats, growth: Floats) -> Floats:
    """Sums of errors (G, 2**n) of the other groups, grown to first order by fitting without the group.

    An outlier can make the first order shrink a sum below zero, which no refit does: beyond MOST_SHRINKAGE the sum
    falls off exponentially, with the same slope.
    """
    share = np.divide(growth, others, out=np.zeros_like(growth), where=others > 0.0)
    beyond = np.minimum(share + MOST_SHRINKAGE, 0.0)
    return others * np.where(
        beyond < 0.0, (1 - MOST_SHRINKAGE) * np.exp(beyond / (1 - MOST_SHRINKAGE)), 1 + share
    )


def information_intervals(jackknife: Jackknife, confidence: float = 0.95) -> Floats:
    """Intervals of every subset's information, shape (2**n, 2), floored at zero."""
    masks = np.arange(jackknife.estimate.size)
    return np.maximum(jackknife.interval(masks, np.zeros_like(masks), confidence), 0.0)


def summary_intervals(jackknife: Jackknife, confidence: float = 0.95) -> SummaryIntervals:
    """Intervals of total, unique, redundant and synergistic information of any number of sources.

    Through the definitions: ``unique_i = max(0, I_i - I_rest)``, ``synergistic = min_i (I - I_i)``, ``redundant`` the
    least of the two informations for two sources, else the largest single one less what is unique of it.
    """
    n = source_count(jackknife.estimate)
    single = 1 << np.arange(n)
    full = np.full(n, (1 << n) - 1)
    unique = jackknife.interval(single, full - single, confidence)
    synergistic = jackknife.minimum_interval(full, single, confidence)
    total = jackknife.interval(int(full[0]), 0, confidence)
    parts = (total, unique, _redundant_interval(jackknife, single, full, confidence), synergistic)
    return SummaryIntervals(*(np.maximum(part, 0.0) for part in parts))


def _redundant_interval(jackknife: Jackknife, single: Ints, full: Ints, confidence: float) -> Floats:
    none = np.zeros_like(single)
    if single.size == 2:
        return jackknife.minimum_interval(single, none, confidence)
    # The largest is the least with the opposite sign.
    largest = -jackknife.minimum_interval(none, single, confidence)[::-1]
    strongest = int(np.argmax(jackknife.estimate[single]))
    rest = jackknife.interval(int((full - single)[strongest]), 0, confidence)
    return np.minimum(largest, rest)


def atom_intervals(jackknife: Jackknife, atoms: Sequence[Atom], confidence: float = 0.95) -> Floats:
    """Intervals of atoms, shape (len(atoms), 2), floored at zero.

    An atom at antichain alpha is ``max(0, min (I_A - I_B))`` over the members A of alpha and the largest
    subsets B that contain no member: the step between the least information of the sets above and the
    greatest of those below; its interval is ``Jackknife.minimum_interval`` of these differences.
    """
    n = source_count(jackknife.estimate)
    spans = [_step_interval(jackknife, atom.members, n, confidence) for atom in atoms]
    return np.array(spans).reshape(-1, 2)


def _step_interval(jackknife: Jackknife, members: tuple[int, ...], n: int, confidence: float) -> Floats:
    below = np.array(maximal_sets(~upper_sets(members, n)))
    upper, lower = np.meshgrid(np.array(members), below, indexing="ij")
    return np.maximum(jackknife.minimum_interval(upper.ravel(), lower.ravel(), confidence), 0.0)


def maximal_sets(down: Bools) -> tuple[int, ...]:
    """The maximal members of a down-closed family, given as booleans of shape (2**n,)."""
    full = down.size - 1
    # Complements turn the order around.
    return tuple(full - mask for mask in minimal_sets(down[::-1]))


def order_resolved(jackknife: Jackknife, first: int, second: int, confidence: float = 0.95) -> bool:
    """Whether the data tell which of two subsets has more information.

    Where they do not, redundancy and synergy of the pair are biased down by some .01 to .03 bits.
    """
    low, high = jackknife.interval(first, second, confidence)
    return bool(low > 0.0 or high < 0.0)


def containing(intervals: Floats, values: ArrayLike) -> Floats:
    """Intervals (..., 2) stretched to contain the published values (...), which coherence may have moved."""
    values = np.asarray(values, dtype=np.float64)
    return np.stack([np.minimum(intervals[..., 0], values), np.maximum(intervals[..., 1], values)], axis=-1)


FEWEST_FLIPPED = 7
"""Groups whose signs are flipped, for a p-value: of ``g`` signs 2 in 2**g draws are the target itself, up to its sign.
With seven groups that is .016; with five .06, and no information whatever would have a p-value below .05.
"""


def null_targets(
    target: ArrayLike, draws: int, rng: np.random.Generator, groups: ArrayLike | None = None
) -> Floats:
    """Targets (N, draws) that the codes say nothing about: signs of ``target - mean`` flipped at random.

    Rows of one group flip together, which keeps their dependence. Fit them beside the target as further
    columns of ``cross_fitted_predictions`` (with those of the fit rows) and hand both results to
    ``p_values``.
    """
    outcome = finite(target, "target")
    labels = (
        np.arange(outcome.size) if groups is None else np.unique(np.asarray(groups), return_inverse=True)[1]
    )
    signs = rng.choice([-1.0, 1.0], size=(int(labels.max()) + 1, draws))[labels]
    centre = outcome.mean()
    return np.asarray(centre + signs * (outcome - centre)[:, None])


def error_sums(target: ArrayLike, fitted: CrossFit) -> Floats:
    """Sums of squared errors (1 + len(masks), t) of the baseline and every subset; they add over models."""
    outcome = columns(target, "target")
    baseline = np.sum((outcome - fitted.baseline) ** 2, axis=0)
    subsets = np.sum((outcome[:, None] - fitted.predictions) ** 2, axis=0)
    return np.vstack([baseline, subsets])


def p_values(sums: Floats) -> Floats:
    """P-value of each subset's information, shape (len(masks),), from the ``error_sums`` of all targets (..,
    1 + draws).

    Column 0 is the true target, the others are null ones fitted in the same way, so the reference
    distribution knows of cross-fitting, penalties and heads. The smallest possible value is 1/(draws + 1).
    """
    informations = informations_of_sums(sums.T)[:, 1:]
    as_large = np.sum(informations[1:] >= informations[:1], axis=0)
    return np.asarray((1.0 + as_large) / informations.shape[0])
