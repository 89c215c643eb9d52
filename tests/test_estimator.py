"""The estimator and its run folder, from Python."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from pidreg_cli import PIDRegressor, load_model
from pidreg_cli.errors import DataError, UsageError

SHORT = {"stage1.max_epochs": 1, "stage1.min_epochs": 1, "stage2.max_epochs": 1, "stage2.min_epochs": 1}


@pytest.mark.parametrize("kind", ["frame", "array"])
def test_a_saved_model_predicts_what_the_fitted_one_does(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    table = rng.normal(size=(80, 3))
    y = table[:, 0] + rng.normal(size=80)
    X = table if kind == "array" else pd.DataFrame(table, columns=["p", "q", "r"])
    names = [0, 1, 2] if kind == "array" else ["p", "q", "r"]
    model = PIDRegressor({"a": names[:2], "b": names[2:]}, preset="fast", folds=2, settings=SHORT).fit(X, y)
    folder = model.save(tmp_path / "run")
    assert "A table in memory: 80 rows" in (folder / "report.md").read_text(encoding="utf-8")
    loaded = load_model(folder)
    np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
    assert loaded.report_ == model.report_
    with pytest.raises(UsageError, match="already exists"):
        model.save(folder)
    with pytest.raises(DataError, match="not in X"):
        loaded.predict(X[:, :1] if kind == "array" else X[["p", "r"]])


def test_a_limit_of_memory_is_refused_where_rows_are_in_memory() -> None:
    with pytest.raises(UsageError, match="'memory' is for tables in files"):
        PIDRegressor(settings={"memory": "2GB"}).fit(np.zeros((30, 2)), np.arange(30.0))


def test_columns_and_names_of_modalities_are_checked_as_the_command_does() -> None:
    X, y = pd.DataFrame(np.zeros((40, 3)), columns=["p", "q", "r"]), np.arange(40.0)
    with pytest.raises(DataError, match="Column 'q' has two roles: feature of 'a' and feature of 'b'"):
        PIDRegressor({"a": ["p", "q"], "b": ["q", "r"]}).fit(X, y)
    with pytest.raises(UsageError, match=r"cannot be named 'a\+b'"):
        PIDRegressor({"a+b": ["p", "q"], "c": ["r"]}).fit(X, y)
