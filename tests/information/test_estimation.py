from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pidreg_cli.information.debiased import ReadoutSize, plugin_jackknife, scalar_bias
from pidreg_cli.information.errors import (
    CollinearColumnsError,
    ConstantColumnError,
    ConstantTargetError,
    DeterministicTargetError,
    NonFiniteError,
    ShapeError,
    TooFewRowsError,
    UnknownMeasureError,
)
from pidreg_cli.information.estimation import (
    Estimator,
    estimate_information,
    linear_informations,
)
from pidreg_cli.information.features import ReadoutBlocks
from pidreg_cli.information.gaussian import information_bias
from pidreg_cli.information.lattice import summary
from pidreg_cli.information.moments import Moments, merged


def noise(seed: int, rows: int, width: int) -> tuple[ReadoutBlocks, np.ndarray]:
    rng = np.random.default_rng(seed)
    codes = tuple(rng.standard_normal((rows, width)) for _ in range(2))
    return ReadoutBlocks(codes), rng.standard_normal(rows)


def test_null_data_reads_nothing_heldout_and_debiased_but_a_lot_plugin() -> None:
    totals = {name: [] for name in ("heldout", "debiased", "plugin")}
    for seed in range(6):
        blocks, y = noise(seed, 500, 64)
        for name, values in totals.items():
            estimate = estimate_information(blocks, y, np.random.default_rng(seed), name, "none")  # type: ignore[arg-type]
            values.append(estimate.raw[3] if name != "heldout" else estimate.values[3])
    assert max(totals["heldout"]) < 0.02
    assert abs(np.mean(totals["debiased"])) < 3 * np.std(totals["debiased"]) / np.sqrt(6)
    # The published estimate books 128 columns of noise as a fifth of a bit.
    assert min(totals["plugin"]) > 0.15


def test_estimators_agree_on_a_linear_system() -> None:
    rng = np.random.default_rng(1)
    m = rng.standard_normal(4000)
    codes = tuple((m + s * rng.standard_normal(4000))[:, None] for s in (1.0, np.sqrt(2.0)))
    truth = [0, 0.5, 0.292481, 0.660964]
    for name in ("heldout", "debiased", "plugin"):
        estimate = estimate_information(ReadoutBlocks(codes), m, rng, name)  # type: ignore[arg-type]
        assert estimate.values == pytest.approx(truth, abs=0.04)
        assert estimate.repair < 0.01
    assert summary(estimate.values).unique[0] == pytest.approx(0.2075, abs=0.04)


def test_repair_is_stated() -> None:
    blocks, y = noise(2, 200, 8)
    estimate = estimate_information(blocks, y, np.random.default_rng(0))
    assert estimate.repair == pytest.approx(np.max(np.abs(estimate.values - estimate.raw)))
    assert estimate.repair > 0


@pytest.mark.parametrize("estimator", ["debiased", "plugin"])
def test_a_row_without_weight_is_not_there(estimator: Estimator) -> None:
    blocks, y = noise(10, 200, 3)
    weights = np.repeat([1.0, 0.0], 100)
    weighted = ReadoutBlocks(blocks.codes, {}, weights)
    kept = ReadoutBlocks(tuple(np.asarray(code)[:100] for code in blocks.codes))
    found = estimate_information(weighted, y, np.random.default_rng(0), estimator)
    expected = estimate_information(kept, y[:100], np.random.default_rng(0), estimator)
    assert found.raw == pytest.approx(expected.raw)


def test_groups_stay_together() -> None:
    """Rows repeated five times: only folds that keep the copies together see that there is nothing."""
    blocks, y = noise(3, 60, 10)
    copies = np.repeat(np.arange(60), 5)
    repeated = ReadoutBlocks(tuple(np.asarray(code)[copies] for code in blocks.codes))
    apart = estimate_information(repeated, y[copies], np.random.default_rng(0), interactions="none")
    together = estimate_information(
        repeated, y[copies], np.random.default_rng(0), interactions="none", groups=copies
    )
    assert apart.values[3] > 0.2
    assert together.values[3] < 0.05


