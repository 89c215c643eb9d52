"""Monotone maps of one column: closed forms, order, ends, round trips."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtri
from scipy.stats import rankdata

from pidreg_cli.data.scales import STANDARD_LIMIT, NormalScores, Standardiser

MANY = 5000
numbers = st.floats(-3e38, 3e38, allow_nan=False)
columns = arrays(np.float64, st.integers(2, 60), elements=numbers).filter(lambda a: len(np.unique(a)) > 1)

# Knots between which a slope is too steep for a number.
NEAREST = np.array([2.2e-313, 1.0, -2.2e-313])


def blom(values):
    """The definition, row by row: tied rows share their mean rank."""
    return ndtri((rankdata(values) - 3 / 8) / (len(values) + 1 / 4))


@given(columns)
def test_training_rows_read_their_blom_scores(column):
    fitted = NormalScores.fit(column, MANY)
    np.testing.assert_allclose(fitted.forward(column), blom(column), atol=1e-9)


@given(columns, arrays(np.float32, (7, 3), elements=st.floats(width=32)))
def test_values_in_any_order_and_shape_read_as_between_their_knots(column, new):
    fitted = NormalScores.fit(column, MANY)
    with np.errstate(over="ignore", invalid="ignore"):
        assume(np.isfinite(np.diff(fitted.scores) / np.diff(fitted.values)).all())
        alone = np.array([np.interp(value, fitted.values, fitted.scores) for value in new.ravel()])
    expected = np.clip(alone, fitted.scores[0], fitted.scores[-1]).reshape(new.shape)
    np.testing.assert_array_equal(fitted.forward(new), expected)


@given(columns, arrays(np.float64, 30, elements=st.floats(allow_nan=False)))
@example(NEAREST, np.array([-1e308, -1.0, -4e-324, 0.0, 4e-324, 1.0, 1e308]))
def test_scores_never_fall_and_stay_finite_on_any_new_values(column, new):
    scores = NormalScores.fit(column, MANY).forward(np.sort(new))
    assert np.isfinite(scores).all()
    assert (np.diff(scores) >= -1e-9).all()


def test_numbers_between_the_nearest_knots_read_as_between_them():
    scores = NormalScores.fit(NEAREST, MANY).forward(np.array([[-2.2e-313, 0.0, np.nan, 2.2e-313]]))
    np.testing.assert_allclose(
        scores, [[ndtri(5 / 26), ndtri(5 / 26) / 2, np.nan, 0.0]], rtol=1e-9, atol=1e-12
    )


@given(columns)
def test_training_values_survive_the_way_there_and_back(column):
    fitted = NormalScores.fit(column, MANY)
    there_and_back = fitted.inverse(fitted.forward(column))
    np.testing.assert_allclose(there_and_back, column, rtol=1e-9, atol=1e-9 * np.ptp(column))


@given(columns, st.sampled_from([2, 7, 250]))
def test_normal_scores_survive_json_exactly(column, resolution):
    fitted = NormalScores.fit(column, resolution)
    restored = NormalScores.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert restored.values.tobytes() == fitted.values.tobytes()
    assert restored.scores.tobytes() == fitted.scores.tobytes()


@given(columns)
def test_standardiser_survives_json_exactly_and_inverts(column):
    fitted = Standardiser.fit(column)
    assert Standardiser.from_dict(json.loads(json.dumps(fitted.to_dict()))) == fitted
    scale = np.abs(column).max()
    np.testing.assert_allclose(fitted.inverse(fitted.forward(column)), column, rtol=1e-9, atol=1e-9 * scale)


def test_a_strictly_increasing_change_of_units_leaves_scores_alone():
    column = np.random.default_rng(0).normal(size=500)
    plain, cubed = NormalScores.fit(column, MANY), NormalScores.fit(column**3, MANY)
    np.testing.assert_allclose(plain.forward(column), cubed.forward(column**3), atol=1e-12)


def test_few_knots_stay_near_the_ranks_and_keep_the_tails_exactly():
    column = np.random.default_rng(1).standard_cauchy(16_000)
    fitted = NormalScores.fit(column, 250)
    error = np.abs(fitted.forward(column) - blom(column))
    assert len(fitted.values) <= 502
    assert error.max() < 8 / 250
    extremes = np.argsort(column)[[0, 1, -2, -1]]
    assert error[extremes].max() < 1e-12


def test_a_jump_between_ties_keeps_both_ends():
    column = np.concatenate([np.zeros(9_000), np.linspace(1, 2, 1_000)])
    fitted = NormalScores.fit(column, 50)
    np.testing.assert_allclose(fitted.forward(np.array([0.0, 1.0])), blom(column)[[0, 9_000]], atol=1e-12)


def test_beyond_the_ends_scores_go_on_for_one_score_at_the_outer_slope():
    fitted = NormalScores.fit(np.random.default_rng(2).normal(size=2_000), MANY)
    end, score = fitted.values[-2], fitted.scores[-2]
    slope = 1 / (end - fitted.inverse(score - 1))
    assert fitted.forward(np.array(end + 0.5 / slope)) == pytest.approx(score + 0.5)
    assert fitted.forward(np.array(1e300)) == pytest.approx(score + 1)
    assert fitted.inverse(np.array(99.0)) == pytest.approx(end + 1 / slope)


def test_a_slope_that_overflows_gives_no_infinite_score():
    fitted = NormalScores.fit(np.array([0.0, 1e-310, 1.0, 2.0]), MANY)
    score = fitted.forward(np.array(5e-311))
    assert fitted.scores[0] <= score <= fitted.scores[-1]


def test_missing_values_stay_missing():
    column = np.arange(10.0)
    gap = np.array([np.nan])
    assert np.isnan(NormalScores.fit(column, 9).forward(gap)).all()
    assert np.isnan(Standardiser.fit(column).forward(gap)).all()


def test_standardised_training_rows_have_mean_0_and_deviation_1_whatever_the_unit():
    column = np.random.default_rng(3).lognormal(size=400)
    for unit in (1e-200, 1.0, 1e30):
        standard = Standardiser.fit(column * unit).forward(column * unit)
        assert standard.mean() == pytest.approx(0, abs=1e-12)
        assert standard.std() == pytest.approx(1)


def test_standardised_new_rows_are_bounded():
    fitted = Standardiser.fit(np.array([0.0, 1e-30]))
    assert fitted.forward(np.array([1e300, -np.inf])).tolist() == [STANDARD_LIMIT, -STANDARD_LIMIT]


@pytest.mark.parametrize(
    "stored",
    [
        {"values": [0, 1, 2, 3], "scores": [0, 1, 1, 2]},
        {"values": [0, 1, 2, 3], "scores": [0, 1, 2]},
        {"values": [0, 1, 2, float("inf")], "scores": [0, 1, 2, 3]},
        {"values": [], "scores": []},
    ],
)
def test_stored_knots_are_checked(stored):
    with pytest.raises(ValueError, match=r"values and scores|knots"):
        NormalScores.from_dict(stored)


def test_stored_deviation_is_checked():
    with pytest.raises(ValueError, match="sd positive"):
        Standardiser.from_dict({"mean": 0, "sd": 0})


def test_one_value_has_no_normal_scores():
    with pytest.raises(ValueError, match="two distinct"):
        NormalScores.fit(np.ones(5), 10)
