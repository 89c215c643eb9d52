"""Conditional means of missing cells: against the textbook formula, rows that nobody could complete, storage."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.data.imputation import MOST_FACTORS, SMALLEST_NOISE, ConditionalMeans, pairwise_correlations
from pidreg_cli.data.transforms import SCORE_LIMIT, FeatureTransform


def correlated(rng, rows, features, factors):
    loadings = rng.normal(size=(features, factors))
    values = rng.normal(size=(rows, factors)) @ loadings.T + 0.3 * rng.normal(size=(rows, features))
    return values / values.std(axis=0)


def punched(rng, shape, share=0.3):
    return rng.random(shape) < share


def test_a_filled_cell_is_the_conditional_mean_of_the_stored_gaussian():
    rng = np.random.default_rng(0)
    scores = correlated(rng, 500, 6, 3)
    model = ConditionalMeans.fit(scores, punched(rng, scores.shape))
    covariance = model.loadings @ model.loadings.T + np.diag(model.noise)
    missing = punched(rng, (40, 6))
    filled = model.fill(scores[:40], missing)
    for row, gaps, found in zip(scores[:40], missing, filled, strict=True):
        here = ~gaps
        weights = np.linalg.solve(covariance[np.ix_(here, here)], row[here])
        np.testing.assert_allclose(found[gaps], covariance[np.ix_(gaps, here)] @ weights, atol=1e-6)
        assert (found[here] == row[here]).all()


def test_with_a_factor_for_each_feature_the_gaussian_is_that_of_the_data():
    rng = np.random.default_rng(1)
    scores = correlated(rng, 5_000, 8, 4)
    none = np.zeros(scores.shape, bool)
    model = ConditionalMeans.fit(scores, none)
    covariance = model.loadings @ model.loadings.T + np.diag(model.noise)
    expected = pairwise_correlations(scores, none) + (SMALLEST_NOISE + 8 / 5_000) * np.eye(8)
    np.testing.assert_allclose(covariance, expected, atol=1e-5)


def test_readings_of_the_same_quantities_are_recovered_and_unrelated_ones_are_not_invented():
    rng = np.random.default_rng(2)
    latent = rng.normal(size=(4_000, 3))
    related = latent @ rng.normal(size=(3, 6))
    related /= related.std(axis=0)
    scores = np.hstack([related, rng.normal(size=(4_000, 2))])
    model = ConditionalMeans.fit(scores[:3_000], np.zeros((3_000, 8), bool))
    missing = np.zeros((1_000, 8), bool)
    missing[:, [1, 6]] = True
    filled = model.fill(scores[3_000:], missing)
    error = filled - scores[3_000:]
    assert np.square(error[:, 1]).mean() < 0.02
    assert np.square(filled[:, 6]).mean() < 0.01


def test_correlations_count_common_rows_only():
    rng = np.random.default_rng(3)
    scores = correlated(rng, 20_000, 4, 2)
    complete = pairwise_correlations(scores, np.zeros(scores.shape, bool))
    with_gaps = pairwise_correlations(scores, punched(rng, scores.shape))
    np.testing.assert_allclose(with_gaps, complete, atol=0.03)
    apart = np.zeros(scores.shape, bool)
    apart[:10_000, 0] = apart[10_000:, 1] = True
    assert pairwise_correlations(scores, apart)[0, 1] == 0


def test_a_row_without_any_cell_reads_zero_and_more_factors_than_allowed_are_not_kept():
    rng = np.random.default_rng(4)
    scores = correlated(rng, 300, MOST_FACTORS + 20, 5)
    model = ConditionalMeans.fit(scores, np.zeros(scores.shape, bool))
    assert model.loadings.shape == (MOST_FACTORS + 20, MOST_FACTORS)
    missing = np.zeros(scores.shape, bool)
    missing[0] = True
    assert not model.fill(scores, missing)[0].any()
    np.testing.assert_array_equal(model.fill(scores, missing)[1:], scores[1:])


@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 5))
def test_any_rows_are_filled_finite_alike_in_any_batch_and_after_storage(seed, rows, features):
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(rows, features)) * rng.choice([0.0, 1.0, 5.0], features)
    model = ConditionalMeans.fit(scores, punched(rng, scores.shape))
    missing = punched(rng, scores.shape)
    filled = model.fill(scores, missing)
    assert np.isfinite(filled).all()
    alone = np.vstack([model.fill(scores[[i]], missing[[i]]) for i in range(rows)])
    np.testing.assert_allclose(alone, filled, atol=1e-9)
    restored = ConditionalMeans.from_dict(json.loads(json.dumps(model.to_dict())))
    assert restored.fill(scores, missing).tobytes() == filled.tobytes()


@pytest.mark.parametrize("change", [{"noise": [0.0, 1.0]}, {"noise": [1.0]}, {"loadings": [[None], [1.0]]}])
def test_a_damaged_model_is_refused(change):
    with pytest.raises((ValueError, TypeError)):
        ConditionalMeans.from_dict({"loadings": [[1.0], [1.0]], "noise": [1.0, 1.0], **change})


@pytest.mark.parametrize("kind", ["quantile", "standard", "both"])
def test_a_missing_cell_reads_as_the_value_its_row_lets_expect(kind):
    rng = np.random.default_rng(5)
    latent = rng.normal(size=2_000)
    block = np.column_stack([latent, np.exp(latent), np.full(2_000, 7.0)]).astype(np.float32)
    transform = FeatureTransform.fit(block, ["x", "bent", "constant"], kind, "conditional")
    gaps = block[:200].copy()
    gaps[:, 1] = np.nan
    whole, filled = transform.apply(block[:200]), transform.apply(gaps)
    spread = np.abs(filled.values[:, 1] - whole.values[:, 1])
    # Standardised, the exponential is not linear in its logarithm: only scores see one quantity twice.
    assert np.median(spread) < (0.05 if kind != "standard" else 0.6)
    if kind == "both":
        assert np.median(np.abs(filled.units[:, 1] - whole.units[:, 1])) < 0.05
    assert (filled.values[:, [0, 2]] == whole.values[:, [0, 2]]).all()


@pytest.mark.parametrize("kind", ["quantile", "standard", "both"])
def test_complete_rows_and_absent_ones_read_as_without_imputation(kind):
    rng = np.random.default_rng(6)
    block = (100 * rng.standard_t(1.2, size=(300, 3))).astype(np.float32)
    block[::7, 1] = np.nan
    block[::10] = np.nan
    plain = FeatureTransform.fit(block, list("abc"), kind).apply(block)
    filled = FeatureTransform.fit(block, list("abc"), kind, "conditional").apply(block)
    untouched = ~np.isnan(block).any(axis=1) | np.isnan(block).all(axis=1)
    for before, after in zip(plain, filled, strict=True):
        assert before[untouched].tobytes() == after[untouched].tobytes()
    assert np.abs(filled.values[np.isnan(block)]).max() <= SCORE_LIMIT