def test_unknown_estimator_is_named() -> None:
    with pytest.raises(UnknownMeasureError, match="bootstrap"):
        estimate_information(*noise(4, 50, 2), np.random.default_rng(0), "bootstrap")  # type: ignore[arg-type]


@pytest.mark.parametrize("estimator", ["heldout", "debiased", "plugin"])
@pytest.mark.parametrize("shape", [np.square, np.copy])
def test_a_target_that_a_code_determines_has_no_finite_information(
    estimator: Estimator, shape: Callable[[np.ndarray], np.ndarray]
) -> None:
    blocks, _ = noise(7, 300, 2)
    y = shape(np.asarray(blocks.codes[0])[:, 1])
    with pytest.raises(DeterministicTargetError, match="infinite"):
        estimate_information(blocks, y, np.random.default_rng(0), estimator)


@pytest.mark.parametrize("estimator", ["heldout", "debiased", "plugin"])
def test_values_that_are_no_numbers_are_named(estimator: Estimator) -> None:
    blocks, y = noise(8, 100, 2)
    codes = (np.array(blocks.codes[0]), np.array(blocks.codes[1]))
    codes[1][7, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"codes of modality 1 .* nan at index \(7, 1\)"):
        estimate_information(ReadoutBlocks(codes), y, np.random.default_rng(0), estimator)
    y[3] = np.inf
    with pytest.raises(NonFiniteError, match=r"target .* inf at index \(3,"):
        estimate_information(blocks, y, np.random.default_rng(0), estimator)
    with pytest.raises(ConstantTargetError):
        estimate_information(blocks, np.ones(100), np.random.default_rng(0), estimator)


def test_fewer_rows_than_features() -> None:
    """Ridge readouts read noise as nothing; estimates that need the inverse refuse."""
    blocks, y = noise(9, 40, 64)
    assert estimate_information(blocks, y, np.random.default_rng(0)).values[3] < 0.1
    for estimator in ("debiased", "plugin"):
        with pytest.raises(TooFewRowsError):
            estimate_information(blocks, y, np.random.default_rng(0), estimator)  # type: ignore[arg-type]


def test_vector_bias_reduces_to_the_scalar_one() -> None:
    widths = np.arange(0.0, 9.0)
    assert information_bias(50, 1, widths) == pytest.approx(scalar_bias(50, widths))


def test_linear_informations_of_gaussian_rows_are_unbiased_for_vector_targets() -> None:
    estimates = np.array(
        [
            linear_informations(
                Moments.of(np.random.default_rng(seed).standard_normal((40, 7))), [0, 1], [[2, 3], [4, 5, 6]]
            )
            for seed in range(300)
        ]
    )
    error = estimates.std(axis=0) / np.sqrt(300)
    assert np.all(np.abs(estimates.mean(axis=0)) <= 3.5 * error)


def test_streamed_parts_give_what_all_rows_give() -> None:
    rng = np.random.default_rng(5)
    m = rng.standard_normal((3000, 1))
    rows = np.hstack([m, m + rng.standard_normal((3000, 2)), m + 2 * rng.standard_normal((3000, 1))])
    streamed = linear_informations(
        merged([Moments.of(batch) for batch in np.split(rows, 30)]), [0], [[1, 2], [3]]
    )
    assert streamed == pytest.approx(linear_informations(Moments.of(rows), [0], [[1, 2], [3]]))
    plain = linear_informations(Moments.of(rows), [0], [[1, 2], [3]], debias=False)
    assert plain[3] > streamed[3]


def test_columns_that_cannot_be_used_are_named() -> None:
    rng = np.random.default_rng(6)
    rows = rng.standard_normal((50, 4))
    rows[:, 3] = rows[:, 1] + rows[:, 2]
    with pytest.raises(CollinearColumnsError, match="c is a linear combination of a, b"):
        linear_informations(Moments.of(rows), [0], [[1, 2], [3]], columns=["y", "a", "b", "c"])
    # Its mean is not exactly itself, so its variance comes out as rounding instead of zero.
    rows[:, 3] = 0.1
    with pytest.raises(ConstantColumnError, match="c"):
        linear_informations(Moments.of(rows), [0], [[1, 2], [3]], columns=["y", "a", "b", "c"])
    with pytest.raises(TooFewRowsError, match="4 columns"):
        linear_informations(Moments.of(rows[:5]), [0], [[1, 2], [3]])


