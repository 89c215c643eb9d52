"""Retraining: the right sets on the same rows, compared in pairs; and recommendations that hold or fall by it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.decisions.selection import Rule
from pidreg_cli.fitting import TableSource, fit_arrays
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.serialise import to_json
from pidreg_cli.selecting.of_table import select_table
from pidreg_cli.selecting.verifying import HeldErrors, Retraining, compared, narrowed, verified
from pidreg_cli.training import workers, worthwhile
from pidreg_cli.training.progress import Progress, Silent
from tests.training.conftest import linear_arrays, quick_settings

Floats = NDArray[np.float64]
SOURCE = TableSource(("table.parquet",), "sha256:0", "y")


def held(errors: Floats, score: Floats | None = None) -> HeldErrors:
    rows = np.arange(len(errors))
    score = errors if score is None else score
    mean = np.full(len(errors), 9.0)
    scores = np.column_stack([mean, score])
    return HeldErrors(rows, rows, errors, mean, scores, np.zeros_like(scores))


def test_a_comparison_of_errors_by_hand() -> None:
    rng = np.random.default_rng(0)
    noise = rng.chisquare(1, 400)
    found = compared(held(1.21 * noise, 4 * noise), held(noise, noise), Rule(), 0.0, 0, 0.95)
    assert found.loss == pytest.approx(0.1)
    # Errors that differ by a factor everywhere differ by it with certainty.
    assert found.loss_interval == pytest.approx((0.1, 0.1))
    assert found.bits == pytest.approx(1.0)
    assert found.bits_interval == pytest.approx((1.0, 1.0))
    assert found.rmse_all == pytest.approx(np.sqrt(noise.mean()))
    assert not found.good


def test_pairs_tell_more_than_two_samples_would() -> None:
    rng = np.random.default_rng(1)
    noise = rng.chisquare(1, 400)
    found = compared(held(noise * 1.02), held(noise + 1e-3 * rng.random(400)), Rule(), 0.0, 0, 0.95)
    low, high = found.loss_interval
    assert high - low < 0.005 < 1 / np.sqrt(400)


def test_rows_must_be_the_same() -> None:
    errors = np.ones(40)
    other = replace(held(errors), rows=np.arange(1, 41))
    with pytest.raises(ValueError, match="different rows"):
        compared(other, held(errors), Rule(), 0.0, 0, 0.95)


def test_settings_of_some_modalities_speak_of_no_others() -> None:
    settings = quick_settings(
        network__encoder__kinds={"a": "mlp", "b": "linear"}, selection__cost={"b": 3.0}, selection__budget=3.0
    )
    found = narrowed(settings, ("a",))
    assert found.network.encoder.kinds == {"a": "mlp"}
    assert (found.selection.cost, found.selection.budget) == ({}, None)
    assert found.seed == settings.seed


def settings(**changed: object) -> Settings:
    longer = {
        "features__boosted": "off",
        "stage2__max_epochs": 12,
        "network__encoder__kind": "linear",
        "training__learning_rate": 0.03,
    }
    return quick_settings(**(longer | changed))


def table(columns: dict[str, Floats], target: Floats) -> MultimodalArrays:
    features = {name: values[:, None].astype(np.float32) for name, values in columns.items()}
    return MultimodalArrays(
        features, {name: (f"{name}__0",) for name in columns}, target, np.arange(len(target))
    )


def decided(arrays: MultimodalArrays, **changed: object) -> Report:
    chosen = settings(**changed)
    fit = fit_arrays(arrays, SOURCE, chosen, Silent())
    return verified(fit.report, HeldErrors.of_fit(fit), Retraining(fit.arrays, SOURCE, chosen, Silent()))


def outcome(report: Report) -> tuple[tuple[str, ...], bool]:
    assert report.selection is not None
    assert report.selection.verification is not None
    return report.selection.recommended, report.selection.verification.confirmed


def test_of_two_copies_one_goes_and_retraining_agrees() -> None:
    rng = np.random.default_rng(0)
    common, noise, jitter = rng.standard_normal((3, 300))
    report = decided(table({"a": common, "b": common + 0.001 * jitter}, common + 0.5 * noise))
    kept, confirmed = outcome(report)
    assert len(kept) == 1
    assert confirmed


@pytest.mark.parametrize("weak", ["useless", "dominated"])
def test_beside_a_dominant_modality_a_weak_one_goes_and_retraining_agrees(weak: str) -> None:
    rng = np.random.default_rng(6)
    strong, own, noise = rng.standard_normal((3, 300))
    other = own if weak == "useless" else strong + own
    report = decided(table({"a": strong, "b": other}, strong + 0.3 * noise))
    assert outcome(report) == (("a",), True)


def test_nothing_informative_is_compared_with_the_mean_and_not_trained_again() -> None:
    rng = np.random.default_rng(1)
    a, b, target = rng.standard_normal((3, 300))
    report = decided(table({"a": a, "b": b}, target))
    assert outcome(report) == ((), True)
    assert report.selection is not None
    assert report.selection.verification is not None
    assert "predicting the mean" in report.selection.verification.sentence


@pytest.mark.slow
def test_a_pair_that_tells_only_together_stays_and_a_useless_third_goes() -> None:
    rng = np.random.default_rng(2)
    a, b, c, noise = rng.standard_normal((4, 800))
    chosen = {"stage2__max_epochs": 40, "network__encoder__kind": "mlp", "training__learning_rate": 0.01}
    report = decided(table({"a": a, "b": b, "c": c}, a * b + 0.3 * noise), **chosen)
    assert outcome(report) == (("a", "b"), True)


def test_three_of_five_matter_and_the_expensive_useless_ones_go() -> None:
    rng = np.random.default_rng(3)
    a, b, c, d, e, noise = rng.standard_normal((6, 300))
    columns = {"a": a, "b": b, "c": c, "d": d, "e": e}
    report = decided(
        table(columns, a + 0.7 * c + 0.5 * e + 0.3 * noise), selection__cost={"b": 100.0, "d": 1200.0}
    )
    assert outcome(report) == (("a", "c", "e"), True)
    assert report.selection is not None
    assert "at a cost of 1300" in report.selection.reason


class Tasks(Silent):
    """What was trained, with everything told beside it."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    def begin(self, task: str, epochs: int) -> None:
        self.begun.append(task)


