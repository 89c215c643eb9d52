"""The predictor of one set of modalities, on scores whose best use is known."""

from __future__ import annotations

import numpy as np
import pytest

from pidreg_cli.data.transforms import TargetTransform
from pidreg_cli.decisions.prediction.set_predictor import SetPredictor, Weights
from pidreg_cli.decisions.prediction.set_scores import SetScores, nothing

RNG = np.random.default_rng(0)
TARGET = TargetTransform.fit(RNG.normal(size=2000))


def drawn(rows: int, timid: float, seed: int = 1) -> tuple[SetScores, np.ndarray]:
    """Scores of a model that says ``timid`` times what can be known, and standardised target with Y'."""
    rng = np.random.default_rng(seed)
    known = rng.normal(size=rows)
    y = 0.8 * known + 0.6 * rng.normal(size=rows)
    scores = SetScores(
        timid * 0.8 * known, (timid * 0.8 * known)[:, None], rng.chisquare(5, (rows, 1)) / 5, None
    )
    standard = TARGET.standardise(y)
    return scores, np.column_stack([standard, TARGET.forward(y)])


def test_timid_scores_are_stretched_to_the_target() -> None:
    scores, targets = drawn(800, timid=0.5)
    found = Weights.fit(scores.design(TARGET), targets).predict(scores, TARGET)
    slope = np.polyfit(found[:, 0], targets[:, 0], 1)[0]
    assert slope == pytest.approx(1, abs=0.02)


def test_a_bolder_model_is_not_stretched_twice() -> None:
    timid, targets = drawn(800, timid=0.5)
    weights = Weights.fit(timid.design(TARGET), targets)
    bold, own = drawn(200, timid=1.0, seed=2)
    twice = weights.predict(bold, TARGET)
    adapted = weights.stretched(bold, own, TARGET).predict(bold, TARGET)
    errors = [np.square(own[:, 0] - found[:, 0]).mean() for found in (twice, adapted)]
    assert errors[0] > 1.5 * errors[1]
    # Without rows there is nothing to learn.
    assert weights.stretched(bold.take(np.zeros(200, bool)), own[:0], TARGET) is weights


def test_the_model_itself_predicts_from_everything() -> None:
    scores, targets = drawn(300, timid=1.0)
    own = SetScores(scores.completed, scores.scores, scores.distances, np.full(300, 0.3))
    fitted = SetPredictor.fit(own, targets, np.arange(300) % 10, TARGET)
    np.testing.assert_array_equal(fitted.predict(own, TARGET)[:, 0], 0.3)


def test_few_rows_fall_back_on_the_mean_and_one_scale() -> None:
    scores, targets = drawn(12, timid=1.0)
    fitted = SetPredictor.fit(scores, targets, np.arange(12) % 4, TARGET)
    np.testing.assert_allclose(fitted.predict(scores, TARGET), np.broadcast_to(targets.mean(axis=0), (12, 2)))
    half = fitted.half_widths(scores, fitted.predict(scores, TARGET)[:, 0], 0.8, TARGET)
    assert np.ptp(half) == 0
    assert np.isinf(fitted.half_widths(scores, np.zeros(12), 0.95, TARGET)).all()


def test_wider_intervals_are_so_for_all_rows() -> None:
    scores, targets = drawn(300, timid=1.0)
    alone = np.arange(300) % 2 == 0
    usual = SetPredictor.fit(scores, targets, np.arange(300) % 10, TARGET, alone)
    wider = usual.widened(1.5)
    predicted = usual.predict(scores, TARGET)
    assert np.array_equal(wider.predict(scores, TARGET), predicted)
    one, other = (p.half_widths(scores, predicted[:, 0], 0.9, TARGET, alone) for p in (usual, wider))
    assert other == pytest.approx(1.5 * one)


def test_the_empty_set_is_the_mean_with_its_spread() -> None:
    _, targets = drawn(500, timid=1.0)
    fitted = SetPredictor.fit(nothing(500), targets, np.arange(500) % 10, TARGET)
    assert fitted.errors[0] == pytest.approx(targets[:, 0].var(), rel=0.02)
    np.testing.assert_allclose(fitted.predict(nothing(3), TARGET)[:, 0], targets[:, 0].mean())


def gap_that_tells(rows: int, seed: int) -> tuple[SetScores, np.ndarray, np.ndarray]:
    """Scores and targets of which a fifth, that have nothing beside the set, err three times as far."""
    scores, targets = drawn(rows, timid=1.0, seed=seed)
    alone = np.arange(rows) % 5 == 0
    known = scores.completed[alone]
    y = known + 3 * (TARGET.original.inverse(targets[alone, 0]) - known)
    targets[alone] = np.column_stack([TARGET.standardise(y), TARGET.forward(y)])
    return scores, targets, alone


def test_rows_with_a_gap_that_tells_are_covered_by_those_like_them() -> None:
    scores, targets, alone = gap_that_tells(2000, seed=1)
    fitted = SetPredictor.fit(scores, targets, np.arange(2000) % 10, TARGET, alone)
    new, truth, apart = gap_that_tells(4000, seed=2)
    predicted = fitted.predict(new, TARGET)[:, 0]
    covered = [
        (np.abs(truth[:, 0] - predicted) <= fitted.half_widths(new, predicted, 0.9, TARGET, known))[
            apart
        ].mean()
        for known in (None, apart)
    ]
    assert covered[0] < 0.75
    # 400 rows calibrate, 800 judge: three standard errors are 5.5 points.
    assert covered[1] == pytest.approx(0.9, abs=0.055)
    again = SetPredictor.from_arrays(fitted.to_arrays())
    np.testing.assert_array_equal(again.own, fitted.own)
    assert (fitted.rows, fitted.fewest_rows) == (2000, 400)


def test_few_rows_with_a_gap_and_gaps_of_all_are_calibrated_by_all() -> None:
    scores, targets, alone = gap_that_tells(450, seed=1)
    folds = np.arange(450) % 10
    assert SetPredictor.fit(scores, targets, folds, TARGET, alone).own is None  # 90 rows
    assert SetPredictor.fit(scores, targets, folds, TARGET, np.ones(450, bool)).own is None


def test_arrays_restore_the_predictor_and_damage_is_refused() -> None:
    scores, targets = drawn(300, timid=1.0)
    fitted = SetPredictor.fit(scores, targets, np.arange(300) % 10, TARGET)
    again = SetPredictor.from_arrays(fitted.to_arrays())
    for name, array in fitted.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], array)
    for damage in ({"nonconformity": -fitted.nonconformity}, {"errors": np.ones(3)}, {"knots": np.ones(2)}):
        with pytest.raises(ValueError):  # noqa: PT011
            SetPredictor.from_arrays({**fitted.to_arrays(), **damage})