def test_columns_that_are_not_there_are_named() -> None:
    moments = Moments.of(np.random.default_rng(11).standard_normal((50, 4)))
    for sources, message in (
        ([[1], [9]], r"\[9\]"),
        ([[1], [-1]], r"\[-1\]"),
        ([[1, 2], [2]], r"\[2\]"),
        ([[1], []], "no columns in source 1"),
    ):
        with pytest.raises(ShapeError, match=message):
            linear_informations(moments, [0], sources)


@pytest.mark.parametrize("estimator", ["heldout", "debiased", "plugin"])
def test_arrays_that_do_not_fit_are_named(estimator: Estimator) -> None:
    blocks, y = noise(12, 100, 2)
    rng = np.random.default_rng(0)
    for target, groups, message in (
        (y[:50], None, "rows"),
        (np.column_stack([y, y]), None, "one column"),
        (y, np.arange(50), "groups"),
    ):
        with pytest.raises(ShapeError, match=message):
            estimate_information(blocks, target, rng, estimator, groups=groups)
    for options in ({"groups": np.zeros(100)}, {"folds": 1}):
        with pytest.raises(TooFewRowsError, match="at least 2 folds and groups"):
            estimate_information(blocks, y, rng, estimator, **options)  # type: ignore[arg-type]
    with pytest.raises(UnknownMeasureError, match="'product'"):
        estimate_information(blocks, y, rng, estimator, "product")  # type: ignore[arg-type]


@pytest.mark.parametrize("estimator", ["heldout", "debiased", "plugin"])
def test_a_modality_whose_codes_are_constant_says_nothing(
    estimator: Estimator, capfd: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(13)
    y = rng.standard_normal(300)
    blocks = ReadoutBlocks(((y + rng.standard_normal(300))[:, None], np.full((300, 1), 0.1)))
    estimate = estimate_information(blocks, y, rng, estimator)
    assert estimate.raw[2] == pytest.approx(0.0, abs=1e-9)
    # Its products copy the other's codes, which moves the penalty a little.
    assert estimate.raw[3] == pytest.approx(estimate.raw[1], abs=1e-3)
    # LAPACK writes its complaints to the terminal.
    assert capfd.readouterr() == ("", "")


def test_too_few_rows_for_the_plug_in_estimate_are_counted() -> None:
    blocks, y = noise(14, 40, 8)
    with pytest.raises(TooFewRowsError, match=r"a readout of 40 features needs 42 rows .*, however: 40 rows"):
        plugin_jackknife(blocks, y, np.arange(40) % 30)


@pytest.mark.parametrize("rows", [60, 120, 1200])
def test_the_excess_of_the_plug_in_estimate_of_noise_is_as_expected(rows: int) -> None:
    found = []
    for seed in range(40):
        blocks, y = noise(seed, rows, 8)
        found.append(plugin_jackknife(blocks, y, np.arange(rows) % 10).estimate[-1])
    expected = ReadoutSize.of_blocks(blocks, rows).excess
    assert np.mean(found) == pytest.approx(expected, rel=0.12)
    assert expected > 40 / (2 * rows * np.log(2))


def test_the_expected_excess_is_finite_and_beyond_covariates() -> None:
    assert ReadoutSize(100_000, 0, 200.0).excess < 10
    assert ReadoutSize(40, 40, 200.0).excess == 0
    assert ReadoutSize(40, 10, 1e6).excess == pytest.approx(30 / (2e6 * np.log(2)), rel=1e-3)


def test_rows_without_weight_do_not_count_for_the_debiased_estimate() -> None:
    blocks, y = noise(14, 200, 8)
    weighted = ReadoutBlocks(blocks.codes, {}, np.repeat([1.0, 0.0], [30, 170]))
    with pytest.raises(
        TooFewRowsError, match=r"1\.5 rows per feature, 60 for the 40 of .*, however: 30 rows"
    ):
        estimate_information(weighted, y, np.random.default_rng(0), "debiased")
