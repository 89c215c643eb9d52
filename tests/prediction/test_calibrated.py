"""Intervals of a deployed model that are calibrated on rows of other models."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pidreg_cli.data.transforms import TargetTransform
from pidreg_cli.decisions.prediction.calibrated import Calibrated
from pidreg_cli.decisions.prediction.set_scores import scores_of
from pidreg_cli.information.completion import CodeMoments
from pidreg_cli.training.calibration_rows import CalibrationRows

TARGET = TargetTransform.fit(np.random.default_rng(0).normal(size=2000))


def rows_of(count: int, seed: int) -> CalibrationRows:
    """Errors grow with the distance from the training rows."""
    rng = np.random.default_rng(seed)
    distances = np.exp(rng.normal(size=(count, 2)))
    known = rng.normal(size=count)
    y = known + 0.5 * distances.max(axis=1) * rng.normal(size=count)
    said = dict.fromkeys((1, 2, 3), known)
    return CalibrationRows(
        heads=said,
        trees={},
        completed=said,
        distances=distances,
        present=np.ones((count, 2), np.bool_),
        prediction=known,
        targets=np.column_stack([TARGET.forward(y), y]),
        groups=np.arange(count),
    )


def width(found: Calibrated, rows: CalibrationRows, mask: int) -> float:
    """Mean half width of intervals."""
    scores = scores_of(rows, mask, TARGET, trees=False)
    predictor = found.sets[mask]
    return float(predictor.half_widths(scores, predictor.predict(scores, TARGET)[:, 0], 0.9, TARGET).mean())


@pytest.mark.parametrize("mask", [1, 2, 3])
def test_a_model_that_finds_rows_nearer_gets_no_narrower_intervals(mask: int) -> None:
    calibrating, spared = rows_of(1000, 1), rows_of(150, 2)
    rng = np.random.default_rng(3)
    moments = CodeMoments.of([rng.normal(size=(500, 3)) for _ in range(2)])

    def fit(spared: CalibrationRows | None) -> Calibrated:
        rng = np.random.default_rng(4)
        return Calibrated.fit(calibrating, moments, TARGET, "folds", rng, trees=False, spared=spared)

    meant = width(fit(None), calibrating, mask)
    near = replace(spared, distances=0.2 * spared.distances)
    # By the scale alone they would be a fifth narrower, or more.
    assert width(fit(None), near, mask) < 0.8 * meant
    assert width(fit(near), near, mask) == pytest.approx(meant, rel=0.15)
    # One that is surer since it errs less keeps them.
    better = replace(near, targets=np.column_stack([near.prediction, near.prediction]))
    assert width(fit(better), near, mask) < 0.8 * meant
    # A model that finds rows further away keeps its wider intervals.
    far = replace(spared, distances=2.0 * spared.distances)
    assert width(fit(far), far, mask) > 1.1 * meant
