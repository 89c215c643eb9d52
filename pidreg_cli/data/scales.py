"""Monotone maps of one column, fitted on training rows: normal scores of ranks, or mean and deviation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from pidreg_cli.data.counted import Counted

Floats = NDArray[np.float64]

# Offsets of Blom (1958): rank r of n reads as the normal quantile at (r - 3/8) / (n + 1/4).
BLOM_OFFSET = 3 / 8
# Beyond the training range the map goes on for one normal score at the mean slope of the outermost score,
# then stays flat: a new extreme row reads as extreme, never as infinite.
END_SCORE = 1.0
# On training rows a standardised value is at most sqrt(n - 1), so that this bound meets new rows only.
STANDARD_LIMIT = 1e4


@dataclass(frozen=True, eq=False)
class NormalScores:
    """Rank-based inverse normal map: knots of shape (k,), k >= 4, strictly increasing, linear between them.

    The first and the last knot lie beyond the training range; values further out read as these knots.
    """

    values: Floats
    scores: Floats

    def __post_init__(self) -> None:
        if self.values.shape != self.scores.shape or len(self.values) < 4:
            raise ValueError("values and scores must be of one length, 4 or more")
        for knots in (self.values, self.scores):
            if not (np.isfinite(knots).all() and (np.diff(knots) > 0).all()):
                raise ValueError("knots must be finite and strictly increasing")

    @classmethod
    def fit(cls, present: Floats, resolution: int) -> NormalScores:
        """Fit on ``present``, shape (n,), finite, with two distinct values or more.

        Keeps the training values on either side of each of ``resolution`` equally spaced scores: all of them
        in the tails, and both ends of every jump.
        """
        return cls.of_ties(*np.unique(present, return_counts=True), resolution)

    @classmethod
    def of_ties(cls, values: Floats, counts: NDArray[np.intp], resolution: int) -> NormalScores:
        """The same of ``values`` (k,), distinct and in order, and how often each occurs, (k,)."""
        scores = _scores(values, counts)
        kept = _on_either_side(scores, resolution)
        return cls(*_with_ends(values[kept], scores[kept]))

    def forward(self, values: NDArray[np.floating]) -> Floats:
        """Values to normal scores, any shape; NaN stays NaN."""
        return _interpolate(values, self.values, self.scores)

    def inverse(self, scores: NDArray[np.floating]) -> Floats:
        """Normal scores to values, any shape; NaN stays NaN."""
        return _interpolate(scores, self.scores, self.values)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; ``from_dict`` restores them exactly, also through JSON."""
        return {"values": self.values.tolist(), "scores": self.scores.tolist()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> NormalScores:
        """Restore what ``to_dict`` wrote; raises KeyError, TypeError or ValueError on anything else."""
        return cls(np.asarray(stored["values"], np.float64), np.asarray(stored["scores"], np.float64))


@dataclass(frozen=True)
class Standardiser:
    """Mean and standard deviation (> 0) of the training rows."""

    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (np.isfinite(self.mean) and np.isfinite(self.sd) and self.sd > 0):
            raise ValueError("mean must be finite and sd positive")

    @classmethod
    def fit(cls, present: Floats) -> Standardiser:
        """Fit on ``present``, shape (n,), finite, with two distinct values or more."""
        # Scaled first: squares of values below 1e-154 would read as zero.
        centre = float(present.mean())
        reach = float(np.abs(present - centre).max())
        sd = reach * float(np.std((present - centre) / reach))
        return cls(centre, max(sd, float(np.finfo(np.float64).tiny)))

    def forward(self, values: NDArray[np.floating]) -> Floats:
        """Values to standardised values within +-10,000, any shape; NaN stays NaN."""
        with np.errstate(over="ignore"):
            standard = (np.asarray(values, np.float64) - self.mean) / self.sd
        return np.clip(standard, -STANDARD_LIMIT, STANDARD_LIMIT)

    def inverse(self, standard: NDArray[np.floating]) -> Floats:
        """Standardised values back to the original units, any shape."""
        return np.asarray(standard, np.float64) * self.sd + self.mean

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; ``from_dict`` restores them exactly, also through JSON."""
        return {"mean": self.mean, "sd": self.sd}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Standardiser:
        """Restore what ``to_dict`` wrote; raises KeyError, TypeError or ValueError on anything else."""
        return cls(float(stored["mean"]), float(stored["sd"]))


def _scores(values: Floats, counts: NDArray[np.intp]) -> Floats:
    if len(values) < 2:
        raise ValueError("normal scores need two distinct values")
    found = Counted(values, counts)
    return np.asarray(ndtri((found.mean_ranks - BLOM_OFFSET) / (found.rows + 1 - 2 * BLOM_OFFSET)))


def _on_either_side(scores: Floats, resolution: int) -> NDArray[np.intp]:
    grid = np.linspace(scores[0], scores[-1], resolution)
    above = np.clip(np.searchsorted(scores, grid), 1, len(scores) - 1)
    return np.unique(np.concatenate([above - 1, above]))


def _with_ends(values: Floats, scores: Floats) -> tuple[Floats, Floats]:
    low, high = values[0], values[-1]
    inner = np.interp([scores[0] + END_SCORE, scores[-1] - END_SCORE], scores, values)
    low_reach = max(inner[0] - low, np.spacing(abs(low)))
    high_reach = max(high - inner[1], np.spacing(abs(high)))
    return (
        np.concatenate([[low - low_reach], values, [high + high_reach]]),
        np.concatenate([[scores[0] - END_SCORE], scores, [scores[-1] + END_SCORE]]),
    )


def _interpolate(points: NDArray[np.floating], start: Floats, end: Floats) -> Floats:
    given = np.asarray(points)
    flat = given.ravel()
    found = np.empty(flat.shape)
    # Numbers in order find their knots in a third of the time, sorting included; what they read as is the same.
    order = np.argsort(flat)
    with np.errstate(over="ignore", invalid="ignore"):
        between = np.interp if np.isfinite(np.diff(end) / np.diff(start)).all() else _share_of_the_way
        found[order] = between(flat[order], start, end)
    # Rounding may carry a number past the outermost knots.
    np.maximum(found, end[0], out=found)
    np.minimum(found, end[-1], out=found)
    return found.reshape(given.shape)


def _share_of_the_way(points: NDArray[np.floating], start: Floats, end: Floats) -> Floats:
    """As ``np.interp``, where knots lie so near to each other that a slope between them is no finite number."""
    right = np.clip(np.searchsorted(start, points, side="right"), 1, len(start) - 1)
    left = right - 1
    share = np.clip((points - start[left]) / (start[right] - start[left]), 0.0, 1.0)
    return end[left] + share * (end[right] - end[left])
