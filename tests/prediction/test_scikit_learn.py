"""``PIDRegressor`` among the tools of scikit-learn."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_regressors_train, parametrize_with_checks

from pidreg_cli import PIDRegressor, load_model
from pidreg_cli.errors import ArrayError, DataError

TINY = {
    "stage1.min_epochs": 1,
    "stage1.max_epochs": 1,
    "stage2.min_epochs": 1,
    "stage2.max_epochs": 1,
    "network.code_dim": 4,
    "network.encoder.width": 8,
    "network.predictor_width": 8,
    "network.head_width": 8,
    "information.interactions": "none",
    "threads": 1,
}


def tiny(**changes: Any) -> PIDRegressor:
    return PIDRegressor(preset="fast", folds=2, settings=TINY, **changes)


FEW_ROWS = "fits 10 or 15 rows; a decomposition of one modality needs 20, which the error says"
NOT_PASSED = {
    "check_n_features_in_after_fitting": FEW_ROWS,
    "check_regressors_no_decision_function": FEW_ROWS,
    "check_fit2d_1feature": FEW_ROWS,
    "check_regressors_train": "asks for a good fit, which one epoch of a tiny network is not: see below",
}


@parametrize_with_checks([tiny()], expected_failed_checks=lambda estimator: NOT_PASSED)
def test_checks_of_scikit_learn(estimator: PIDRegressor, check: Callable[[PIDRegressor], None]) -> None:
    check(estimator)


def drawn(rows: int, seed: int = 0) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(seed)
    X = pd.DataFrame(rng.normal(size=(rows, 4)), columns=["a__0", "a__1", "b__0", "b__1"])
    return X, 2 * X["a__0"] + X["b__0"] + 0.3 * rng.normal(size=rows)


def test_a_trained_regressor_passes_the_check_of_training() -> None:
    long = PIDRegressor(
        preset="fast", folds=2, settings={"stage1.max_epochs": 4, "stage2.max_epochs": 30, "threads": 1}
    )
    check_regressors_train("PIDRegressor", long)


def test_a_pipeline_scales_and_cross_validates() -> None:
    X, y = drawn(120)
    model = make_pipeline(StandardScaler(), tiny(modalities={"first": [0, 1], "second": [2, 3]}))
    scores = cross_val_score(model, X, y, cv=2)
    assert scores.shape == (2,)
    assert np.isfinite(scores).all()


def test_clones_and_frames_without_prefixes() -> None:
    X, y = drawn(60)
    plain = X.set_axis(["p", "q", "r", "s"], axis=1)
    model = clone(tiny()).fit(plain, y)
    assert model.columns_ == {"features": ["p", "q", "r", "s"]}
    assert model.feature_names_in_.tolist() == ["p", "q", "r", "s"]
    by_position = clone(tiny()).fit(plain.to_numpy(), y)
    np.testing.assert_array_equal(model.predict(plain), by_position.predict(plain.to_numpy()))
    assert tiny().fit(X, y).columns_ == {"a": ["a__0", "a__1"], "b": ["b__0", "b__1"]}


def test_arrays_for_a_fit_on_a_frame_go_by_position(tmp_path: Path) -> None:
    X, y = drawn(60)
    X = X.assign(other=0.0)[["b__0", "other", "a__0", "a__1", "b__1"]]
    model = tiny().fit(X, y)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        found = model.predict(X.to_numpy())
    np.testing.assert_array_equal(found, model.predict(X))
    assert np.ptp(found) > 0
    with (
        pytest.warns(UserWarning, match="does not have valid feature names"),
        pytest.raises(ValueError, match="X has 4 features, but PIDRegressor is expecting 5"),
    ):
        model.predict(X.to_numpy()[:, 1:])
    # A run does not know where in a table its columns were.
    loaded = load_model(model.save(tmp_path / "run"))
    with pytest.raises(ArrayError, match="fitted on are not in X: 'b__0', 'b__1', 'a__0', 'a__1'"):
        loaded.predict(X.to_numpy())


def test_another_table_is_refused_and_does_not_get_the_mean() -> None:
    X, y = drawn(60)
    model = tiny().fit(X, y)
    with pytest.raises(ArrayError, match="no column of any modality") as found:
        model.predict(y.to_frame("target"))
    assert "columns of X are: ['target']" in found.value.hint
    with pytest.raises(ArrayError, match="no column of any modality"):
        tiny().fit(X.to_numpy(), y).predict(X)


def test_errors_are_ours_and_those_of_scikit_learn() -> None:
    X, y = drawn(10)
    for kind in (ValueError, DataError, ArrayError):
        with pytest.raises(kind, match="10 rows have a target"):
            tiny().fit(X, y)


def test_the_published_setting_predicts_without_trained_heads() -> None:
    X, y = drawn(120)
    model = PIDRegressor(preset="paper", folds=2, settings=TINY).fit(X, y)
    assert not model.predictor_.calibrated.heads
    lacking = X.assign(b__0=np.nan, b__1=np.nan)
    low, high = model.predict_interval(lacking, 0.8).T
    assert ((low <= y) & (y <= high)).mean() > 0.7
    assert np.isfinite(model.explain(X).to_numpy()).all()
