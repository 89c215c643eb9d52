"""One small fit for all tests of predictions, as an estimator and as its run folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pandas as pd
import pytest

from pidreg_cli import PIDRegressor

SHORT = {
    "stage1.min_epochs": 1,
    "stage1.max_epochs": 2,
    "stage2.min_epochs": 1,
    "stage2.max_epochs": 8,
    "threads": 1,
}


def drawn(rows: int, seed: int) -> pd.DataFrame:
    """Rows whose target depends on two modalities; the third repeats the first, blurred. Noise grows with the first."""
    rng = np.random.default_rng(seed)
    a, b, blur = (rng.normal(size=(rows, k)) for k in (3, 2, 2))
    c = 0.8 * a[:, :2] + 0.6 * blur
    noise = np.exp(0.6 * a[:, 2]) * rng.normal(size=rows)
    y = a[:, 0] + 0.8 * b[:, 0] + 0.4 * a[:, 1] * b[:, 1] + 0.3 * noise
    columns = {f"{n}__{j}": m[:, j] for n, m in (("a", a), ("b", b), ("c", c)) for j in range(m.shape[1])}
    return pd.DataFrame(columns).astype("float32").assign(target=10 + 3 * y)


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator, its run folder, rows like those it saw, and these as a file with ids."""

    model: PIDRegressor
    folder: Path
    new: pd.DataFrame
    file: Path


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """500 rows in five folds."""
    return fitted_in(tmp_path_factory.mktemp("prediction"), 500, 5)


@pytest.fixture(scope="session")
def with_trees(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    """Fewer rows, with boosted trees."""
    trees = {"features.boosted": "on", "boosting.rounds": 3, "boosting.folds": 2}
    return fitted_in(tmp_path_factory.mktemp("trees"), 200, 2, trees)


def fitted_in(
    place: Path, count: int, folds: int, settings: Mapping[str, object] = MappingProxyType({})
) -> Fitted:
    """A fit in a folder."""
    rows = drawn(count, 0)
    model = PIDRegressor(preset="fast", folds=folds, settings={**SHORT, **settings})
    model.fit(rows.drop(columns="target"), rows["target"])
    new = drawn(900, 1)
    new.insert(0, "id", [f"p{i:03}" for i in range(len(new))])
    new.to_parquet(place / "new.parquet")
    return Fitted(model, model.save(place / "run"), new, place / "new.parquet")
