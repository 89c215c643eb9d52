"""Whether a model reads boosted scores: as asked, or as its validation rows decide; saved, resumed, reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.errors import RunError
from pidreg_cli.fitting import Fit
from pidreg_cli.model_files import (
    ARCHITECTURE,
    WEIGHTS,
    ModelRoles,
    architecture_text,
    read_model,
    weights_bytes,
)
from pidreg_cli.training import model_choice
from pidreg_cli.training.progress import EpochRecord, Silent
from tests.training.conftest import FolderStore, linear_arrays
from tests.training.test_fit import Stopping, files, fitted

TREES = {
    "boosting__rounds": 30,
    "boosting__learning_rate": 0.2,
    "boosting__leaves": 31,
    "boosting__folds": 3,
    "features__boosted": "auto",
    "folds": "auto",
}


class Noticing(Silent):
    def __init__(self) -> None:
        self.notices: list[str] = []

    def notice(self, text: str) -> None:
        self.notices.append(text)


def split_of(arrays: MultimodalArrays) -> MultimodalArrays:
    part = np.array(["train"] * 7 + ["valid"] + ["test"] * 2)
    return replace(arrays, split=np.resize(part, arrays.rows))


def steps(rows: int = 2000) -> MultimodalArrays:
    """The target jumps at many places of each modality's first column: easy for trees, hard for a small network."""
    rng = np.random.default_rng(0)
    levels = {name: rng.normal(size=40) for name in "ab"}
    features = {name: rng.uniform(size=(rows, 3)).astype(np.float32) for name in "ab"}
    parts = [levels[name][(40 * block[:, 0]).astype(int)] for name, block in features.items()]
    target = np.sum(parts, axis=0) + 0.1 * rng.normal(size=rows)
    columns = {name: tuple(f"{name}__{i}" for i in range(3)) for name in "ab"}
    return split_of(MultimodalArrays(features, columns, target, np.arange(rows)))


@pytest.fixture(scope="module")
def stepped() -> tuple[Fit, list[str]]:
    progress = Noticing()
    return fitted(steps(), progress, **TREES), progress.notices


def test_scores_are_used_where_they_predict_better(stepped: tuple[Fit, list[str]]) -> None:
    fit, notices = stepped
    plain = fitted(steps(), **(TREES | {"features__boosted": "off"}))
    assert fit.outcome.deployed.model.transforms.boosted is not None
    assert fit.report.metrics.test.rmse < 0.8 * plain.report.metrics.test.rmse
    assert "model: boosted scores of the modalities are used" in notices[-1]


def test_history_and_diagnostics_tell_of_scores(stepped: tuple[Fit, list[str]]) -> None:
    fit, _ = stepped
    [ledger] = fit.outcome.histories
    assert list(dict.fromkeys(record.model for record in ledger.history)) == ["model", "model, boosted"]
    [found] = [d for d in fit.report.diagnostics if d.code == "training.boosted_scores"]
    assert (found.severity, found.value) == ("info", 1)


def test_the_plain_network_is_kept_where_trees_are_worse() -> None:
    progress = Noticing()
    arrays = split_of(linear_arrays(2000))
    auto = fitted(arrays, progress, **TREES)
    off = fitted(arrays, **(TREES | {"features__boosted": "off"}))
    assert "not used: alone they predict worse than the network" in progress.notices[-1]
    assert files(auto) == files(off)


def test_a_worse_network_with_scores_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_choice, "stacked_error", lambda *_: 0.0)
    arrays = split_of(linear_arrays(2000))
    progress = Noticing()
    # Scores of a constant rate tell hardly anything; a deeper plain network stays better or they tie.
    fit = fitted(arrays, progress, **(TREES | {"boosting__rounds": 1, "boosting__learning_rate": 1e-6}))
    [ledger] = fit.outcome.histories
    best = {
        name: min(r.valid_loss for r in ledger.history if r.model == name and r.stage == 2)
        for name in ("model", "model, boosted")
    }
    kept = "model, boosted" if ledger.boosted else "model"
    assert ledger.best_loss == best[kept] == min(best.values())
    assert (fit.outcome.deployed.model.transforms.boosted is not None) == ledger.boosted


def test_few_training_rows_are_fitted_without_scores() -> None:
    auto = fitted(linear_arrays(), **(TREES | {"folds": 2}))
    off = fitted(linear_arrays(), **(TREES | {"folds": 2, "features__boosted": "off"}))
    assert files(auto) == files(off)


def test_on_uses_them_with_few_rows_missing_cells_and_one_column() -> None:
    arrays = linear_arrays(120)
    a, b = arrays.features["a"].copy(), arrays.features["b"][:, :1].copy()
    a[np.random.default_rng(1).random(a.shape) < 0.4] = np.nan
    b[:30] = np.nan
    small = replace(
        arrays,
        features={"a": a, "b": b},
        columns={"a": arrays.columns["a"], "b": ("b__0",)},
        groups=np.repeat(np.arange(30), 4),
    )
    fit = fitted(small, **(TREES | {"folds": 2, "features__boosted": "on"}))
    assert all(ledger.boosted for ledger in fit.outcome.histories)
    assert np.isfinite(fit.report.metrics.test.rmse)


