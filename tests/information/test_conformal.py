"""Conformal quantiles and scales: exact ranks, coverage that holds, the same intervals as crepes gives."""

from __future__ import annotations

import numpy as np
import pytest
from crepes import ConformalRegressor
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.information.conformal import ScaleModel, conformal_quantile, conformal_rank, hinges
from pidreg_cli.information.errors import InformationError

LEVELS = (0.5, 0.8, 0.9, 0.95, 0.99)


@pytest.mark.parametrize(
    ("rows", "level", "rank"), [(19, 0.95, 19), (18, 0.95, 19), (9, 0.9, 9), (99, 0.9, 90)]
)
def test_ranks_are_exact(rows: int, level: float, rank: int) -> None:
    assert conformal_rank(rows, level) == rank


def test_too_few_rows_give_an_infinite_interval_and_enough_the_largest_score() -> None:
    scores = np.arange(1.0, 20.0)
    assert conformal_quantile(scores[:18], 0.95) == np.inf
    assert conformal_quantile(scores, 0.95) == 19.0
    assert conformal_quantile(np.zeros(0), 0.5) == np.inf


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 1.5])
def test_a_level_outside_the_unit_interval_is_refused(level: float) -> None:
    with pytest.raises(InformationError, match="level"):
        conformal_quantile(np.arange(5.0), level)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.floats(0.01, 0.99), st.randoms())
def test_quantiles_ignore_order_and_grow_with_the_level(
    scores: list[float], level: float, random: object
) -> None:
    values = np.array(scores)
    found = conformal_quantile(values, level)
    assert conformal_quantile(values[::-1], level) == found
    assert conformal_quantile(values, level / 2) <= found
    if np.isfinite(found):
        # As many scores as the rank asks for are not beyond it.
        assert (values <= found).sum() >= conformal_rank(len(values), level)


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("rows", [25, 500])
def test_intervals_are_those_of_crepes(rows: int, level: float) -> None:
    rng = np.random.default_rng(rows)
    sigma, new_sigma = rng.uniform(0.5, 2, rows), rng.uniform(0.5, 2, 40)
    residuals, centre = sigma * rng.normal(size=rows), rng.normal(size=40)
    half = conformal_quantile(np.abs(residuals) / sigma, level) * new_sigma
    library = ConformalRegressor().fit(residuals=residuals, sigmas=sigma)
    if np.isinf(half).any():
        with pytest.warns(UserWarning, match="calibration examples"):
            found = library.predict_int(centre, sigmas=new_sigma, confidence=level)
        assert np.isinf(found).all()
        return
    found = library.predict_int(centre, sigmas=new_sigma, confidence=level)
    np.testing.assert_allclose(found, np.column_stack([centre - half, centre + half]), rtol=1e-12)


def test_coverage_holds_on_average_over_calibrations_and_by_the_size_of_errors() -> None:
    rng, covered, adaptive = np.random.default_rng(1), [], []
    for _ in range(60):
        x = rng.normal(size=(700, 1))
        errors = np.exp(0.8 * x[:, 0]) * rng.normal(size=700)
        fit, calibrate, new = slice(0, 200), slice(200, 300), slice(300, 700)
        model = ScaleModel.fit(x[fit], errors[fit])
        scores = np.abs(errors[calibrate]) / model.scale(x[calibrate])
        half = conformal_quantile(scores, 0.9) * model.scale(x[new])
        inside = np.abs(errors[new]) <= half
        covered.append(inside.mean())
        adaptive.append(inside[x[new, 0] > 1].mean())
    assert np.mean(covered) == pytest.approx(0.901, abs=0.012)
    # A constant width would cover 60 % of these.
    assert np.mean(adaptive) > 0.84


def test_a_scale_is_learned_bounded_and_constant_where_rows_are_few() -> None:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(4000, 2))
    errors = np.exp(0.5 * x[:, 0]) * rng.normal(size=4000)
    model = ScaleModel.fit(x, errors)
    np.testing.assert_allclose(model.slopes, [0.5, 0.0], atol=0.08)
    ratio = model.scale(np.array([[1e6, 0.0], [-1e6, 0.0]])) / model.scale(np.zeros((1, 2)))
    assert ratio.max() < 12
    assert ratio.min() > 1 / 12
    few = ScaleModel.fit(x[:50], errors[:50])
    assert np.ptp(few.scale(x)) == 0.0


def test_a_scale_survives_its_arrays_and_damage_is_refused() -> None:
    rng = np.random.default_rng(3)
    x = rng.normal(size=(200, 3))
    model = ScaleModel.fit(x, rng.normal(size=200))
    again = ScaleModel.from_arrays(model.to_arrays())
    np.testing.assert_array_equal(again.scale(x), model.scale(x))
    for damage in ({"sd": np.zeros(3)}, {"slopes": np.ones(2)}, {"level": np.ones(2)}):
        with pytest.raises(ValueError):  # noqa: PT011
            ScaleModel.from_arrays({**model.to_arrays(), **damage})


def test_hinges_are_a_line_and_its_bends() -> None:
    found = hinges(np.array([0.0, 1.0, 3.0]), np.array([1.0, 2.0]))
    np.testing.assert_array_equal(found, [[0, 0, 0], [1, 0, 0], [3, 2, 1]])
