from __future__ import annotations

import numpy as np
import pytest
import torch

from pidreg_cli.data.counted import Counted
from pidreg_cli.decisions import data_checks, information_checks, training_checks
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.information.debiased import ReadoutSize
from pidreg_cli.information.intervals import jackknife_of_errors
from pidreg_cli.network.fusion import Fusion


def expect(found: Diagnostic | None, code: str, *words: str) -> Diagnostic:
    assert found is not None
    assert found.code == code
    assert found.hint
    for word in words:
        assert word in found.message, found.message
    return found


def test_target_with_few_values() -> None:
    found = expect(
        data_checks.target_not_continuous(Counted.of(np.arange(500.0) % 7), "stage"),
        "data.target_not_continuous",
        "'stage'",
        "7 distinct values",
    )
    assert found.value == 7


def test_target_with_a_heavy_tie() -> None:
    target = np.random.default_rng(0).standard_normal(500)
    assert data_checks.target_not_continuous(Counted.of(target), "y") is None
    target[:150] = 0
    found = expect(
        data_checks.target_not_continuous(Counted.of(target), "y"),
        "data.target_not_continuous",
        "value 0 in 30%",
    )
    assert found.value == pytest.approx(0.3)


def test_age_in_years_is_continuous_enough() -> None:
    ages = np.random.default_rng(0).integers(20, 90, 2000).astype(float)
    assert data_checks.target_not_continuous(Counted.of(ages), "age") is None


def test_rows_without_target_are_counted() -> None:
    assert data_checks.missing_target(100, 0, "y") is None
    found = expect(data_checks.missing_target(10_000, 1_200, "y"), "data.missing_target", "1,200 of 10,000")
    assert found.severity == "warning"


def test_constant_features_are_named_up_to_five() -> None:
    assert data_checks.constant_features("lab", ()) is None
    expect(data_checks.constant_features("lab", ("x",)), "data.constant_features", "x of 'lab' has")
    many = tuple(f"x{i}" for i in range(9))
    expect(data_checks.constant_features("lab", many), "data.constant_features", "x4 and 4 more", "have")


def test_leaked_targets_are_named() -> None:
    assert data_checks.leaked_target("y", {}) is None
    found = data_checks.leaked_target("y", {("a", "copy"): 0.9995, ("b", "scaled"): 0.9985})
    assert found is not None
    assert (found.code, found.severity, found.value) == ("data.leaked_target", "warning", 0.9995)
    assert found.message.startswith(
        "'copy' of 'a' and 'scaled' of 'b' each alone determine 'y' almost wholly"
    )


@pytest.mark.parametrize(("share", "severity"), [(0.01, "info"), (0.05, "warning"), (0.5, "warning")])
def test_absent_modality(share: float, severity: str) -> None:
    assert data_checks.absent_modality("pet", 0) is None
    assert expect(data_checks.absent_modality("pet", share), "data.absent_modality").severity == severity


def test_few_rows() -> None:
    assert data_checks.few_rows(200) is None
    expect(data_checks.few_rows(199), "information.few_rows", "199")


def test_total_by_p_value_before_interval() -> None:
    rng = np.random.default_rng(0)
    target, other = rng.standard_normal((2, 400))
    nothing = jackknife_of_errors(
        np.column_stack([target**2, (target - 0.1 * other) ** 2]), np.arange(400) % 30
    )
    something = jackknife_of_errors(np.column_stack([target**2, (0.5 * target) ** 2]), np.arange(400) % 30)
    check = information_checks.indistinguishable_total
    code = "information.indistinguishable_from_zero"
    expect(check(nothing, None, 0.95, "products"), code)
    assert check(something, None, 0.95, "products") is None
    assert check(nothing, 0.01, 0.95, "products") is None
    assert expect(check(something, 0.2, 0.95, "products"), code).value == 0.2
    assert check(None, None, 0.95, "products") is None
    assert "--interactions products" in expect(check(nothing, None, 0.95, "none"), code).hint


