"""Fits from end to end on small tables: determinism, resuming, who sees which rows, noise that reads as nothing."""

from __future__ import annotations

from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest
import torch
from torch import Tensor

from pidreg_cli.config.loading import load_settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.splits import Protocol
from pidreg_cli.errors import DataError, RunError, TrainingError, UsageError
from pidreg_cli.fitting import Fit, TableSource, fit_arrays, fusion_facts
from pidreg_cli.model_files import ModelRoles, architecture_text, weights_bytes
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.serialise import to_json
from pidreg_cli.training import model_fit
from pidreg_cli.training.atoms import information_of_codes
from pidreg_cli.training.baselines import ridge_predictions, tree_predictions
from pidreg_cli.training.model_fit import ModelFit
from pidreg_cli.training.progress import EpochRecord, Silent
from pidreg_cli.training.reading import predict_with_heads
from pidreg_cli.training.state import Ledger
from tests.training.conftest import QUICK, FolderStore, linear_arrays, quick_settings

SOURCE = TableSource(("table.parquet",), "sha256:0", "y")


def fitted(
    arrays: MultimodalArrays,
    progress: Silent | None = None,
    store: FolderStore | None = None,
    **changed: object,
) -> Fit:
    return fit_arrays(arrays, SOURCE, quick_settings(**changed), progress or Silent(), store)


def files(fit: Fit) -> tuple[str, str, bytes]:
    model = fit.outcome.deployed.model
    report = fit.report.model_copy(update={"created_at": "-"})
    text = architecture_text(model, ModelRoles({}, "y", None))
    return to_json(report), text, weights_bytes(model, text)


