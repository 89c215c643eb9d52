"""``network.encoder.kind: auto``: short trainings choose the encoders, by validation rows and by a clear gain alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from pidreg_cli.config.loading import load_settings
from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.synthetic.mixing import shown_features
from pidreg_cli.errors import TrainingError
from pidreg_cli.fitting import Fit
from pidreg_cli.network.encoders import EncoderKind
from pidreg_cli.training import encoder_choice, worthwhile
from pidreg_cli.training.model_fit import NetworkTraining, TrainedModel
from pidreg_cli.training.progress import Silent
from tests.training.conftest import FolderStore, linear_arrays, quick_settings
from tests.training.test_fit import Stopping, files, fitted
from tests.training.test_model_choice import TREES, Noticing, split_of
from tests.training.test_workers import without_threads

AUTO = {
    "network__encoder__kind": "auto",
    "network__encoder__width": 64,
    "network__further": ["piecewise"],
    "features__boosted": "off",
    "training__learning_rate": 0.003,
    "stage2__max_epochs": 12,
    "folds": "auto",
}
ROWS = 14_000
TRIALS = ["model, trial of mlp encoders", "model, trial of fourier encoders"]


def folded(rows: int = 4000) -> MultimodalArrays:
    """The target is the sum of a latent of each modality, which strong mixing folds over others."""
    rng = np.random.default_rng(0)
    latents = {name: rng.normal(size=(rows, 3)) for name in "ab"}
    features = {name: shown_features(z, name, "strong").astype(np.float32) for name, z in latents.items()}
    target = sum(z[:, 0] for z in latents.values()) + 0.1 * rng.normal(size=rows)
    columns = {name: tuple(f"{name}__{i}" for i in range(24)) for name in "ab"}
    return split_of(MultimodalArrays(features, columns, target, np.arange(rows)))


@pytest.fixture(scope="module")
def unfolded() -> tuple[Fit, list[str]]:
    progress = Noticing()
    return fitted(folded(), progress, **AUTO), progress.notices


def kinds(fit: Fit) -> list[str]:
    """Of the networks of the deployed model, all of whose encoders are of one kind."""
    found = [{e.kind for e in network.shape.encoders} for network in fit.outcome.deployed.model.networks]
    assert all(len(kind) == 1 for kind in found)
    return [kind for [kind] in found]


def test_folded_latents_get_sines_of_all_features_in_every_network(unfolded: tuple[Fit, list[str]]) -> None:
    fit, notices = unfolded
    assert kinds(fit) == ["fourier", "fourier"]
    networks = fit.outcome.deployed.model.networks
    assert [encoder.dropout for network in networks for encoder in network.shape.encoders] == [0.0] * 4
    usual = fitted(folded(), **(AUTO | {"network__encoder__kind": "mlp"}))
    assert fit.report.metrics.test.rmse < 0.95 * usual.report.metrics.test.rmse
    assert notices[0].startswith("model: encoders are of kind fourier (validation RMSE of short trainings ")


def test_history_and_diagnostics_tell_of_the_choice(unfolded: tuple[Fit, list[str]]) -> None:
    fit, _ = unfolded
    [ledger] = fit.outcome.histories
    told = list(dict.fromkeys(record.model for record in ledger.history))
    assert told == [*TRIALS, "model", "model, network 2"]
    [found] = [d for d in fit.report.diagnostics if d.code == "training.chosen_encoders"]
    assert (found.severity, found.value) == ("info", 1)
    assert "Encoders without a kind of their own are of kind fourier" in found.message


def test_without_a_clear_gain_everything_is_as_with_the_usual_encoders() -> None:
    arrays = split_of(linear_arrays(2000))
    progress = Noticing()
    auto = fitted(arrays, progress, **AUTO)
    usual = fitted(arrays, **(AUTO | {"network__encoder__kind": "mlp"}))
    assert kinds(auto) == ["mlp", "piecewise"]
    assert progress.notices == []
    np.testing.assert_array_equal(auto.outcome.held_out.prediction, usual.outcome.held_out.prediction)
    assert not [d for d in auto.report.diagnostics if d.code == "training.chosen_encoders"]
    assert {record.model for record in auto.outcome.histories[0].history} >= set(TRIALS)


@pytest.mark.parametrize(
    ("arrays", "options"),
    [
        (linear_arrays(900), {"folds": 2}),
        (split_of(linear_arrays(2000)), {"network__encoder__kinds": {"a": "linear", "b": "mlp"}}),
        (replace(split_of(linear_arrays(2000)), lists=frozenset("ab")), {}),
    ],
    ids=["few rows", "kinds of their own", "lists"],
)
def test_nothing_is_tried_where_nothing_can_be_chosen(
    arrays: MultimodalArrays, options: dict[str, object]
) -> None:
    ledgers = fitted(arrays, **(AUTO | options)).outcome.histories
    assert not [record.model for ledger in ledgers for record in ledger.history if "trial" in record.model]


@pytest.mark.parametrize(
    "within",
    [
        pytest.param(TRIALS[0], marks=pytest.mark.slow),
        TRIALS[1],
        "model",
        pytest.param("model, network 2", marks=pytest.mark.slow),
    ],
)
def test_a_fit_that_breaks_off_ends_in_the_same_numbers(
    unfolded: tuple[Fit, list[str]], store: FolderStore, within: str
) -> None:
    models = [record.model for record in unfolded[0].outcome.histories[0].history]
    with pytest.raises(KeyboardInterrupt):
        fitted(folded(), Stopping(models.index(within) + 2), store, **AUTO)
    resumed = fitted(folded(), store=store, **AUTO)
    assert files(resumed) == files(unfolded[0])
    assert resumed.outcome.histories == unfolded[0].outcome.histories


def test_trials_side_by_side_choose_alike(
    unfolded: tuple[Fit, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worthwhile, "STEPS_WORTH_PROCESSES", 0)
    both = fitted(folded(), threads=2, **AUTO)
    assert without_threads(files(both)) == files(unfolded[0])


def test_folds_choose_each_and_leave_no_trials_behind(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    errors: list[tuple[float, float]] = []

    def every_second(usual: float, other: float, rows: int) -> EncoderKind:
        errors.append((usual, other))
        return "fourier" if len(errors) % 2 else "mlp"

    monkeypatch.setattr(encoder_choice, "suited", every_second)
    changed = AUTO | {"folds": 2, "stage2__max_epochs": 3}
    fit = fitted(replace(folded(2600), split=None), store=store, **changed)
    assert [ledger.chosen for ledger in fit.outcome.histories] == ["fourier", None, "fourier"]
    # Of each fold and of the last model by rows of its own.
    assert len(set(errors)) == 3
    left = {path.name for path in store.folder.iterdir()}
    assert {name for name in left if name.startswith("fold-")} == {"fold-0.safetensors", "fold-1.safetensors"}
    assert not [name for name in left if name.startswith(("checkpoint-0", "checkpoint-1"))]


def test_trees_come_after_the_choice_and_leave_other_networks_the_kinds_asked_for() -> None:
    fit = fitted(folded(2600), **(AUTO | TREES))
    assert kinds(fit) == ["fourier", "piecewise"]
    [ledger] = fit.outcome.histories
    assert (ledger.boosted, ledger.chosen) == (True, "fourier")
    assert next(iter(record.model for record in ledger.history)) == TRIALS[0]


def test_a_kind_of_its_own_stays(unfolded: tuple[Fit, list[str]]) -> None:
    fit = fitted(folded(), **(AUTO | {"network__encoder__kinds": {"a": "linear"}}))
    found = [[e.kind for e in network.shape.encoders] for network in fit.outcome.deployed.model.networks]
    assert found == [["linear", "fourier"]] * 2


def breaking(monkeypatch: pytest.MonkeyPatch, kinds: tuple[str, ...], code: str) -> None:
    """Trials of these kinds end with such an error."""
    real = NetworkTraining.__call__

    def broken(training: NetworkTraining, progress: Silent) -> TrainedModel:
        if training.task.trial in kinds:
            raise TrainingError(code, "it broke off", "none")
        return real(training, progress)

    monkeypatch.setattr(NetworkTraining, "__call__", broken)


@pytest.mark.parametrize("kinds", [("fourier",), ("mlp", "fourier")], ids=["one", "both"])
def test_a_trial_that_diverges_chooses_nothing(
    kinds: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    breaking(monkeypatch, kinds, "training.diverged")
    [ledger] = fitted(split_of(linear_arrays(2000)), **AUTO).outcome.histories
    assert ledger.chosen is None


def test_other_errors_of_a_trial_end_the_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    breaking(monkeypatch, ("fourier",), "training.worker_killed")
    with pytest.raises(TrainingError, match="it broke off"):
        fitted(split_of(linear_arrays(2000)), **AUTO)


def test_a_trial_is_short_however_long_a_training_is() -> None:
    settings = quick_settings(
        network__encoder__kind="auto", stage1__max_epochs=50, stage2__min_epochs=20, stage2__max_epochs=100
    )
    trial = encoder_choice.trial_of(settings, "fourier")
    assert (trial.stage1.max_epochs, trial.stage2.min_epochs, trial.stage2.max_steps) == (1, 1, 600)
    assert trial.training.round_rows == 100_000
    shorter = settings.model_copy(update={"stage2": settings.stage2.model_copy(update={"max_steps": 50})})
    assert encoder_choice.trial_of(shorter, "mlp").stage2.max_steps == 50


def test_sines_train_shortly_and_never_longer_than_asked() -> None:
    settings = quick_settings(network__encoder__kind="auto", stage1__max_steps=300, stage2__max_steps=4000)
    sines = encoder_choice.with_encoders(settings, "fourier")
    assert (sines.stage1.max_steps, sines.stage2.max_steps) == (300, 2600)
    usual = encoder_choice.with_encoders(settings, "mlp")
    assert (usual.stage1, usual.stage2, usual.network.further) == (
        settings.stage1,
        settings.stage2,
        settings.network.further,
    )


def test_sines_weigh_what_a_code_tells_alone_and_kinds_are_compared_by_predictions() -> None:
    settings = load_settings("balanced")
    sines = encoder_choice.with_encoders(settings, "fourier")
    assert (sines.loss.sufficiency, sines.stage2.criterion) == (pytest.approx(3.0), "codes")
    assert sines.network.head_width == settings.network.predictor_width > settings.network.head_width
    assert sines.network.fusion_involvement == encoder_choice.INVOLVEMENT
    assert encoder_choice.trial_of(settings, "fourier").stage2.criterion == "prediction"
    usual = encoder_choice.with_encoders(settings, "mlp")
    assert (usual.loss, usual.stage2.criterion) == (settings.loss, "prediction")
    assert (usual.network.head_width, usual.network.fusion_involvement) == (64, 0.0)


@pytest.mark.parametrize(
    ("asked", "kept"),
    [
        ("loss.sufficiency=0", lambda s: s.loss.sufficiency == 0.0),
        ("loss.sufficiency=2", lambda s: s.loss.sufficiency == 2.0),
        ("network.head_width=16", lambda s: s.network.head_width == 16),
        ("network.head_dropout=0.1", lambda s: s.network.head_dropout == 0.1),
        ("network.encoder.wave_dropout=0.3", lambda s: s.network.encoder.wave_dropout == 0.3),
        ("network.encoder.wave_dropout=0", lambda s: s.network.encoder.wave_dropout == 0.0),
        ("network.fusion_involvement=0.5", lambda s: s.network.fusion_involvement == 0.5),
        ("stage1.max_steps=9000", lambda s: s.stage1.max_steps == 9000),
        ("stage2.max_steps=9000", lambda s: s.stage2.max_steps == 9000),
    ],
)
def test_what_was_asked_for_stays(asked: str, kept: Callable[[Settings], bool]) -> None:
    settings = encoder_choice.with_encoders(load_settings("balanced", assignments=[asked]), "fourier")
    assert kept(encoder_choice.with_dropout(settings, ROWS))


def test_what_reads_the_codes_has_dropout_but_in_trials() -> None:
    settings = load_settings("balanced")
    sines = encoder_choice.with_dropout(encoder_choice.with_encoders(settings, "fourier"), 200_000)
    assert sines.network.head_dropout == encoder_choice.HEAD_DROPOUT > settings.network.head_dropout
    trial = encoder_choice.trial_of(settings, "fourier").network
    assert (trial.head_dropout, trial.encoder.wave_dropout) == (0.0, None)


@pytest.mark.parametrize(
    ("rows", "changed", "rate"),
    [
        (20_991, [], 0.1),
        (20_992, [], None),
        (14_000, ["stage2.max_epochs=31"], None),
        (14_000, ["stage2.max_steps=100"], None),
        (14_000, ["stage2.max_steps=100", "stage2.min_epochs=32"], 0.1),
        (14_000, ["training.batch_size=128"], None),
        (10_000, ["training.batch_size=128"], 0.1),
        (14_000, ["training.round_rows=9000"], 0.1),
        (14_000, ["training.round_rows=1000"], None),
        (14_000, ["training.waves_learning_rate=null"], None),
    ],
)
def test_encoders_have_dropout_where_rows_are_seen_often(
    rows: int, changed: list[str], rate: float | None
) -> None:
    settings = encoder_choice.with_encoders(load_settings("balanced", assignments=changed), "fourier")
    assert encoder_choice.with_dropout(settings, rows).network.encoder.wave_dropout == rate


def test_encoders_of_networks_have_the_dropout_of_their_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """2,860 of 4,000 rows train, in 11 steps of an epoch, of which there are 12."""
    monkeypatch.setattr(encoder_choice, "MANY_PASSES", 12)
    fit = fitted(folded(), **(AUTO | {"stage1__max_epochs": 1, "network__encoder__kinds": {"a": "mlp"}}))
    networks = fit.outcome.deployed.model.networks
    dropout = load_settings("balanced").network.encoder.dropout
    assert [[encoder.dropout for encoder in network.shape.encoders] for network in networks] == [
        [dropout, encoder_choice.WAVE_DROPOUT]
    ] * 2


def test_a_preset_of_few_steps_keeps_them() -> None:
    fast = load_settings("fast", assignments=["network.encoder.kind=auto"])
    assert encoder_choice.with_encoders(fast, "fourier").stage2.max_steps == fast.stage2.max_steps < 2600


@pytest.mark.parametrize(
    ("usual", "other", "rows", "kind"),
    [
        (1.0, 0.91, 2000, "fourier"),
        (1.0, 0.93, 2000, "mlp"),
        (0.0, 0.0, 2000, "mlp"),
        (1.0, 0.86, 150, "mlp"),
        (1.0, 0.83, 150, "fourier"),
    ],
)
def test_only_a_clear_gain_decides(usual: float, other: float, rows: int, kind: str) -> None:
    assert encoder_choice.suited(usual, other, rows) == kind


def test_chance_alone_rarely_shows_a_clear_gain() -> None:
    """Of two predictions whose errors are alike but for chance, and correlate as those of networks do."""
    rng, rows = np.random.default_rng(0), 150
    common = rng.normal(size=(4000, 1, rows))
    errors = np.sqrt(0.87) * common + np.sqrt(0.13) * rng.normal(size=(4000, 2, rows))
    found = [encoder_choice.suited(*pair, rows) for pair in np.square(errors).mean(axis=2).tolist()]
    # One side of two standard errors.
    assert found.count("fourier") / len(found) < 0.035


def test_nothing_changes_that_nothing_follows_from() -> None:
    """Published there are no heads and no floor, and all parameters move by one optimiser."""
    paper = load_settings("paper", assignments=["network.encoder.kind=auto", "network.fusion_floor=0"])
    sines = encoder_choice.with_encoders(paper, "fourier")
    kind = sines.network.encoder.model_copy(update={"kind": "auto"})
    same = sines.model_copy(update={"network": sines.network.model_copy(update={"encoder": kind})})
    assert same == paper
