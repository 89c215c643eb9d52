"""Whether a model reads boosted scores: as asked, or as its validation rows decide; saved, resumed, reported."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.errors import DataError, RunError
from pidreg_cli.fitting import Fit, readout_scores
from pidreg_cli.model_files import (
    ARCHITECTURE,
    WEIGHTS,
    ModelRoles,
    architecture_text,
    read_model,
    weights_bytes,
)
from pidreg_cli.training import model_choice
from pidreg_cli.training.blocked_folds import best_share
from pidreg_cli.training.boosting import FittedScores, ScoreFits
from pidreg_cli.training.progress import EpochRecord, Silent
from tests.earlier_runs import without_digests
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
    assert "model: boosted scores of the modalities are inputs of the encoders (" in notices[0]


def test_history_and_diagnostics_tell_of_scores(stepped: tuple[Fit, list[str]]) -> None:
    fit, _ = stepped
    [ledger] = fit.outcome.histories
    assert list(dict.fromkeys(record.model for record in ledger.history)) == ["model", "model, boosted"]
    [found] = [d for d in fit.report.diagnostics if d.code == "training.boosted_scores"]
    assert (found.severity, found.value) == ("info", 1)
    [share] = [d for d in fit.report.diagnostics if d.code == "training.tree_share"]
    assert (share.severity, share.value) == ("info", ledger.tree_share)
    assert f"{ledger.tree_share:.0%} of the prediction" in share.message


def test_the_plain_network_is_kept_where_trees_are_worse() -> None:
    progress = Noticing()
    arrays = split_of(linear_arrays(2000))
    auto = fitted(arrays, progress, **(TREES | {"boosting__rounds": 2}))
    off = fitted(arrays, **(TREES | {"features__boosted": "off"}))
    assert "are no inputs of the encoders: alone they predict worse" in progress.notices[0]
    model, plain = auto.outcome.deployed.model, off.outcome.deployed.model
    assert not model.transforms.encoded
    for own, other in zip(model.networks[0].parameters(), plain.networks[0].parameters(), strict=True):
        assert torch.equal(own, other)
    assert auto.outcome.valid.rmse <= off.outcome.valid.rmse


def test_a_worse_network_with_scores_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    # Trees that seem perfect are tried; scores out of fold that are the target itself mislead the network.
    real = ScoreFits.deciding
    arrays = split_of(linear_arrays(2000))

    def misleading(fits: ScoreFits, threads: int) -> FittedScores:
        return replace(real(fits, threads), out_of_fold=np.tile(fits.target[:, None], (1, 2)))

    monkeypatch.setattr(ScoreFits, "deciding", misleading)
    monkeypatch.setattr(model_choice.ModelChoice, "_prediction_of_scores", lambda self, _: self.targets[1])
    progress = Noticing()
    fit = fitted(arrays, progress, **TREES)
    [ledger] = fit.outcome.histories
    best = {
        name: min(r.valid_loss for r in ledger.history if r.model == name and r.stage == 2)
        for name in ("model", "model, boosted")
    }
    assert best["model"] < best["model, boosted"]
    assert ledger.history[-1].model == "model"
    assert ledger.best_loss == best["model"]
    assert not ledger.boosted
    assert not fit.outcome.deployed.model.transforms.encoded
    assert "no inputs of the encoders: the network is worse with them" in progress.notices[0]


def test_trees_get_the_share_that_validation_rows_want(stepped: tuple[Fit, list[str]]) -> None:
    fit, notices = stepped
    model, ledger = fit.outcome.deployed.model, fit.outcome.deployed.ledger
    assert 0.05 <= model.tree_share == ledger.tree_share <= 1
    assert f"boosted trees of all modalities are {model.tree_share:.0%} of the prediction" in notices[1]
    rows = steps(500)
    trees = model.transforms.target.restore(model.transforms.scores(rows, [3])[3])
    network = replace(model, tree_share=0.0).predict(rows)
    mixed = (1 - model.tree_share) * network + model.tree_share * trees
    np.testing.assert_allclose(model.predict(rows), mixed, atol=1e-9)


def test_the_best_share_is_least_squares_within_its_bounds() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 50))
    assert best_share(first, second, 0.7 * first + 0.3 * second) == pytest.approx(0.3)
    assert best_share(first, second, 2 * second - first) == 1
    assert best_share(first, second, 2 * first - second) == 0
    assert best_share(first, first, second) == 0


def test_further_networks_are_averaged_and_survive(tmp_path: Path, store: FolderStore) -> None:
    options = TREES | {"features__boosted": "off", "network__further": ["mlp", "linear"]}
    arrays = split_of(linear_arrays(2000))
    fit = fitted(arrays, **options)
    model = fit.outcome.deployed.model
    kinds = [network.shape.encoders[0].kind for network in model.networks]
    assert kinds[1:] == ["mlp", "linear"]
    alone = [replace(model, networks=(network,)).predict(arrays) for network in model.networks]
    assert not np.allclose(alone[0], alone[1])
    np.testing.assert_allclose(model.predict(arrays), np.mean(alone, axis=0))
    names = list(dict.fromkeys(record.model for record in fit.outcome.histories[0].history))
    assert names == ["model", "model, network 2", "model, network 3"]
    saved(fit, tmp_path)
    again, _ = read_model(tmp_path, torch.device("cpu"))
    np.testing.assert_array_equal(again.predict(arrays), model.predict(arrays))
    with pytest.raises(KeyboardInterrupt):
        fitted(arrays, Stopping(len(fit.outcome.histories[0].history) - 1), store, **options)
    assert files(fitted(arrays, None, store, **options)) == files(fit)


def test_few_training_rows_are_fitted_without_scores() -> None:
    auto = fitted(linear_arrays(), **(TREES | {"folds": 2}))
    off = fitted(linear_arrays(), **(TREES | {"folds": 2, "features__boosted": "off"}))
    assert files(auto) == files(off)


def test_auto_goes_on_without_scores_where_all_training_rows_are_one_group() -> None:
    arrays = split_of(linear_arrays(2000))
    assert arrays.split is not None
    sites = replace(arrays, groups=np.where(arrays.split == "train", -1, np.arange(2000) // 50))
    assert fitted(sites, **TREES).outcome.deployed.model.transforms.boosted is None
    with pytest.raises(DataError, match="1 groups"):
        fitted(sites, **(TREES | {"features__boosted": "on"}))
    with pytest.raises(DataError, match="validation rows are one group"):
        fitted(replace(arrays, groups=arrays.split), **TREES)


@pytest.mark.parametrize("modalities", [1, 2, 3, 5])
def test_the_fewest_rows_that_are_promised_bear_scores(modalities: int) -> None:
    options = TREES | {"folds": 5, "features__boosted": "on"}
    rows = 5 * (readout_scores(modalities, trees=True) + 1)
    fit = fitted(linear_arrays(rows, modalities=modalities), **options)
    assert np.isfinite(fit.report.metrics.test.rmse)
    with pytest.raises(DataError, match=f"needs {rows} or more"):
        fitted(linear_arrays(rows - 1, modalities=modalities), **options)


def test_validation_rows_of_a_split_column_must_bear_readouts() -> None:
    arrays = linear_arrays(2000)
    needed = next(n for n in range(2, 40) if n - -(-n // min(n, 10)) >= readout_scores(2, trees=True) + 2)

    def with_valid(rows: int) -> MultimodalArrays:
        split = np.array(["train"] * 1500 + ["test"] * 500)
        split = split.astype("<U5")
        split[:rows] = "valid"
        return replace(arrays, split=split)

    fit = fitted(with_valid(needed), **(TREES | {"features__boosted": "on"}))
    assert fit.report.selection is not None
    with pytest.raises(DataError, match=f"gives {needed - 1} rows with a target to 'valid'"):
        fitted(with_valid(needed - 1), **(TREES | {"features__boosted": "on"}))


def test_a_share_without_trees_of_all_modalities_is_refused(tmp_path: Path) -> None:
    options = TREES | {"folds": 2, "features__boosted": "on"}
    saved(fitted(linear_arrays(120, modalities=5), **options), tmp_path)
    without_digests(tmp_path)
    text = tmp_path / ARCHITECTURE
    assert '"share": 0.0' in text.read_text()
    text.write_text(text.read_text().replace('"share": 0.0', '"share": 0.5'))
    with pytest.raises(RunError, match="there are none"):
        read_model(tmp_path, torch.device("cpu"))


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


def test_modalities_of_list_columns_get_their_own_kind() -> None:
    arrays = replace(split_of(linear_arrays(2000)), lists=frozenset({"b"}))
    options = TREES | {"features__boosted": "off", "network__further": ["linear"]}
    model = fitted(arrays, **options, network__encoder__list_kind="mlp").outcome.deployed.model
    kinds = [[encoder.kind for encoder in network.shape.encoders] for network in model.networks]
    assert kinds[1] == ["linear", "mlp"]
    named = {"network__encoder__kinds": {"b": "piecewise"}}
    model = fitted(arrays, **options, **named).outcome.deployed.model
    assert [network.shape.encoders[1].kind for network in model.networks] == ["piecewise", "piecewise"]


def test_a_cell_that_training_never_missed_reads_as_its_median(stepped: tuple[Fit, list[str]]) -> None:
    model = stepped[0].outcome.deployed.model
    rows = steps(20)
    gone = np.full_like(rows.features["a"], np.nan)
    medians = np.tile(
        [[s.inverse(np.zeros(1))[0] for s in model.transforms.features["a"].scales if s]], (20, 1)
    )
    scores = [
        model.transforms.scores(replace(rows, features={**rows.features, "a": block.astype(np.float32)}), [1])
        for block in (gone, medians)
    ]
    np.testing.assert_array_equal(scores[0][1], scores[1][1])


def saved(fit: Fit, folder: Path) -> None:
    model = fit.outcome.deployed.model
    text = architecture_text(model, ModelRoles(model.columns, "y", None))
    (folder / ARCHITECTURE).write_text(text)
    (folder / WEIGHTS).write_bytes(weights_bytes(model, text))


def test_a_model_read_back_predicts_the_same(stepped: tuple[Fit, list[str]], tmp_path: Path) -> None:
    fit, _ = stepped
    saved(fit, tmp_path)
    again, _ = read_model(tmp_path, torch.device("cpu"))
    rows = steps(100)
    np.testing.assert_array_equal(again.predict(rows), fit.outcome.deployed.model.predict(rows))
    text = (tmp_path / ARCHITECTURE).read_text()
    assert weights_bytes(again, text) == weights_bytes(fit.outcome.deployed.model, text)


@pytest.mark.parametrize("damage", ["byte", "unnamed", "no folds"])
def test_damaged_trees_of_a_model_are_refused(
    stepped: tuple[Fit, list[str]], tmp_path: Path, damage: str
) -> None:
    saved(stepped[0], tmp_path)
    without_digests(tmp_path)
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
    real = ScoreFits.deciding
    monkeypatch.setattr(
        ScoreFits, "deciding", lambda fits, threads: numbers.append(fits.number) or real(fits, threads)
    )
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
