"""Transforms fitted on training rows: ranges, missing cells, indicators, leakage, storage."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import ndtri

from pidreg_cli.data.transforms import SCORE_LIMIT, UNIT_LIMIT, FeatureTransform, TargetTransform
from pidreg_cli.errors import DataError

KINDS = ["quantile", "standard", "both"]
LARGEST = float(np.finfo(np.float32).max)
cells = st.floats(-LARGEST, LARGEST, width=32, allow_nan=False) | st.just(float("nan"))
blocks = arrays(np.float32, st.tuples(st.integers(1, 30), st.integers(1, 4)), elements=cells)


def fitted(block, kind="quantile"):
    block = np.asarray(block, np.float32)
    return FeatureTransform.fit(block, [f"c{i}" for i in range(block.shape[1])], kind)


@given(blocks, blocks, st.sampled_from(KINDS))
def test_any_new_block_reads_finite_and_flags_are_0_or_1(training, new, kind):
    transform = fitted(training, kind)
    new = np.resize(new, (len(new), training.shape[1]))
    values, indicators, units = transform.apply(new)
    assert values.shape == new.shape
    assert units.shape == (new.shape if kind == "both" else (len(new), 0))
    assert values.dtype == indicators.dtype == units.dtype == np.float32
    assert np.abs(units).max(initial=0.0) <= UNIT_LIMIT
    assert not units[:, : new.shape[1]][np.isnan(new[:, : units.shape[1]])].any()
    assert indicators.shape == (len(new), transform.indicators)
    assert np.isfinite(values).all()
    assert np.isin(indicators, (0, 1)).all()
    assert not values[np.isnan(new)].any()


@given(blocks, st.sampled_from(KINDS))
def test_feature_transform_survives_json_exactly(block, kind):
    transform = fitted(block, kind)
    text = json.dumps(transform.to_dict(), allow_nan=False)
    restored = FeatureTransform.from_dict(json.loads(text))
    assert json.dumps(restored.to_dict()) == text
    for before, after in zip(transform.apply(block), restored.apply(block), strict=True):
        assert before.tobytes() == after.tobytes()


@given(blocks.filter(lambda b: len(b) > 4), st.integers(0, 2**32 - 1), st.sampled_from(KINDS))
@settings(max_examples=50)
def test_rows_outside_training_change_nothing(block, seed, kind):
    rng = np.random.default_rng(seed)
    training = rng.random(len(block)) < 0.6
    training[0] = True
    changed = np.where(training[:, None], block, np.float32(rng.normal()))
    before, after = fitted(block[training], kind), fitted(changed[training], kind)
    assert before.to_dict() == after.to_dict()


def test_continuous_columns_become_normal_and_order_is_kept():
    block = np.random.default_rng(0).lognormal(size=(4_000, 2))
    values = fitted(block).apply(block.astype(np.float32)).values
    assert np.abs(values.mean(axis=0)).max() < 0.005
    assert np.abs(values.std(axis=0) - 1).max() < 0.01
    order = np.argsort(block[:, 0], kind="stable")
    assert (np.diff(values[order, 0]) >= 0).all()


def test_scores_do_not_jump_at_the_ends_and_stop_at_the_limit():
    training = np.linspace(0, 1, 101, dtype=np.float32)[:, None]
    transform = fitted(training)
    inside, just_beyond, far = transform.apply(np.array([[1], [1.0001], [9e30]], np.float32)).values[:, 0]
    assert inside == pytest.approx(ndtri((101 - 3 / 8) / 101.25), abs=1e-5)
    assert 0 < just_beyond - inside < 0.01
    assert inside < far <= SCORE_LIMIT


def test_a_missing_cell_reads_as_the_median_or_the_mean():
    column = np.array([1, 2, 3, 4, 100, np.nan], np.float32)[:, None]
    for kind, centre in (("quantile", 3.0), ("standard", 22.0)):
        values = fitted(column, kind).apply(np.array([[np.nan], [centre]], np.float32)).values
        np.testing.assert_allclose(values, 0, atol=1e-6)


def test_a_raw_cell_that_training_never_missed_is_completed_and_no_other():
    nan = np.nan
    training = np.array([[1, 1, 5], [2, nan, 5], [3, 3, 5], [4, 4, 5], [100, 5, 5]], np.float32)
    new = np.array([[nan, nan, nan], [7, 8, 9]], np.float32)
    for kind, centre in (("quantile", 3.0), ("both", 3.0), ("standard", 22.0)):
        np.testing.assert_allclose(fitted(training, kind).completed(new), [[centre, nan, nan], [7, 8, 9]])
    absent = np.vstack([training, np.full((1, 3), nan, np.float32)])
    np.testing.assert_array_equal(fitted(absent).completed(new), new)
    assert np.isnan(new[0]).all()


def test_both_gives_normal_scores_and_the_distances_in_the_tails():
    column = np.append(np.linspace(0, 1, 99), 10.0).astype(np.float32)[:, None]
    scores, _, units = fitted(column, "both").apply(column)
    np.testing.assert_array_equal(scores, fitted(column, "quantile").apply(column).values)
    np.testing.assert_allclose(units, np.clip((column - column.mean()) / column.std(), -8, 8), atol=1e-5)
    # The outlier is one step further in rank, and eight deviations in its units.
    assert scores[-1, 0] < 3 < units[-1, 0]


def test_indicators_tell_gaps_from_absence():
    nan = np.nan
    block = np.array([[1, 2, 3], [2, nan, 4], [nan, nan, nan], [3, 5, 6]], np.float32)
    transform = fitted(block)
    assert (transform.flagged, transform.flags_absence) == ((1,), True)
    assert transform.apply(block).indicators.tolist() == [[0, 0], [1, 0], [0, 1], [0, 0]]


def test_without_absent_training_rows_an_absent_row_flags_its_gaps():
    nan = np.nan
    transform = fitted([[1, 2], [2, nan], [3, 4]])
    assert transform.apply(np.array([[nan, nan]], np.float32)).indicators.tolist() == [[1]]


def test_complete_training_rows_need_no_indicator():
    assert fitted(np.eye(3)).apply(np.eye(3, dtype=np.float32)).indicators.shape == (3, 0)


def test_rows_that_training_hides_are_marked_also_where_the_table_lacks_none():
    transform = replace(fitted(np.eye(3)), hides=True)
    block = np.vstack([np.eye(3), np.full(3, np.nan)]).astype(np.float32)
    assert transform.apply(block).indicators.tolist() == [[0], [0], [0], [1]]
    assert FeatureTransform.from_dict(transform.to_dict()).hides
    # Trees are fitted on the rows as the table has them: none lacked anything.
    assert not np.isnan(transform.completed(block)).any()


def test_one_feature_with_gaps_has_the_absence_flag_alone():
    transform = fitted([[1], [np.nan], [2]])
    assert (transform.flagged, transform.flags_absence) == ((), True)


def test_constant_and_empty_columns_read_0_and_are_named():
    nan = np.nan
    transform = fitted([[7, nan, 1], [7, nan, 2], [nan, nan, 3]])
    assert transform.constant_columns == ("c0",)
    assert transform.empty_columns == ("c1",)
    values = transform.apply(np.array([[9, 9, 2]], np.float32)).values
    assert values[0, :2].tolist() == [0, 0]
    assert transform.flagged == (0,)


@pytest.mark.parametrize("kind", KINDS)
def test_two_fifths_missing_leaves_the_present_cells_alone(kind):
    rng = np.random.default_rng(3)
    block = rng.normal(5, 2, size=(3_000, 3)).astype(np.float32)
    holes = rng.random(block.shape) < 0.4
    block[holes] = np.nan
    values, indicators, _ = fitted(block, kind).apply(block)
    assert np.corrcoef(values[~holes[:, 0], 0], block[~holes[:, 0], 0])[0, 1] > 0.99
    np.testing.assert_array_equal(indicators[:, :3].astype(bool), holes & ~holes.all(axis=1, keepdims=True))


def test_stored_features_with_an_unknown_kind_are_refused():
    stored = {**fitted(np.eye(2)).to_dict(), "kind": "magic"}
    with pytest.raises(KeyError, match="magic"):
        FeatureTransform.from_dict(stored)


targets = arrays(np.float64, st.integers(2, 60), elements=st.floats(-3e38, 3e38))


@given(targets.filter(lambda y: len(np.unique(y)) > 1))
def test_target_transform_survives_json_exactly(target):
    transform = TargetTransform.fit(target)
    text = json.dumps(transform.to_dict(), allow_nan=False)
    restored = TargetTransform.from_dict(json.loads(text))
    assert json.dumps(restored.to_dict()) == text
    assert restored.forward(target).tobytes() == transform.forward(target).tobytes()
    assert restored.standardise(target).tobytes() == transform.standardise(target).tobytes()


def test_a_heavy_tailed_target_becomes_normal_and_comes_back():
    target = np.random.default_rng(4).standard_cauchy(5_000)
    transform = TargetTransform.fit(target)
    scores = transform.forward(target)
    assert scores.std() == pytest.approx(1, abs=0.01)
    assert np.abs(np.mean(scores**4) - 3) < 0.1
    np.testing.assert_allclose(transform.inverse(scores), target, rtol=1e-9)
    np.testing.assert_allclose(transform.restore(transform.standardise(target)), target, rtol=1e-9, atol=1e-9)


def test_ties_are_counted():
    transform = TargetTransform.fit(np.array([1.0, 1, 1, 2, 3, 3, 4, 5]))
    assert transform.distinct == 5
    assert transform.tie_share == pytest.approx(5 / 8)
    assert transform.largest_tie == pytest.approx(3 / 8)


def test_a_constant_target_is_refused():
    with pytest.raises(DataError, match="same value") as caught:
        TargetTransform.fit(np.full(9, 2.5))
    assert caught.value.code == "data.constant_target"
