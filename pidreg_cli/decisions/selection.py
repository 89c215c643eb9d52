"""Which modalities to keep: the cheapest set that predicts well enough, by a stated rule and within a budget.

``tolerance``: a set is good enough when its expected RMSE is within the tolerance of that of the reference and the
loss is not significant (paired group jackknife on the same rows). The reference is the set of all modalities, or the
best set where that predicts better than all of them beyond doubt. ``one-se``: the reference is the best set, and a set
is good enough within one standard error of the paired difference (Breiman et al. 1984, section 3.4.3, there unpaired).
A budget leaves out what costs more; where all modalities do, the reference is the best set that does not. The empty
set, which predicts the mean, competes too: where it is good enough, nothing is worth keeping.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.candidates import (
    Candidate,
    affordable_sets,
    candidates,
    modality_costs,
    set_costs,
)
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.errors import UsageError
from pidreg_cli.information.intervals import Jackknife, containing

if TYPE_CHECKING:
    from pidreg_cli.config.settings import SelectionSettings

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
RuleName = Literal["tolerance", "one-se"]

SIGNIFICANCE = 0.05
"""One-sided level at which a set counts as worse than the reference."""
NO_LOSS = 1e-3
"""Share of RMSE that is no loss, however sure: copies of a modality differ by less, and so reliably, for the ridge
penalty divides among them."""


@dataclass(frozen=True)
class Rule:
    """``tolerance``: share of RMSE that may be lost, for the rule of that name; ``budget``: most a set may cost."""

    name: RuleName = "tolerance"
    tolerance: float = 0.01
    budget: float | None = None

    @classmethod
    def of(cls, settings: SelectionSettings) -> Rule:
        """The rule that the settings ask for."""
        return cls(settings.rule, settings.tolerance, settings.budget)


@dataclass(frozen=True)
class Told:
    """Information of the same sets at the same places, in bits: coherent ``values`` (m,), and their jackknife."""

    values: Floats
    jackknife: Jackknife | None

    def intervals(self, confidence: float) -> Floats | None:
        """Intervals (m, 2), at least zero and containing the values."""
        if self.jackknife is None:
            return None
        places = np.arange(len(self.values))
        spans = self.jackknife.interval(places, np.zeros_like(places), confidence)
        return containing(np.maximum(spans, 0.0), self.values)


@dataclass(frozen=True)
class Contrast:
    """The reference against a smaller set: what the reference adds.

    ``bits`` and ``interval``: information; ``loss``: RMSE of the smaller set over that of the reference,
    less one, and ``standard_error`` of that; ``significant``: the smaller set is worse beyond doubt; ``cost``: by how
    much the reference costs more.
    """

    smaller: int
    reference: int
    bits: float
    interval: tuple[float, float] | None
    loss: float
    standard_error: float
    significant: bool
    cost: float


@dataclass(frozen=True)
class Choice:
    """The recommended set (bitmask, 0 for none), all candidates, and the numbers behind the choice.

    ``full``: all modalities; ``affordable``: whether the budget allows them. ``priced``: whether costs differ from one
    a modality. ``against``: the recommended set and the reference; where nothing can be dropped, the least harmful
    smaller set and the reference; where nothing is worth keeping, the empty set and all modalities; where the budget
    does not allow these, the recommended set and all modalities.
    """

    recommended: int
    reference: int
    full: int
    rule: Rule
    affordable: bool
    priced: bool
    mean_rmse: float
    candidates: tuple[Candidate, ...]
    against: Contrast


@dataclass(frozen=True)
class Contest:
    """Sets that compete under a rule: their errors and costs (m,), and which the budget allows."""

    scored: SetErrors
    costs: Floats
    allowed: Bools
    rule: Rule

    @classmethod
    def of(cls, scored: SetErrors, costs: Floats, rule: Rule) -> Contest:
        """``costs`` (n,) of the modalities. Raises UsageError where no set of modalities is within the budget."""
        total = set_costs(scored.masks, costs)
        return cls(scored, total, affordable_sets(total, costs, rule.budget), rule)

    @property
    def full(self) -> int:
        """Place of all modalities: the largest bitmask, and so the last."""
        return len(self.scored.masks) - 1

    def worse(self, places: Ints, reference: int, level: float) -> Bools:
        """Which sets have a larger error than ``reference`` at this one-sided level."""
        span = self.scored.jackknife.interval(np.full(len(places), reference), places, 1 - 2 * level)
        return np.asarray(span[:, 0] > 0)

    def reference(self) -> int:
        """Place of the set that others are compared with."""
        best = int(np.where(self.allowed, self.scored.rmse, np.inf).argmin())
        if self.rule.name == "one-se" or not self.allowed[self.full]:
            return best
        rmse = self.scored.rmse
        # The best of so many sets looks better than it is: each must clear its share of the level.
        clear = self.worse(np.array([self.full]), best, SIGNIFICANCE / self.full)[0]
        return best if clear and rmse[self.full] > (1 + self.rule.tolerance) * rmse[best] else self.full

    def good(self, reference: int) -> Bools:
        """Which sets predict well enough, (m,)."""
        places = np.arange(len(self.scored.masks))
        loss = self.scored.rmse / self.scored.rmse[reference] - 1
        small = loss <= NO_LOSS
        if self.rule.name == "one-se":
            error = self.scored.jackknife.standard_error(np.full(len(places), reference), places)
            enough = small | (
                self.scored.jackknife.estimate[reference] - self.scored.jackknife.estimate <= error
            )
        else:
            enough = (loss <= self.rule.tolerance) & (small | ~self.worse(places, reference, SIGNIFICANCE))
        enough[reference] = True
        return np.asarray(enough & self.allowed)

    def winner(self) -> tuple[int, int]:
        """Places of the recommended set (the cheapest, smallest, best of the good ones) and of the reference."""
        reference = self.reference()
        masks = self.scored.masks
        good = np.flatnonzero(self.good(reference)).tolist()
        recommended = min(
            good, key=lambda place: (self.costs[place], masks[place].bit_count(), self.scored.rmse[place])
        )
        return int(recommended), reference


def check_rule(names: Sequence[str], rule: Rule, costs: Mapping[str, float]) -> None:
    """Raise UsageError for what no data could meet: a tolerance, costs of unknown modalities, a budget too small."""
    if not (np.isfinite(rule.tolerance) and rule.tolerance >= 0):
        raise UsageError(
            "selection.tolerance",
            f"the tolerance must be a share of RMSE of at least 0, however: {rule.tolerance}",
            "give 0.01 for one per cent",
        )
    each = modality_costs(names, costs)
    affordable_sets(each, each, rule.budget)


def choose(
    scored: SetErrors, told: Told, costs: Floats, rule: Rule | None = None, confidence: float = 0.95
) -> Choice:
    """The recommendation among the sets of ``scored``, of which the last must be all modalities.

    ``told``: their information; ``costs`` (n,) of the modalities. Raises UsageError where no set is within the budget.
    """
    contest = Contest.of(scored, costs, rule or Rule())
    recommended, reference = contest.winner()
    smaller, larger = compared_places(contest, recommended, reference)
    return Choice(
        recommended=scored.masks[recommended],
        reference=scored.masks[reference],
        full=scored.masks[-1],
        rule=contest.rule,
        affordable=bool(contest.allowed[contest.full]),
        priced=bool((costs != 1).any()),
        mean_rmse=float(scored.rmse[0]),
        candidates=candidates(
            scored, told.values, told.intervals(confidence), contest.costs, scored.rmse_intervals(confidence)
        ),
        against=contrast(contest, told, smaller, larger, confidence),
    )


def compared_places(contest: Contest, recommended: int, reference: int) -> tuple[int, int]:
    """Places of the smaller and of the larger set whose difference explains the choice."""
    if recommended == 0 or not contest.allowed[contest.full]:
        return recommended, contest.full
    return (least_harmful(contest.scored, reference) if recommended == reference else recommended), reference


def least_harmful(scored: SetErrors, reference: int) -> int:
    """Place of the set with one modality less than ``reference`` that errs least; the empty set if none was tried."""
    mask = scored.masks[reference]
    without = [mask - (1 << i) for i in range(mask.bit_length()) if mask >> i & 1]
    tried = [scored.places[one] for one in without if one in scored.places]
    return min(tried, key=lambda place: float(scored.rmse[place]), default=0)


def contrast(contest: Contest, told: Told, smaller: int, reference: int, confidence: float) -> Contrast:
    """What the set at place ``reference`` adds to that at ``smaller``."""
    scored = contest.scored
    bits = float(told.values[reference] - told.values[smaller])
    interval = None
    if told.jackknife is not None:
        low, high = containing(told.jackknife.interval(reference, smaller, confidence), bits)
        interval = float(low), float(high)
    error = float(scored.jackknife.standard_error(reference, smaller))
    return Contrast(
        smaller=scored.masks[smaller],
        reference=scored.masks[reference],
        bits=bits,
        interval=interval,
        loss=float(scored.rmse[smaller] / scored.rmse[reference] - 1),
        # The jackknife is of the binary logarithm.
        standard_error=2.0**error - 1.0,
        significant=bool(contest.worse(np.array([smaller]), reference, SIGNIFICANCE)[0]),
        cost=float(contest.costs[reference] - contest.costs[smaller]),
    )