def test_order_of_the_two_largest_singles() -> None:
    rng = np.random.default_rng(1)
    target, a, b = rng.standard_normal((3, 600))
    views = [target + 2 * a, target + 2 * b, target + 30 * a]
    errors = [target**2]
    for mask in range(1, 8):
        chosen = np.column_stack([views[i] for i in range(3) if mask >> i & 1])
        errors.append((target - chosen @ np.linalg.lstsq(chosen, target, rcond=None)[0]) ** 2)
    jackknife = jackknife_of_errors(np.column_stack(errors), np.arange(600) % 30)
    v = jackknife.estimate
    check = information_checks.unresolved_order
    names = ("left", "right", "weak")
    found = expect(check(jackknife, v, names, 0.95), "information.order_unresolved", "left", "right")
    assert found.value is not None
    assert found.value >= 0
    pair = jackknife_of_errors(np.column_stack(errors)[:, [0, 1, 4, 5]], np.arange(600) % 30)
    assert check(pair, pair.estimate, ("left", "weak"), 0.95) is None
    assert check(None, v, names, 0.95) is None


def test_repair_says_how_much() -> None:
    raw = np.array([0, -0.04, 0.5, 0.49])
    found = expect(
        information_checks.repaired(raw, np.array([0, 0, 0.5, 0.5])),
        "information.repaired",
        "0.040",
        "-0.040",
    )
    assert (found.severity, found.value) == ("warning", pytest.approx(0.04))
    assert information_checks.repaired(raw[[0, 2]], raw[[0, 2]]) is None


def test_a_plug_in_estimate_is_told_to_be_too_high_below_36_rows_per_feature() -> None:
    assert information_checks.too_high_plugin(ReadoutSize(100, 0, 3800.0)) is None
    assert information_checks.too_high_plugin(ReadoutSize(100, 0, 3500.0)) is not None
    found = information_checks.too_high_plugin(ReadoutSize(100, 0, 200.0), folds=True)
    assert found is not None
    assert (found.code, found.severity) == ("information.plugin", "warning")
    assert found.value == pytest.approx(0.5, abs=0.01)
    assert "by about 0.51 bits" in found.message
    assert "100 features on 200 rows of each model" in found.message


def test_boosted_scores_tell_which_models_read_them() -> None:
    assert training_checks.boosted_scores(0, 6) is None
    found = expect(training_checks.boosted_scores(6, 6), "training.boosted_scores", "The encoders also")
    assert (found.severity, found.value) == ("info", 1)
    some = expect(training_checks.boosted_scores(2, 6), "training.boosted_scores", "In 2 of 6 models")
    assert some.value == pytest.approx(1 / 3)


def test_encoders_that_trials_chose_are_told() -> None:
    assert training_checks.chosen_encoders([]) is None
    assert training_checks.chosen_encoders([None, None]) is None
    found = expect(
        training_checks.chosen_encoders(["fourier"]), "training.chosen_encoders", "Encoders without"
    )
    assert (found.severity, found.value) == ("info", 1)
    some = expect(
        training_checks.chosen_encoders(["fourier", None]), "training.chosen_encoders", "In 1 of 2 models"
    )
    assert some.value == 0.5


def test_smaller_batches_name_the_least_and_how_to_train_so() -> None:
    assert training_checks.smaller_batch(()) is None
    assert training_checks.smaller_batch((None, None)) is None
    found = expect(training_checks.smaller_batch((None, 128, 64)), "training.smaller_batch", "64", "2 of 3")
    assert (found.severity, found.value) == ("warning", 64)
    assert "--set training.batch_size=64 --set training.largest_batch=64" in found.hint
    assert "models" not in expect(training_checks.smaller_batch((32,)), "training.smaller_batch").message


def test_memory_of_a_device_is_told_where_it_is_known() -> None:
    assert training_checks.device_memory("cpu", None) is None
    found = expect(training_checks.device_memory("cuda:1", 320_000_000), "training.device_memory", "320 MB")
    assert (found.severity, found.value) == ("info", 320_000_000)
    assert "'cuda:1'" in found.message


