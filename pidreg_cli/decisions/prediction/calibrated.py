"""What predictions need beside the model: a predictor for every set of modalities, and what training rows were like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.transforms import TargetTransform
from pidreg_cli.decisions.prediction.set_predictor import TARGET, SetPredictor
from pidreg_cli.decisions.prediction.set_scores import SetScores, scores_of
from pidreg_cli.information.completion import CodeMoments, Completion
from pidreg_cli.information.conformal import conformal_quantile
from pidreg_cli.information.readouts import balanced_folds
from pidreg_cli.training.calibration_rows import CalibrationRows, served_sets

Floats = NDArray[np.float64]

FOLDS = 10
MOST_ROWS = 5_000
"""Calibration rows kept: coverage then strays by half a point at 90 %, and the file stays within some megabytes."""
FEWEST_ROWS = 10  # with every modality of a set, for a predictor of its own
FAR = 0.99
"""Share of calibration rows whose codes are not far from the training rows."""


@dataclass(frozen=True, eq=False)
class Calibrated:
    """``sets[mask]``: predictors, that of the empty set always among them. ``moments``: of the codes.

    ``far`` (n,): distance that one row in a hundred like the training rows exceeds, infinite where rows were too few
    to tell; ``far_rows`` (n,): how many told. ``heads``, ``trees``: whether predictors read their scores.
    ``protocol``: 'split', or 'folds': residuals are then those of the models of all folds.
    """

    sets: Mapping[int, SetPredictor]
    moments: CodeMoments
    far: Floats
    far_rows: NDArray[np.int64]
    heads: bool
    trees: bool
    protocol: str

    @classmethod
    def fit(
        cls,
        rows: CalibrationRows,
        moments: CodeMoments,
        target: TargetTransform,
        protocol: str,
        rng: np.random.Generator,
        *,
        trees: bool,
        spared: CalibrationRows | None = None,
    ) -> Calibrated:
        """From rows that did not train; ``trees``: whether the deployed model has some. ``spared``: where these are
        rows of other models, rows that did not train the deployed one.
        """
        rows = rows.some(MOST_ROWS, rng)
        folds = balanced_folds(rows.groups, min(FOLDS, len(np.unique(rows.groups))), rng)
        targets = np.column_stack([target.standardise(rows.targets[:, 1]), rows.targets[:, 0]])
        trees = trees and bool(rows.trees)
        sets = {}
        for mask in (0, *served_sets(moments.modalities)):
            inside = np.flatnonzero(_has(rows.present, mask))
            if mask == 0 or (len(inside) >= FEWEST_ROWS and len(np.unique(folds[inside])) > 1):
                scores = scores_of(rows, mask, target, trees=trees).take(inside)
                alone = rows.present[inside].sum(axis=1) == mask.bit_count()
                sets[mask] = SetPredictor.fit(scores, targets[inside], folds[inside], target, alone)
                if spared is not None:
                    sets[mask] = _adapted(sets[mask], scores, spared, mask, target, trees=trees)
        own = [rows.distances[rows.present[:, i], i] for i in range(moments.modalities)]
        far = np.array([conformal_quantile(one, FAR) for one in own])
        return cls(sets, moments, far, np.array([len(one) for one in own]), bool(rows.heads), trees, protocol)

    @property
    def modalities(self) -> int:
        """Number of modalities."""
        return self.moments.modalities

    @cached_property
    def completions(self) -> dict[int, Completion]:
        """How the codes of each set complete those of all."""
        return {mask: Completion.of(self.moments, mask) for mask in self.sets if mask}

    def serving(self, present: int) -> int:
        """The set that predicts a row with the modalities ``present``: these, else the best set within them."""
        if present in self.sets:
            return present
        within = [mask for mask in self.sets if mask & ~present == 0]
        return min(within, key=lambda mask: (self.sets[mask].errors[TARGET], mask))

    def expected_rmse(self, mask: int) -> float:
        """Root mean squared error of a set, of the standardised target."""
        return float(np.sqrt(self.sets[mask].errors[TARGET]))


def _adapted(
    predictor: SetPredictor,
    calibrating: SetScores,
    spared: CalibrationRows,
    mask: int,
    target: TargetTransform,
    *,
    trees: bool,
) -> SetPredictor:
    """The predictor for what the deployed model says, by rows that it did not train on: weights stretched to it, and
    intervals widened where it thinks itself surer than the models of the ``calibrating`` rows, since its parts disagree
    less or codes lie nearer to its training rows, but errs more than its scale says: as much as it errs more, but to no
    more than their width.
    """
    inside = np.flatnonzero(_has(spared.present, mask))
    scores = scores_of(spared, mask, target, trees=trees).take(inside)
    targets = np.column_stack([target.standardise(spared.targets[inside, 1]), spared.targets[inside, 0]])
    deployed = replace(predictor, weights=predictor.weights.stretched(scores, targets, target))
    if not len(inside):
        return deployed
    scale = deployed.scale(scores, target)
    errors = np.abs(targets - deployed.predict(scores, target))[:, TARGET]
    surer = float(predictor.scale(calibrating, target).mean() / scale.mean())
    worse = float((errors / scale).mean() / predictor.nonconformity.mean())
    return deployed.widened(max(1.0, min(surer, worse)))


def _has(present: NDArray[np.bool_], mask: int) -> NDArray[np.bool_]:
    """Which rows have every modality of a set."""
    wanted = [bool(mask >> i & 1) for i in range(present.shape[1])]
    return np.asarray(present[:, wanted].all(axis=1))