class Stopping(Silent):
    """Raises at the given epoch, as an interruption would."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def epoch(self, record: EpochRecord) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_equal_seeds_give_equal_files_and_other_seeds_do_not() -> None:
    arrays = linear_arrays()
    first = files(fitted(arrays))
    assert files(fitted(arrays)) == first
    assert files(fitted(arrays, seed=1))[2] != first[2]


@pytest.mark.parametrize("epochs", [1, 4])
def test_a_checkpoint_of_another_network_is_refused(store: FolderStore, epochs: int) -> None:
    arrays = linear_arrays()
    with pytest.raises(KeyboardInterrupt):
        fitted(arrays, Stopping(epochs), store)
    with pytest.raises(RunError, match="a checkpoint is of another network") as caught:
        fitted(arrays, store=store, network__encoder__width=24)
    assert caught.value.code == "run.checkpoint"


@pytest.mark.parametrize("epochs", [1, 3, 4, 10, 16])
def test_a_resumed_fit_ends_in_the_same_bytes(store: FolderStore, epochs: int) -> None:
    arrays = linear_arrays()
    with pytest.raises(KeyboardInterrupt):
        fitted(arrays, Stopping(epochs), store)
    seen: list[EpochRecord] = []

    class Counting(Silent):
        def epoch(self, record: EpochRecord) -> None:
            seen.append(record)

    resumed = fitted(arrays, Counting(), store)
    unbroken = fitted(arrays)
    assert files(resumed) == files(unbroken)
    total = sum(len(ledger.history) for ledger in unbroken.outcome.histories)
    assert len(seen) == total - epochs


@pytest.mark.parametrize("epochs", [2, 4])
def test_steps_that_an_earlier_version_did_not_count_are_known(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch, epochs: int
) -> None:
    arrays, read = linear_arrays(), Ledger.from_document
    with pytest.raises(KeyboardInterrupt):
        fitted(arrays, Stopping(epochs), store)
    monkeypatch.setattr(Ledger, "from_document", lambda document: read(document | {"step": 0}))
    assert files(fitted(arrays, store=store)) == files(fitted(arrays))


def test_folds_hold_every_row_out_once_and_deploy_one_more_model() -> None:
    fit = fitted(linear_arrays(), folds=4)
    held = fit.outcome.held_out
    assert sorted(held.readouts.rows.tolist()) == list(range(200))
    assert held.prediction.shape == (200,)
    assert len(fit.outcome.histories) == 5
    assert fit.report.data.folds == 4
    assert fit.report.data.rows_test == 200


def test_one_split_scores_its_test_rows() -> None:
    arrays = linear_arrays(2000)
    split = np.array(["train"] * 1400 + ["valid"] * 200 + ["test"] * 400)
    fit = fitted(replace(arrays, split=split), folds="auto")
    assert fit.outcome.held_out.readouts.rows.tolist() == list(range(1600, 2000))
    assert fit.outcome.selection.rows.tolist() == list(range(1400, 1600))
    assert fit.report.information is not None
    assert fit.report.information.rows == 400
    assert set(fit.outcome.scored.split) == {"valid", "test"}


def test_test_rows_do_not_touch_the_model() -> None:
    arrays = linear_arrays(2000)
    split = np.array(["train"] * 1400 + ["valid"] * 200 + ["test"] * 400)
    whole = replace(arrays, split=split)
    spoiled = {name: np.where(split[:, None] == "test", 99, block) for name, block in arrays.features.items()}
    other = replace(whole, features={name: block.astype(np.float32) for name, block in spoiled.items()})
    first, second = (files(fitted(a, folds="auto")) for a in (whole, other))
    assert first[1:] == second[1:]


def test_noise_reads_as_nothing() -> None:
    arrays = linear_arrays(400)
    noise = np.random.default_rng(5).normal(size=400)
    report = fitted(replace(arrays, target=noise)).report
    assert report.pid is not None
    assert report.pid.summary.total < 0.03
    assert "information.indistinguishable_from_zero" in {d.code for d in report.diagnostics}


def test_information_and_prediction_of_a_linear_system_are_found() -> None:
    report = fitted(linear_arrays(900), stage1__max_epochs=6, stage2__max_epochs=10).report
    # R2 of a: 1 / 2.25, of both: 2 / 2.25.
    values = {tuple(v.modalities): v.value for v in report.information.values}
    assert values[("a",)] == pytest.approx(0.424, abs=0.12)
    assert values[("a", "b")] == pytest.approx(1.585, abs=0.25)
    assert report.metrics.test.r2 > 0.8
    assert report.selection.recommended == ("a", "b")


@pytest.mark.parametrize("modalities", [1, 3, 5])
def test_any_number_of_modalities(modalities: int) -> None:
    report = fitted(linear_arrays(120, modalities=modalities)).report
    assert len(report.information.values) == 2**modalities - 1
    assert (report.pid is None) == (modalities == 1)
    assert sum(report.fusion.weights.values()) == pytest.approx(1)


def test_too_many_modalities_are_refused() -> None:
    block = np.ones((30, 1), np.float32)
    names = [f"m{i}" for i in range(13)]
    arrays = MultimodalArrays(
        dict.fromkeys(names, block), dict.fromkeys(names, ("x",)), np.arange(30.0), np.arange(30)
    )
    with pytest.raises(UsageError, match="at most 12"):
        fitted(arrays)


@pytest.mark.parametrize("key", ["network__encoder__kinds", "selection__cost"])
def test_settings_of_unknown_modalities_are_refused(key: str) -> None:
    with pytest.raises(UsageError, match="'zz'"):
        fitted(linear_arrays(), **{key: {"zz": "linear" if "kinds" in key else 1.0}})


def test_a_loss_that_is_no_number_is_an_error() -> None:
    with pytest.raises(TrainingError, match="no longer a number"):
        fitted(
            linear_arrays(), training__learning_rate=1.0, training__gradient_clip=1e30, loss__sufficiency=1e38
        )


def test_rows_without_a_target_are_left_out_and_counted() -> None:
    arrays = linear_arrays(220)
    target = arrays.required_target.copy()
    target[:20] = np.nan
    report = fitted(replace(arrays, target=target)).report
    assert report.data.rows == 220
    assert report.data.rows_missing_target == 20
    assert "data.missing_target" in {d.code for d in report.diagnostics}


def test_absent_modalities_and_missing_cells_train_and_are_counted() -> None:
    arrays = linear_arrays(200)
    rng = np.random.default_rng(1)
    a, b = arrays.features["a"].copy(), arrays.features["b"].copy()
    a[rng.random(a.shape) < 0.4] = np.nan
    b[:40] = np.nan
    report = fitted(replace(arrays, features={"a": a, "b": b})).report
    assert report.modalities[0].missing_fraction == pytest.approx(0.4, abs=0.05)
    assert report.modalities[1].absent_rows_fraction == pytest.approx(0.2)
    assert np.isfinite(report.metrics.test.rmse)


def test_groups_stay_together() -> None:
    arrays = linear_arrays(200)
    groups = np.repeat(np.arange(20), 10)
    fit = fitted(replace(arrays, groups=groups))
    valid = fit.outcome.split == "valid"
    assert not set(groups[valid]) & set(groups[~valid])


@pytest.mark.parametrize(("modalities", "rows"), [(1, 20), (2, 25), (3, 60), (5, 60)])
def test_few_rows_work(modalities: int, rows: int) -> None:
    report = fitted(linear_arrays(rows, modalities=modalities), folds="auto").report
    assert report.information.rows == rows
    assert "information.few_rows" in {d.code for d in report.diagnostics}


def test_too_few_rows_are_refused_with_the_number_needed() -> None:
    with pytest.raises(DataError, match="24 rows have a target; a fit of 2 modalities needs 25"):
        fitted(linear_arrays(24))


def test_the_published_setting_reads_the_codes_without_heads() -> None:
    options = {key: value for key, value in QUICK.items() if key != "training.learning_rate"}
    settings = load_settings("paper", options=options)
    report = fit_arrays(linear_arrays(400), SOURCE, settings, Silent()).report
    assert report.information.interactions == "none"
    assert report.information.values[-1].value > 0.2


@pytest.mark.parametrize(("modalities", "rows"), [(1, 20), (2, 25)])
def test_the_published_setting_takes_the_fewest_rows(modalities: int, rows: int) -> None:
    options = {key: value for key, value in QUICK.items() if key != "training.learning_rate"}
    settings = load_settings("paper", options=options)
    report = fit_arrays(linear_arrays(rows, modalities=modalities), SOURCE, settings, Silent()).report
    assert report.fusion is not None
    assert sum(report.fusion.weights.values()) == pytest.approx(1)


@pytest.mark.parametrize("measure", ["broja", "ig"])
def test_the_measure_of_the_headline_is_the_one_that_was_asked_for(measure: str) -> None:
    report = fitted(linear_arrays(), information__measure=measure).report
    assert report.pid is not None
    assert {report.pid.measure, *(one.measure for one in report.one_versus_rest)} == {measure}


@pytest.mark.parametrize("rows", [2, 40])
def test_without_heads_rows_that_are_too_few_or_too_alike_tell_nothing(rows: int) -> None:
    rng = np.random.default_rng(0)
    codes = [rng.normal(size=(rows, 3)) for _ in range(2)]
    score = rng.normal(size=rows) if rows < 3 else np.full(rows, 0.3)
    found = information_of_codes(codes, score, [1, 2, 3], load_settings("paper"), rng)
    assert found == {1: 0.0, 2: 0.0, 3: 0.0}


def codes_of(report: Report) -> set[str]:
    return {diagnostic.code for diagnostic in report.diagnostics}


def test_a_modality_whose_encoder_cannot_read_it_is_told_from_one_that_is_read() -> None:
    arrays = linear_arrays(800)
    waves = np.sin(4 * arrays.features["b"][:, 0].astype(float))
    # Trees see waves; ridge regression does not, nor a code that is linear.
    blind = replace(arrays, target=2 * waves + arrays.features["a"][:, 0])
    linear = {"network__encoder__kinds": {"b": "linear"}, "information__interactions": "none"}
    assert "training.starved_modality" in codes_of(fitted(blind, **linear).report)
    assert "training.starved_modality" not in codes_of(fitted(arrays, **linear).report)


def test_stage_1_is_told_to_the_report_epoch_by_epoch() -> None:
    fit = fitted(linear_arrays(), stage1__max_epochs=3)
    facts = fusion_facts(quick_settings(), Protocol("folds", 2), fit.outcome)
    assert facts.stage1_atoms.shape == (facts.stage1_epochs, 4)
    assert facts.window == 1
    last = [r for r in fit.outcome.deployed.ledger.history if r.stage == 1][-1]
    assert facts.stage1_atoms[-1].tolist() == list(last.atoms.values())


def test_small_trees_see_what_ridge_regression_does_not_and_bear_missing_cells() -> None:
    arrays = linear_arrays(900)
    curved = replace(arrays, target=np.square(arrays.features["a"][:, 0].astype(float)))
    spoiled = curved.features["b"].copy()
    spoiled[::3] = np.nan
    curved = replace(curved, features={**curved.features, "b": spoiled})
    train, new = curved.take(np.arange(600)), curved.take(np.arange(600, 900))
    trees, ridge = tree_predictions(train, new), ridge_predictions(train, new)
    assert (
        np.corrcoef(trees, new.required_target)[0, 1]
        > 0.9
        > 0.5
        > np.corrcoef(ridge, new.required_target)[0, 1]
    )


def test_columns_and_modalities_without_a_training_value_do_not_end_a_fit() -> None:
    arrays = linear_arrays(120)
    gone = arrays.features["b"].copy()
    gone[:, 1] = np.nan
    empty = replace(arrays, features={**arrays.features, "b": gone})
    assert np.isfinite(fitted(empty).report.metrics.test.rmse)
    nothing = replace(arrays, features={**arrays.features, "b": np.full_like(gone, np.nan)})
    predicted = tree_predictions(nothing.only("b"), nothing.only("b"))
    np.testing.assert_allclose(predicted, arrays.required_target.mean())


LOSSES = [(1.0, 0.5), (0.9, 0.7), (1.1, 0.3), (1.2, 0.3)]
"""Validation errors of the prediction and of the heads of single modalities, epoch by epoch."""


def one_epoch_and(least: int, most: int) -> dict[str, object]:
    """Settings of a stage 1 of one epoch, and a stage 2 of so many."""
    bounds = {"stage1": (1, 1), "stage2": (least, most)}
    names = ("min_epochs", "max_epochs")
    return {f"{s}__{n}": e for s, epochs in bounds.items() for n, e in zip(names, epochs, strict=True)}


def test_the_epoch_with_the_least_errors_of_prediction_and_heads_is_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = cycle([(2.0, 2.0), *LOSSES])
    monkeypatch.setattr(ModelFit, "_validation_losses", lambda _: next(told))
    for ledger in fitted(linear_arrays(), **one_epoch_and(4, 4), network__further=[]).outcome.histories:
        assert (ledger.best_epoch, ledger.best_loss, ledger.best_criterion) == (3, 1.1, pytest.approx(1.4))
        assert [record.valid_loss for record in ledger.history] == [2.0, *(loss for loss, _ in LOSSES)]


def test_stage_2_ends_after_as_many_epochs_without_a_better_one_as_it_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    told = cycle([(2.0, 0.0), *((loss, 0.0) for loss in (1.0, 0.8, 0.9, 0.85, 0.8))])
    monkeypatch.setattr(ModelFit, "_validation_losses", lambda _: next(told))
    asked = one_epoch_and(1, 20) | {"stage2__patience": 3, "network__further": []}
    for ledger in fitted(linear_arrays(), **asked).outcome.histories:
        # As good as the best is no better.
        assert (ledger.best_epoch, ledger.best_loss, ledger.epoch) == (2, 0.8, 5)


@pytest.mark.parametrize("hides", [True, False])
def test_hidden_modalities_are_marked_in_training_and_nowhere_else(hides: bool) -> None:
    changed = {"training__modality_dropout": 0.3} if hides else {}
    fit = fitted(linear_arrays(), **changed)
    model = fit.outcome.deployed.model
    assert [one.marks_absence for one in model.transforms.features.values()] == [hides] * 2
    assert model.transforms.inputs(linear_arrays(), torch.device("cpu"))[0].shape[1] == 6 + hides


@pytest.mark.parametrize(("changed", "judged"), [({}, False), ({"stage2__criterion": "codes"}, True)])
def test_heads_judge_an_epoch_where_they_are_asked(changed: dict[str, object], judged: bool) -> None:
    for ledger in fitted(linear_arrays(), network__further=[], **changed).outcome.histories:
        assert ledger.best_loss is not None
        assert ledger.best_criterion is not None
        assert (ledger.best_criterion > ledger.best_loss) is judged
        kept = [one.criterion for one in ledger.history if one.stage == 2 and one.criterion is not None]
        assert (min(kept), kept.index(min(kept)) + 1) == (ledger.best_criterion, ledger.best_epoch)


def test_heads_that_do_not_train_judge_nothing() -> None:
    changed: dict[str, object] = {"stage2__criterion": "codes", "loss__sufficiency": 0.0}
    for ledger in fitted(linear_arrays(), network__further=[], **changed).outcome.histories:
        assert ledger.best_criterion == ledger.best_loss


def test_an_earlier_checkpoint_kept_its_epoch_by_the_loss() -> None:
    document = Ledger(best_loss=0.5, best_epoch=3).to_document()
    del document["best_criterion"]
    assert Ledger.from_document(document).best_criterion == 0.5
    document = Ledger(best_loss=0.5, best_criterion=0.9).to_document()
    assert Ledger.from_document(document).best_criterion == 0.9


def test_a_head_that_is_worse_than_the_mean_counts_as_the_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    def wild(network: PIDRegNetwork, inputs: list[Tensor]) -> Tensor:
        found = predict_with_heads(network, inputs)
        found[:, 2] = 1e3
        return found

    monkeypatch.setattr(model_fit, "predict_with_heads", wild)
    for ledger in fitted(linear_arrays(), network__further=[], stage2__criterion="codes").outcome.histories:
        assert ledger.best_loss is not None
        assert ledger.best_criterion is not None
        # The score has a variance of about one, and half of it is what the other head can err less than.
        assert ledger.best_loss < ledger.best_criterion < ledger.best_loss + 2