def split_of(arrays: MultimodalArrays) -> MultimodalArrays:
    part = np.array(["train"] * 7 + ["valid"] + ["test"] * 2)
    return replace(arrays, split=np.resize(part, arrays.rows))


IN_FOLDS = replace(linear_arrays(400), groups=np.repeat(np.arange(100), 4))
SPLIT_ONCE = split_of(linear_arrays(2000))


@pytest.mark.parametrize(
    ("arrays", "folds", "models"),
    [(IN_FOLDS, 2, {"fold 1 of 2", "fold 2 of 2"}), (SPLIT_ONCE, "auto", {"model"})],
)
def test_retraining_errs_as_a_fit_of_these_modalities_and_trains_no_model_to_deploy(
    arrays: MultimodalArrays, folds: object, models: set[str]
) -> None:
    chosen = settings(folds=folds, stage2__max_epochs=3)
    tasks = Tasks()
    found = Retraining(arrays, SOURCE, chosen, tasks).of(("a",))
    fit = fit_arrays(arrays.only("a"), SOURCE, chosen, Silent())
    for name, expected in vars(HeldErrors.of_fit(fit)).items():
        np.testing.assert_array_equal(getattr(found, name), expected, err_msg=name)
    assert {task.split(",")[0] for task in tasks.begun} == models


@pytest.fixture
def pools(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Processes, however short the trainings are: how many were begun each time."""
    monkeypatch.setattr(worthwhile, "STEPS_WORTH_PROCESSES", 0)
    made: list[int] = []
    real = workers._Pool

    def counted(count: int, progress: Progress) -> workers._Pool:
        made.append(count)
        return real(count, progress)

    monkeypatch.setattr(workers, "_Pool", counted)
    return made


def test_side_by_side_the_same_is_verified_by_processes_begun_once(pools: list[int], tmp_path: Path) -> None:
    arrays = linear_arrays()
    columns = {f"{name}__{i}": block[:, i] for name, block in arrays.features.items() for i in range(3)}
    file = tmp_path / "table.parquet"
    pq.write_table(pa.table(columns | {"target": arrays.required_target}), file)
    one, two = (
        select_table([file], settings(threads=threads), Silent(), verify=True).model_copy(
            update={"created_at": "-", "threads": 1}
        )
        for threads in (1, 2)
    )
    assert one.selection is not None
    assert one.selection.verification is not None
    assert one.selection.verification.protocol == "folds"
    assert to_json(one) == to_json(two)
    assert pools == [2]


def test_all_are_kept_where_the_least_needed_is_missed() -> None:
    rng = np.random.default_rng(4)
    a, b, noise = rng.standard_normal((3, 300))
    report = decided(table({"a": a, "b": b}, a + 0.8 * b + 0.3 * noise))
    assert outcome(report) == (("a", "b"), True)
    assert report.selection is not None
    assert report.selection.verification is not None
    assert report.selection.verification.modalities == ("a",)
    assert "the least needed" in report.selection.verification.sentence