def test_a_cell_that_training_never_missed_reads_as_its_median(stepped: tuple[Fit, list[str]]) -> None:
    model = stepped[0].outcome.deployed.model
    rows = steps(20)
    gone = np.full_like(rows.features["a"], np.nan)
    medians = np.tile(
        [[s.inverse(np.zeros(1))[0] for s in model.transforms.features["a"].scales if s]], (20, 1)
    )
    boosted = model.transforms.boosted
    assert boosted is not None
    scores = [
        model.transforms.scores(
            replace(rows, features={**rows.features, "a": block.astype(np.float32)}), boosted
        )
        for block in (gone, medians)
    ]
    np.testing.assert_array_equal(*scores)


def saved(fit: Fit, folder: Path) -> None:
    model = fit.outcome.deployed.model
    (folder / ARCHITECTURE).write_text(architecture_text(model, ModelRoles({}, "y", None)))
    (folder / WEIGHTS).write_bytes(weights_bytes(model))


def test_a_model_read_back_predicts_the_same(stepped: tuple[Fit, list[str]], tmp_path: Path) -> None:
    fit, _ = stepped
    saved(fit, tmp_path)
    again, _ = read_model(tmp_path, torch.device("cpu"))
    rows = steps(100)
    np.testing.assert_array_equal(again.predict(rows), fit.outcome.deployed.model.predict(rows))
    assert weights_bytes(again) == weights_bytes(fit.outcome.deployed.model)


@pytest.mark.parametrize("damage", ["byte", "unnamed", "no folds"])
def test_damaged_trees_of_a_model_are_refused(
    stepped: tuple[Fit, list[str]], tmp_path: Path, damage: str
) -> None:
    saved(stepped[0], tmp_path)
    weights, text = tmp_path / WEIGHTS, tmp_path / ARCHITECTURE
    match damage:
        case "byte":
            content = bytearray(weights.read_bytes())
            tensor = next(iter(stepped[0].outcome.deployed.model.transforms.boosted.to_tensors().values()))  # type: ignore[union-attr]
            content[content.index(tensor.numpy().tobytes()) + len(tensor) // 2] ^= 1
            weights.write_bytes(content)
        case "unnamed":
            text.write_text(text.read_text().replace('"folds": 3', '"folds": 2'))
        case "no folds":
            text.write_text(text.read_text().replace('"folds": 3', '"folds": "three"'))
    with pytest.raises(RunError, match="cannot be read"):
        read_model(tmp_path, torch.device("cpu"))


class Naming(Silent):
    def __init__(self) -> None:
        self.names: list[str] = []

    def epoch(self, record: EpochRecord) -> None:
        self.names.append(record.model)


@pytest.mark.parametrize("epochs", [4, 7, 9])
def test_a_resumed_fit_with_scores_ends_in_the_same_bytes(
    stepped: tuple[Fit, list[str]], store: FolderStore, epochs: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        fitted(steps(), Stopping(epochs), store, **TREES)
    rest = Naming()
    resumed = fitted(steps(), rest, store, **TREES)
    assert files(resumed) == files(stepped[0])
    assert len(rest.names) == len(stepped[0].outcome.histories[0].history) - epochs


def test_scores_are_not_fitted_twice_and_go_with_the_fold(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = TREES | {"folds": 2, "features__boosted": "on"}
    with pytest.raises(KeyboardInterrupt):
        fitted(linear_arrays(), Stopping(1), store, **options)
    assert store.path("scores-0.safetensors") is not None
    numbers = []
    real = model_choice.fit_scores
    monkeypatch.setattr(model_choice, "fit_scores", lambda *a: numbers.append(a[-1]) or real(*a))
    resumed = fitted(linear_arrays(), None, store, **options)
    assert numbers == [1, 2]
    assert sorted(path.name for path in store.folder.iterdir()) == [
        "checkpoint-2-boosted.safetensors",
        "fold-0.safetensors",
        "fold-1.safetensors",
        "scores-2.safetensors",
    ]
    assert files(resumed) == files(fitted(linear_arrays(), **options))


def test_a_damaged_checkpoint_of_scores_is_refused(store: FolderStore) -> None:
    options = TREES | {"folds": 2, "features__boosted": "on"}
    with pytest.raises(KeyboardInterrupt):
        fitted(linear_arrays(), Stopping(1), store, **options)
    path = store.folder / "scores-0.safetensors"
    path.write_bytes(path.read_bytes()[:-100] + bytes(100))
    with pytest.raises(RunError, match="checkpoint"):
        fitted(linear_arrays(), None, store, **options)
