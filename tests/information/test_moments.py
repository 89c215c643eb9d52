from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.information.errors import NonFiniteError, ShapeError, TooFewRowsError
from pidreg_cli.information.moments import Moments, merged, without_each


def assert_same(first: Moments, second: Moments, tolerance: float = 1e-12) -> None:
    assert (first.count, first.squares) == pytest.approx((second.count, second.squares))
    assert first.mean == pytest.approx(second.mean, rel=tolerance, abs=tolerance)
    assert first.scatter == pytest.approx(second.scatter, rel=tolerance, abs=tolerance)


@given(cuts=st.lists(st.integers(0, 50), max_size=6), seed=st.integers(0, 100))
def test_batches_merge_into_the_whole(cuts: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, weights = rng.standard_normal((50, 3)), rng.integers(0, 3, 50).astype(float)
    edges = [0, *sorted(cuts), 50]
    parts = [Moments.of(rows[a:b], weights[a:b]) for a, b in pairwise(edges)]
    assert_same(merged(parts), Moments.of(rows, weights))


@pytest.mark.parametrize("count", [1, 2, 5])
def test_without_each_are_all_others(count: int) -> None:
    rng = np.random.default_rng(1)
    always, *batches = (rng.normal(i, 1 + i, (4, 3)) for i in range(count + 1))
    found = list(without_each([Moments.of(batch) for batch in batches], Moments.of(always)))
    assert len(found) == count
    for place, moments in enumerate(found):
        assert_same(moments, Moments.of(np.vstack([always, *batches[:place], *batches[place + 1 :]])))


def test_what_others_say_is_not_lost_beside_a_part_far_larger() -> None:
    rng = np.random.default_rng(2)
    small, large = rng.normal(size=(2, 6, 2)) * [[[1.0]], [[1e12]]]
    first, second = without_each([Moments.of(large), Moments.of(small)])
    assert_same(first, Moments.of(small))
    assert_same(second, Moments.of(large))


def test_a_weight_of_two_is_a_repeated_row() -> None:
    rows = np.random.default_rng(2).standard_normal((20, 2))
    weighted = Moments.of(rows, np.repeat([1.0, 2.0], 10))
    repeated = Moments.of(np.vstack([rows, rows[10:]]))
    assert weighted.mean == pytest.approx(repeated.mean)
    assert weighted.scatter == pytest.approx(repeated.scatter)
    # Repeating rows adds no precision.
    assert weighted.effective_rows < repeated.effective_rows


def test_covariance_is_the_sample_covariance() -> None:
    rows = np.random.default_rng(3).standard_normal((20, 3))
    assert Moments.of(rows).covariance() == pytest.approx(np.cov(rows, rowvar=False))
    with pytest.raises(TooFewRowsError, match="2 rows"):
        Moments.of(rows[:1]).covariance()


def test_far_from_the_origin_no_digits_are_lost() -> None:
    rng = np.random.default_rng(4)
    rows = rng.standard_normal((1000, 2))
    shifted = merged(Moments.of(batch + 1e8) for batch in np.split(rows, 10))
    assert shifted.scatter == pytest.approx(Moments.of(rows).scatter, rel=1e-6)
    # What sums of squares would have kept at this distance: nothing.
    raw = (rows + 1e8).T @ (rows + 1e8) - np.outer((rows + 1e8).sum(0), (rows + 1e8).sum(0)) / 1000
    assert np.max(np.abs(raw / Moments.of(rows).scatter - 1)) > 0.1


def test_bad_rows_are_named() -> None:
    with pytest.raises(NonFiniteError, match=r"\(1, 0\)"):
        Moments.of([[1.0], [np.inf]])
    with pytest.raises(ShapeError, match="negative"):
        Moments.of([[1.0], [2.0]], [1.0, -1.0])
    with pytest.raises(ShapeError, match="weights"):
        Moments.of([[1.0], [2.0]], [1.0])


def test_other_columns_do_not_merge() -> None:
    one, three = Moments.of(np.ones((4, 1))), Moments.of(np.ones((4, 3)))
    with pytest.raises(ShapeError, match="1 and 3 columns"):
        one + three
    with pytest.raises(ShapeError, match="3 and 1 columns"):
        three + one


def test_rounding_of_a_constant_column_is_no_variance() -> None:
    rows = np.random.default_rng(5).standard_normal((1000, 2)) * 1e-6 + 1.0
    rows[:, 1] = 0.1
    moments = merged(Moments.of(batch) for batch in np.array_split(rows, 7))
    assert moments.constant.tolist() == [False, True]
    assert moments.exact_scatter[0, 0] == moments.scatter[0, 0]
    assert not moments.exact_scatter[1].any()
