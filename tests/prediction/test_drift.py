"""Warnings of drift: by single rows, by all together, and not by chance."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pidreg_cli.data.frames import frame_arrays
from pidreg_cli.decisions.prediction.drift import Drift
from tests.prediction.conftest import Fitted


def drift(fitted: Fitted, rows: int, far: int, mean: float = 0.0, limits: float | None = None) -> Drift:
    calibrated = fitted.model.predictor_.calibrated
    if limits is not None:
        calibrated = replace(calibrated, far=np.full(3, limits))
    codes = np.zeros(calibrated.moments.mean.shape[1])
    codes[0] = mean * rows
    return Drift.of(calibrated, 0, rows, far, codes)


@pytest.mark.parametrize(
    ("rows", "far", "warns"), [(1000, 10, False), (1000, 19, False), (1000, 60, True), (40, 2, False)]
)
def test_far_rows_warn_beyond_chance(fitted: Fitted, rows: int, far: int, warns: bool) -> None:
    assert drift(fitted, rows, far).warns is warns


def test_a_shift_of_all_rows_warns_where_no_row_is_far(fitted: Fitted) -> None:
    found = drift(fitted, 5000, 0, mean=1.0)
    assert found.shift == pytest.approx(1.0, abs=0.01)
    assert found.warns
    assert not found.scattered
    assert not drift(fitted, 5000, 0, mean=0.3).warns
    # The mean of ten rows may lie there by chance.
    assert not drift(fitted, 10, 0, mean=1.0).warns


def test_too_few_calibration_rows_tell_nothing_of_single_rows(fitted: Fitted) -> None:
    found = drift(fitted, 1000, 0, limits=np.inf)
    assert found.share is None
    assert not found.scattered


def test_rows_like_those_of_the_fit_do_not_warn(fitted: Fitted) -> None:
    """Neither all of them nor any part: a false alarm in a part would be one in many tables."""
    predictor = fitted.model.predictor_
    arrays = frame_arrays(fitted.new, fitted.model.columns_, None)
    for rows in (np.arange(900), *np.split(np.arange(900), 6)):
        found = predictor.predict(arrays.take(rows))
        for i in range(3):
            counts = len(rows), int(found.far[:, i].sum())
            assert not Drift.of(predictor.calibrated, i, *counts, found.code_sums[i]).warns
