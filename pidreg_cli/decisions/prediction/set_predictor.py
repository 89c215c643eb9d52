"""The prediction from one set of modalities: a ridge regression on a few scores, with a calibrated interval.

Weights and scale are fitted on calibration rows. What they err by is measured on folds of these rows, by fits without
the fold: residuals of rows that fitted nothing calibrate the interval, and their mean squares are what the prediction
is expected to err by. The set of all modalities predicts by the model itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.transforms import TargetTransform
from pidreg_cli.decisions.prediction.set_scores import SetScores
from pidreg_cli.information.conformal import ScaleModel, conformal_quantile
from pidreg_cli.information.errors import InformationError
from pidreg_cli.information.ridge import RidgeProblem, solve

Floats = NDArray[np.float64]

TARGET, SCORE = 0, 1
"""Columns of what is predicted: the standardised target, and Y'."""
KNOTS = (0.1, 0.3, 0.5, 0.7, 0.9)  # quantiles of the prediction, between which the scale is a straight line
PRIOR_ROWS = 10  # of the slope between models: a handful of rows must not turn predictions round
FEWEST_OWN_ROWS = 100
"""Calibration rows that lack exactly what a set lacks, for an interval of their own: coverage then strays by three
points at 90 %, less than it is off where the gap tells of the target."""
FEWEST_ROWS_PER_FEATURE = 4
"""Calibration rows per weight: with fewer the regression is worse than the simplest mean of the scores."""


@dataclass(frozen=True, eq=False)
class Weights:
    """Linear maps of a design (N, p) to the standardised target and Y': ``slopes`` (p, 2), ``level`` (2,)."""

    slopes: Floats
    level: Floats

    @classmethod
    def fit(cls, design: Floats, targets: Floats) -> Weights:
        """Ridge regression, its penalty by generalised cross-validation; the mean where rows are too few."""
        rows, width = design.shape
        mean, level = design.mean(axis=0), targets.mean(axis=0)
        sd = design.std(axis=0)
        varies = sd > 0.0
        slopes = np.zeros((width, targets.shape[1]))
        if varies.any() and rows >= FEWEST_ROWS_PER_FEATURE * (1 + varies.sum()):
            standard = (design[:, varies] - mean[varies]) / sd[varies]
            centred = targets - level
            squares = np.square(centred).sum(axis=0)
            problem = RidgeProblem(standard.T @ standard, standard.T @ centred, squares, rows)
            slopes[varies] = solve(problem, free=0).coefficients / sd[varies, None]
        return cls(slopes, level - mean @ slopes)

    def stretched(self, scores: SetScores, targets: Floats, target: TargetTransform) -> Weights:
        """The same about their mean, times the slope of ``targets`` (N, 2) on the predictions of another model.

        A model of more rows is less timid than those the weights were fitted to: its scores, taken times weights above
        one that theirs needed, would overshoot. ``PRIOR_ROWS`` say that the slope is one.
        """
        found = scores.design(target) @ self.slopes + self.level
        if len(found) == 0:
            return self
        mean = found.mean(axis=0)
        centred = found - mean
        spread = np.square(centred).sum(axis=0)
        prior = PRIOR_ROWS * spread / len(found)
        both = (centred * (targets - targets.mean(axis=0))).sum(axis=0)
        slope = np.divide(both + prior, spread + prior, out=np.ones(2), where=spread > 0)
        return Weights(self.slopes * slope, mean + slope * (self.level - mean))

    def predict(self, scores: SetScores, target: TargetTransform) -> Floats:
        """Predictions (N, 2)."""
        found = scores.design(target) @ self.slopes + self.level
        if scores.prediction is not None:
            found[:, TARGET] = scores.prediction
        return np.asarray(found)


@dataclass(frozen=True, eq=False)
class Sizes:
    """How large errors are: a scale by the row's features, some of which need ``knots``."""

    knots: Floats
    model: ScaleModel

    @classmethod
    def fit(cls, scores: SetScores, predicted: Floats, residuals: Floats, target: TargetTransform) -> Sizes:
        """From the predictions (N,) and residuals (N,) of the standardised target."""
        knots = np.quantile(predicted, KNOTS)
        return cls(knots, ScaleModel.fit(scores.unlikeness(predicted, knots, target), residuals))

    def scale(self, scores: SetScores, predicted: Floats, target: TargetTransform) -> Floats:
        """sigma (N,) of each row."""
        return self.model.scale(scores.unlikeness(predicted, self.knots, target))


