"""Split conformal intervals whose width follows the row: normalised residuals and their finite-sample quantiles.

With scores ``s_i = |y_i - m(x_i)| / sigma(x_i)`` of n calibration rows that fitted neither m nor sigma, the interval
``m(x) +- q sigma(x)``, q the ``ceil((n + 1) level)``-th smallest score, covers a new exchangeable row with probability
``level`` or more, and at most ``1/(n + 1)`` more where scores are distinct (Papadopoulos et al. 2002; Lei et al. 2018).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from pidreg_cli.information.arrays import Floats
from pidreg_cli.information.errors import InformationError

# Beyond rounding of (n + 1) * level, which must not cost a rank: (19 + 1) * .95 is 19.000000000000004 or less.
RANK_TOLERANCE = 1e-9
# Residuals beyond so many times their root mean square count as this large: one row must not bend the scale.
LARGEST_RESIDUAL = 5.0
# A row's scale stays within these factors of the typical one: a wild new row must not get an absurd interval.
SCALE_RANGE = (0.1, 10.0)
# With fewer calibration rows the scale is one for all: a fit of a handful of rows adds noise only.
FEWEST_ADAPTIVE_ROWS = 100
RIDGE_PENALTY = 10.0  # of standardised features, in rows
STEPS = 25  # of Newton's method, which takes four to eight
CONVERGED = 1e-8


def conformal_rank(rows: int, level: float) -> int:
    """Rank of the smallest score that covers: ``ceil((n + 1) level)``; above ``rows`` no score does."""
    return ceil((rows + 1) * level - RANK_TOLERANCE)


def conformal_quantile(scores: Floats, level: float) -> float:
    """The score of that rank among calibration scores (n,), in any order; infinite where n is too small for it.

    Raises InformationError for a level outside (0, 1).
    """
    if not 0.0 < level < 1.0:
        raise InformationError(f"the level of an interval must be in (0, 1), however: {level:g}")
    rank = conformal_rank(len(scores), level)
    return float(np.partition(scores, rank - 1)[rank - 1]) if rank <= len(scores) else float("inf")


@dataclass(frozen=True, eq=False)
class ScaleModel:
    """The size of a residual, by the row's features: ``log sigma`` linear in standardised features.

    ``mean``, ``sd``, ``slopes`` (p,); ``level``: log of the typical scale. Without slopes one scale fits all.
    """

    mean: Floats
    sd: Floats
    slopes: Floats
    level: float

    @classmethod
    def fit(cls, features: Floats, residuals: Floats) -> ScaleModel:
        """From features (n, p) and residuals (n,): the mean of ``|r|``, log-linear, by Poisson quasi-likelihood.

        That needs no more of the residuals than a mean (Gourieroux, Monfort & Trognon 1984), and heeds the large ones,
        which decide a width; a regression of ``log |r|`` heeds the small.
        """
        typical = float(np.sqrt(np.mean(np.square(residuals))))
        if len(residuals) < FEWEST_ADAPTIVE_ROWS or typical == 0.0:
            zero = np.zeros(features.shape[1])
            return cls(zero, np.ones_like(zero), zero, float(np.log(typical or 1.0)))
        mean, sd = features.mean(axis=0), features.std(axis=0)
        sd = np.where(sd > 0.0, sd, 1.0)
        size = np.minimum(np.abs(residuals), LARGEST_RESIDUAL * typical)
        level, *slopes = _log_linear((features - mean) / sd, size)
        return cls(mean, sd, np.array(slopes), float(level))

    def scale(self, features: Floats) -> Floats:
        """sigma of each row (n,), positive."""
        low, high = np.log(SCALE_RANGE)
        exponent = ((features - self.mean) / self.sd) @ self.slopes
        return np.asarray(np.exp(self.level + np.clip(exponent, low, high)))

    def to_arrays(self) -> dict[str, Floats]:
        """Plain arrays; ``from_arrays`` restores the model exactly."""
        return {
            "mean": self.mean,
            "sd": self.sd,
            "slopes": self.slopes,
            "level": np.array([self.level]),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> ScaleModel:
        """Inverse of ``to_arrays``. Raises KeyError or ValueError on anything else."""
        mean, sd, slopes = (np.asarray(arrays[name], np.float64) for name in ("mean", "sd", "slopes"))
        if not mean.shape == sd.shape == slopes.shape or mean.ndim != 1 or (sd <= 0.0).any():
            raise ValueError("a scale model has arrays that do not fit together")
        return cls(mean, sd, slopes, float(np.asarray(arrays["level"]).reshape(())[()]))


def _log_linear(standard: Floats, size: Floats) -> Floats:
    """Level and slopes (1 + p,) of the log of the mean of ``size`` (n,), not negative, by penalised Newton steps."""
    design = np.column_stack([np.ones(len(standard)), standard])
    penalty = RIDGE_PENALTY * np.eye(design.shape[1])
    penalty[0, 0] = 0.0
    found = np.zeros(design.shape[1])
    relative = size / size.mean()
    for _ in range(STEPS):
        expected = np.exp(found[0] + np.clip(design[:, 1:] @ found[1:], *np.log(SCALE_RANGE)))
        gradient = design.T @ (expected - relative) + penalty @ found
        step = np.linalg.solve((design * expected[:, None]).T @ design + penalty, gradient)
        found = found - step
        if np.abs(step).max() < CONVERGED:
            break
    found[0] += np.log(size.mean())
    return found


def hinges(values: Floats, knots: Floats) -> Floats:
    """A piecewise linear basis: ``v`` and ``max(0, v - k)`` of each knot, (n,) and (k,) to (n, 1 + k)."""
    return np.column_stack([values, np.maximum(values[:, None] - knots, 0.0)])
