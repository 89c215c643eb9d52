"""Ratios of times that hold on a busy machine: of pairs measured one after the other, in many rounds.

What else the machine does makes both of a pair slower, and some pairs uneven, either way: so the median of their ratios
says what one costs beside the other, and the quartiles how sure that is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

GOAL = 1.5
"""A full step over a bare one, at most."""


@dataclass(frozen=True)
class Spread:
    """Quartiles of ratios, ``median`` the second."""

    low: float
    median: float
    high: float

    def __str__(self) -> str:
        low, median, high = (f"{value:.2f}" for value in (self.low, self.median, self.high))
        return median if low == high else f"{median} ({low} to {high})"


def ratios(times: Sequence[float], others: Sequence[float]) -> Spread:
    """Of each time to the other of the same round."""
    return Spread(*np.quantile(np.divide(times, others), (0.25, 0.5, 0.75)).tolist())


def in_turns(names: Sequence[str], round_number: int) -> Sequence[str]:
    """Order of a round: forth, then back, so that none is always the one that is measured later."""
    return names if round_number % 2 == 0 else names[::-1]
