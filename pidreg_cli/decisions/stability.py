"""How often each modality would be recommended on other rows of the same kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.findings import listed
from pidreg_cli.decisions.selection import Contest, Rule
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.information.errors import ConstantTargetError, DeterministicTargetError
from pidreg_cli.information.lattice import sources_of

Floats = NDArray[np.float64]

DRAWS = 200
"""Resamples: shares are then right within seven hundredths."""
FIRM = 0.9
"""Share of resamples from which a recommendation counts as firm."""


@dataclass(frozen=True)
class Stability:
    """``sets``: how often each set was recommended among ``draws`` resamples, most frequent first; 0 is none."""

    draws: int
    sets: tuple[tuple[int, float], ...]

    def share(self, mask: int) -> float:
        """Of resamples that recommend exactly this set."""
        return dict(self.sets).get(mask, 0.0)

    def member_share(self, modality: int) -> float:
        """Of resamples whose recommendation holds this modality."""
        shares = (share for mask, share in self.sets if mask >> modality & 1)
        # Of whole draws: sums of fractions would end in a row of digits.
        return round(sum(shares) * self.draws) / self.draws if self.draws else 0.0


def stability(
    scored: SetErrors, costs: Floats, rule: Rule, rng: np.random.Generator, draws: int = DRAWS
) -> Stability:
    """Repeat the choice with the groups of rows drawn anew, with replacement (a grouped bootstrap)."""
    groups = len(scored.rows)
    winners = [_winner(scored, rng.integers(groups, size=groups), costs, rule) for _ in range(draws)]
    found = Counter(mask for mask in winners if mask is not None)
    total = sum(found.values())
    ranked = sorted(found.items(), key=lambda one: (-one[1], one[0]))
    return Stability(total, tuple((mask, count / total) for mask, count in ranked))


def _winner(scored: SetErrors, drawn: NDArray[np.int64], costs: Floats, rule: Rule) -> int | None:
    """The set that this resample recommends, None where it cannot be judged."""
    # One group alone, drawn every time, has no spread to judge by.
    if len(np.unique(drawn)) < 2:
        return None
    try:
        return scored.masks[Contest.of(scored.resampled(drawn), costs, rule).winner()[0]]
    # Of very few rows the first order may leave no error at all, or nothing that varies.
    except (DeterministicTargetError, ConstantTargetError):
        return None


def stability_sentence(found: Stability, recommended: int, names: Sequence[str]) -> str:
    """``the same set in 87 % of 200 resamples of the rows; b comes in in 13 % of them``."""
    if not found.draws:
        return "these are too few rows to tell by resamples of them"
    same = found.share(recommended)
    sentence = f"the same set in {100 * same:.0f} % of {found.draws} resamples of the rows"
    if same >= FIRM or len(found.sets) < 2:
        return sentence
    other = next(mask for mask, _ in found.sets if mask != recommended)
    label = listed(tuple(names[i] for i in sources_of(other)), most=len(names)) if other else "none"
    return f"{sentence}, {label} in {100 * found.share(other):.0f} %"
