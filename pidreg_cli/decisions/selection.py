"""Which modalities to keep: the smallest or cheapest set that predicts as well as all of them.

A set is good enough when its expected RMSE is within the tolerance of that of the reference and the loss is
not significant (paired group jackknife on the same rows). The reference is the set of all modalities, or
the best set where that predicts better than all of them beyond doubt. The empty set, which predicts the
mean, competes too: where it is good enough, nothing is worth keeping.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.candidates import Candidate, candidates, subset_costs
from pidreg_cli.information.intervals import (
    Jackknife,
    containing,
    information_intervals,
    jackknife_of_errors,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SIGNIFICANCE = 0.05
"""One-sided level at which a set counts as worse than the reference."""


@dataclass(frozen=True)
class Contrast:
    """The reference against a smaller set: what the reference adds.

    ``bits`` and ``interval``: information; ``loss``: RMSE of the smaller set over that of the reference,
    less one; ``significant``: the smaller set is worse beyond doubt.
    """

    smaller: int
    reference: int
    bits: float
    interval: tuple[float, float] | None
    loss: float
    significant: bool


@dataclass(frozen=True)
class Choice:
    """The recommended set (bitmask, 0 for none), all candidates, and the numbers behind the choice.

    ``against``: the recommended set and the reference; where nothing can be dropped, the least harmful
    smaller set and the reference; where nothing is worth keeping, the empty set and all modalities.
    """

    recommended: int
    reference: int
    tolerance: float
    mean_rmse: float
    candidates: tuple[Candidate, ...]
    against: Contrast

    @property
    def full(self) -> int:
        """The set of all modalities."""
        return len(self.candidates)


@dataclass(frozen=True)
class Comparison:
    """All sets on the same rows: RMSE (2**n,), and which are worse than a reference beyond doubt."""

    rmse: Floats
    jackknife: Jackknife

    @classmethod
    def of(cls, errors: Floats, groups: Ints, influences: Floats | None = None) -> Comparison:
        """From squared errors (rows, 2**n), the jackknife group of each row, at least two, and influences."""
        return cls(np.sqrt(errors.mean(axis=0)), jackknife_of_errors(errors, groups, influences))

    def worse(self, masks: Ints, reference: int, level: float) -> NDArray[np.bool_]:
        """Which of ``masks`` have a larger error than ``reference`` at this one-sided level."""
        span = self.jackknife.interval(np.full(len(masks), reference), masks, 1 - 2 * level)
        return np.asarray(span[:, 0] > 0)

    def reference(self, tolerance: float) -> int:
        """All modalities, or the best set where it is better by more than the tolerance and beyond doubt."""
        full = len(self.rmse) - 1
        best = int(self.rmse.argmin())
        # The best of so many sets looks better than it is: each must clear its share of the level.
        clear = self.worse(np.array([full]), best, SIGNIFICANCE / full)[0]
        return best if clear and self.rmse[full] > (1 + tolerance) * self.rmse[best] else full


def choose(
    information: Floats,
    jackknife: Jackknife | None,
    errors: Floats,
    groups: Ints,
    costs: Floats,
    tolerance: float,
    confidence: float = 0.95,
    influences: Floats | None = None,
) -> Choice:
    """The recommendation for all 2**n - 1 sets.

    ``information`` (2**n,) coherent, in bits, with the ``jackknife`` of its estimate; ``errors`` (rows,
    2**n) squared errors on the rows that select, column 0 of the mean alone; ``groups`` (rows,) their
    jackknife groups; ``costs`` (n,) of the modalities; ``tolerance``: share of RMSE that may be lost;
    ``influences`` (rows, 2**n) of the rows on these errors (``training_influences``), None to hold the fits fixed.
    """
    compared = Comparison.of(errors, groups, influences)
    total_costs = subset_costs(costs)
    reference = compared.reference(tolerance)
    masks = np.arange(len(information))
    good = ~compared.worse(masks, reference, SIGNIFICANCE) & (
        compared.rmse <= (1 + tolerance) * compared.rmse[reference]
    )
    good[reference] = True
    recommended = int(min(masks[good], key=lambda m: (total_costs[m], int(m).bit_count(), compared.rmse[m])))
    smaller, larger = compared_sets(recommended, reference, compared.rmse)
    spans = (
        None if jackknife is None else containing(information_intervals(jackknife, confidence), information)
    )
    return Choice(
        recommended=recommended,
        reference=reference,
        tolerance=tolerance,
        mean_rmse=float(compared.rmse[0]),
        candidates=candidates(information, spans, compared.rmse, total_costs),
        against=contrast(compared, information, jackknife, smaller, larger, confidence),
    )


def compared_sets(recommended: int, reference: int, rmse: Floats) -> tuple[int, int]:
    """The smaller and the larger set whose difference explains the choice."""
    if recommended == 0:
        return 0, len(rmse) - 1
    return (least_harmful(rmse, reference) if recommended == reference else recommended), reference


def least_harmful(rmse: Floats, reference: int) -> int:
    """The set with one modality less than ``reference`` that errs least."""
    without = [reference - (1 << i) for i in range(reference.bit_length()) if reference >> i & 1]
    return min(without, key=lambda mask: float(rmse[mask]))


def contrast(
    compared: Comparison,
    information: Floats,
    jackknife: Jackknife | None,
    smaller: int,
    reference: int,
    confidence: float,
) -> Contrast:
    """What ``reference`` adds to ``smaller``."""
    bits = float(information[reference] - information[smaller])
    interval = None
    if jackknife is not None:
        low, high = containing(jackknife.interval(reference, smaller, confidence), bits)
        interval = float(low), float(high)
    return Contrast(
        smaller=smaller,
        reference=reference,
        bits=bits,
        interval=interval,
        loss=float(compared.rmse[smaller] / compared.rmse[reference] - 1),
        significant=bool(compared.worse(np.array([smaller]), reference, SIGNIFICANCE)[0]),
    )
