"""More modalities than all sets can be tried of: a greedy search forward and backward, then swaps.

Forward alone misses modalities that tell nothing alone and much together; dropping one after the other from all of them
keeps such pairs, for without one of them the error rises at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.selection import NO_LOSS, Contest, Rule
from pidreg_cli.decisions.set_errors import SetErrors, joined

Floats = NDArray[np.float64]
Evaluate = Callable[[Sequence[int]], SetErrors]

EXACT = 12
"""Most modalities of which every set is tried: 4,095 of them."""
PATIENCE = 3
"""Steps forward that may fail to lower the error before that direction is given up."""


class TriedSets:
    """Sets that were evaluated so far; others are when they are asked for. The empty set and all come first."""

    def __init__(self, modalities: int, evaluate: Evaluate) -> None:
        self.modalities = modalities
        self._evaluate = evaluate
        self._parts: list[SetErrors] = []
        self._rmse: dict[int, float] = {}
        self.ask([0, self.full])

    @property
    def full(self) -> int:
        """All modalities."""
        return (1 << self.modalities) - 1

    @property
    def scored(self) -> SetErrors:
        """Everything tried."""
        return joined(self._parts)

    def ask(self, masks: Iterable[int]) -> int:
        """Evaluate the sets that were not yet; how many these were."""
        new = [mask for mask in dict.fromkeys(masks) if mask not in self._rmse]
        if new:
            part = self._evaluate(new)
            self._parts.append(part)
            self._rmse |= dict(zip(part.masks, part.rmse.tolist(), strict=True))
        return len(new)

    def best(self, masks: Sequence[int]) -> int:
        """The set that errs least."""
        self.ask(masks)
        return min(masks, key=lambda mask: (self._rmse[mask], mask))

    def rmse(self, mask: int) -> float:
        """Of a set that was tried."""
        return self._rmse[mask]


def search(tried: TriedSets, costs: Floats, rule: Rule) -> None:
    """Try the sets that a greedy search comes by; the choice is among these. ``costs`` (n,) of the modalities."""
    _forward(tried)
    _backward(tried)
    _swaps(tried, costs, rule)


def _forward(tried: TriedSets) -> None:
    current, lowest, failed = 0, tried.rmse(0), 0
    while current != tried.full and failed < PATIENCE:
        current = tried.best(larger(current, tried.modalities))
        improved = tried.rmse(current) < (1 - NO_LOSS) * lowest
        failed = 0 if improved else failed + 1
        lowest = min(lowest, tried.rmse(current))


def _backward(tried: TriedSets) -> None:
    current = tried.full
    while current:
        current = tried.best(smaller(current))


def _swaps(tried: TriedSets, costs: Floats, rule: Rule) -> None:
    """Try the neighbours of what would be recommended, until no new one turns up."""
    while True:
        contest = Contest.of(tried.scored, costs, rule)
        chosen = contest.scored.masks[contest.winner()[0]]
        if not tried.ask(neighbours(chosen, tried.modalities)):
            return


def larger(mask: int, modalities: int) -> list[int]:
    """Sets with one more."""
    return [mask | 1 << i for i in range(modalities) if not mask >> i & 1]


def smaller(mask: int) -> list[int]:
    """Sets with one less."""
    return [mask ^ 1 << i for i in range(mask.bit_length()) if mask >> i & 1]


def neighbours(mask: int, modalities: int) -> list[int]:
    """Sets with one less, one more, or one exchanged for another."""
    exchanged = [other for less in smaller(mask) for other in larger(less, modalities) if other != mask]
    return [*smaller(mask), *larger(mask, modalities), *exchanged]