@pytest.mark.parametrize(("rows", "trained"), [(50, 40), (400, 100), (2000, 300)])
def test_targets_beyond_those_that_trained_are_told_from_chance(rows: int, trained: int) -> None:
    rng = np.random.default_rng(0)
    drawn = rng.standard_normal((4000, trained + rows))
    ends = drawn[:, :trained].min(1, keepdims=True), drawn[:, :trained].max(1, keepdims=True)
    new = drawn[:, trained:]
    counts = ((new < ends[0]) | (new > ends[1])).sum(1)
    for count in range(1, int(counts.max())):
        seen = (counts >= count).mean()
        bound = data_checks.chance_outside(count, rows, trained)
        # The bound is on the safe side, and no further than twice off where it decides nothing yet.
        assert seen <= bound + 4 * np.sqrt(bound / len(counts))
        if bound > 0.05:
            assert bound < 2 * seen
    warned = [data_checks.target_outside("y", int(count), rows, trained) is not None for count in counts]
    assert np.mean(warned) <= 0.002
    assert data_checks.target_outside("y", rows // 2, rows, trained) is not None


def test_few_targets_beyond_many_that_trained_change_little() -> None:
    assert data_checks.chance_outside(90, 10_000, 10_000) < 1e-20
    assert data_checks.target_outside("y", 90, 10_000, 10_000) is None
    found = data_checks.target_outside("y", 200, 10_000, 10_000)
    expect(found, "data.target_outside", "2%", "'y'")


def test_unconverged_weights_say_by_how_much() -> None:
    assert training_checks.unconverged_weights(True, 0.5, 0.01, "stage1.max_steps") is None
    found = expect(
        training_checks.unconverged_weights(False, 0.034, 0.01, "stage1.max_steps"),
        "training.weights_not_converged",
        "0.034",
        "0.01",
    )
    assert found.value == 0.034
    assert "stage1.max_steps ended it" in found.hint
    expect(
        training_checks.unconverged_weights(False, None, None, "stage1.max_epochs"),
        "training.weights_not_converged",
    )
    calm = training_checks.unconverged_weights(False, 0.007, 0.01, "stage1.max_epochs")
    expect(calm, "training.weights_not_converged", "less than 0.01", "not for long enough")


def test_worse_than_baseline() -> None:
    assert training_checks.worse_than_baseline(1.0, 1.0, "ridge") is None
    expect(training_checks.worse_than_baseline(1.1, 1.0, "ridge"), "training.worse_than_baseline", "ridge")


def test_starved_modality() -> None:
    check = training_checks.starved_modality
    assert check("b", 0.3, 0.35) is None
    assert check("b", 0.0, 0.04) is None
    assert check("b", 0.1, float("nan")) is None
    found = expect(
        check("b", 0.05, 0.4), "training.starved_modality", "'b'", "5%", "40%", "0.04 and 0.37 bits"
    )
    assert "loss.sufficiency" in found.hint


def alternating(swing: float, epochs: int) -> np.ndarray:
    """Atoms of two modalities of which one swings about .5 bits."""
    atoms = np.full((epochs, 4), 0.5)
    atoms[:, 1] += swing / 2 * (-1.0) ** np.arange(epochs)
    return atoms


def test_oscillating_weights() -> None:
    check = training_checks.oscillating_weights
    found = expect(check(alternating(0.2, 12), 0.05), "training.weights_oscillate", "0.200")
    assert "training.batch_size" in found.hint
    assert check(alternating(0.04, 12), 0.05) is None
    assert check(alternating(0.2, 4), 0.05) is None
    rising = np.linspace(0, 3, 12)[:, None] * np.ones(4)
    assert check(rising, 0.05) is None
    assert check(np.vstack([alternating(0.5, 5), np.full((12, 4), 0.5)]), 0.05) is None


def test_vanished_synergy() -> None:
    check = training_checks.vanished_synergy
    falling = np.array([0.0, 0.2, 0.3, 0.3, 0.2, 0.05, 0.01, 0.0, 0.0])
    found = expect(check(falling), "training.synergy_vanished", "0.267", "0.003")
    assert "loss.conditional" in found.hint
    assert check(falling[::-1]) is None
    assert check(0.1 * falling) is None
    assert check(falling[:3]) is None
    assert check(np.array([0.0, 0.1, 0.4, 0.4, 0.3, 0.3, 0.3])) is None


def test_collapsed_synergy() -> None:
    assert training_checks.collapsed_synergy(0.2, 0.5) is None
    assert training_checks.collapsed_synergy(0.0, 0.02) is None
    expect(training_checks.collapsed_synergy(0.001, 0.5), "training.synergy_collapse", "50%")


def test_a_floor_keeps_products_in_the_fusion() -> None:
    for floor, collapsed in ((0.0, True), (0.7, False)):
        fusion = Fusion(2, floor)
        fusion.weights.copy_(torch.tensor([0.5, 0.5, 0.0]))
        share = float(fusion.gains[2:].square().sum())
        assert (training_checks.collapsed_synergy(share, 0.5) is not None) is collapsed


def test_codes_not_normal() -> None:
    assert training_checks.codes_not_normal(0.004) is None
    expect(training_checks.codes_not_normal(0.157), "training.codes_not_normal", "0.157")