@dataclass(frozen=True, eq=False)
class SetPredictor:
    """``weights`` and ``sizes`` of a set; ``nonconformity`` (n,), sorted: residuals over scales of calibration rows;
    ``errors`` (2,): mean squared errors of the standardised target and of Y' on them. ``own`` (m,), sorted: those of
    the calibration rows that have nothing beside the set, None where they are too few, or all of them.
    """

    weights: Weights
    sizes: Sizes
    nonconformity: Floats
    errors: Floats
    own: Floats | None = None

    @classmethod
    def fit(
        cls,
        scores: SetScores,
        targets: Floats,
        folds: NDArray[np.int64],
        target: TargetTransform,
        alone: NDArray[np.bool_] | None = None,
    ) -> SetPredictor:
        """From calibration rows: ``targets`` (N, 2), ``folds`` (N,) that keep groups together; ``alone`` (N,): which
        have nothing beside the set, None for all.
        """
        predicted = np.empty_like(targets)
        for fold in np.unique(folds):
            out = folds == fold
            kept = Weights.fit(scores.take(~out).design(target), targets[~out])
            predicted[out] = kept.predict(scores.take(out), target)
        residuals = targets - predicted
        found = _normalised(scores, predicted[:, TARGET], residuals[:, TARGET], folds, target)
        weights = Weights.fit(scores.design(target), targets)
        # Of the weights that are deployed, so that knots and features are those that new rows meet.
        sizes = Sizes.fit(scores, weights.predict(scores, target)[:, TARGET], residuals[:, TARGET], target)
        apart = alone is not None and FEWEST_OWN_ROWS <= alone.sum() < len(found)
        own = np.sort(found[alone]) if apart else None
        return cls(weights, sizes, np.sort(found), np.square(residuals).mean(axis=0), own)

    @property
    def rows(self) -> int:
        """Calibration rows."""
        return len(self.nonconformity)

    @property
    def fewest_rows(self) -> int:
        """Rows that calibrate the interval of some row."""
        return self.rows if self.own is None else len(self.own)

    def predict(self, scores: SetScores, target: TargetTransform) -> Floats:
        """Predictions (N, 2) of the standardised target and of Y'."""
        return self.weights.predict(scores, target)

    def scale(self, scores: SetScores, target: TargetTransform) -> Floats:
        """sigma (N,) of rows."""
        return self.sizes.scale(scores, self.predict(scores, target)[:, TARGET], target)

    def widened(self, factor: float) -> SetPredictor:
        """With intervals wider by ``factor``."""
        own = None if self.own is None else factor * self.own
        return replace(self, nonconformity=factor * self.nonconformity, own=own)

    def half_widths(
        self,
        scores: SetScores,
        predicted: Floats,
        level: float,
        target: TargetTransform,
        alone: NDArray[np.bool_] | None = None,
    ) -> Floats:
        """Half the width (N,) of the interval of each row, in units of the standardised target; may be infinite.

        ``alone`` (N,): rows that have nothing beside the set by themselves, as some calibration rows do; None for none.
        """
        quantile = np.full(scores.rows, conformal_quantile(self.nonconformity, level))
        if alone is not None and self.own is not None:
            quantile[alone] = conformal_quantile(self.own, level)
        return quantile * self.sizes.scale(scores, predicted, target)

    def to_arrays(self) -> dict[str, Floats]:
        """Plain arrays; ``from_arrays`` restores the predictor exactly."""
        return {
            "slopes": self.weights.slopes,
            "level": self.weights.level,
            "knots": self.sizes.knots,
            **{f"scale.{name}": array for name, array in self.sizes.model.to_arrays().items()},
            "nonconformity": self.nonconformity,
            "errors": self.errors,
            **({} if self.own is None else {"own": self.own}),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> SetPredictor:
        """Inverse of ``to_arrays``. Raises KeyError or ValueError on anything else."""
        scale = {n.removeprefix("scale."): a for n, a in arrays.items() if n.startswith("scale.")}
        names = ("slopes", "level", "knots", "nonconformity", "errors")
        slopes, level, knots, found, errors = (np.asarray(arrays[name], np.float64) for name in names)
        if slopes.ndim != 2 or slopes.shape[1] != 2 or level.shape != (2,) or errors.shape != (2,):
            raise ValueError("weights of a set have another shape")
        own = np.asarray(arrays["own"], np.float64) if "own" in arrays else None
        if not all(map(_sorted_scores, (found, found if own is None else own))):
            raise ValueError("calibration scores of a set are not in order")
        if knots.shape != (len(KNOTS),) or (errors < 0).any():
            raise ValueError("knots or errors of a set are none")
        return cls(Weights(slopes, level), Sizes(knots, ScaleModel.from_arrays(scale)), found, errors, own)


def _sorted_scores(found: Floats) -> bool:
    return bool(found.ndim == 1 and len(found) and (np.diff(found) >= 0).all() and found[0] >= 0)


def _normalised(
    scores: SetScores, predicted: Floats, residuals: Floats, folds: NDArray[np.int64], target: TargetTransform
) -> Floats:
    """``|residual| / sigma`` (N,), sigma of each row by the other folds."""
    found = np.empty(len(residuals))
    for fold in np.unique(folds):
        out = folds == fold
        kept = scores.take(~out)
        sizes = Sizes.fit(kept, predicted[~out], residuals[~out], target)
        found[out] = np.abs(residuals[out]) / sizes.scale(scores.take(out), predicted[out], target)
    if not np.isfinite(found).all():
        raise InformationError("residuals of the calibration rows are not finite")
    return found
