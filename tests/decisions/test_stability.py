from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pidreg_cli.decisions.selection import Rule
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.decisions.stability import Stability, stability, stability_sentence
from tests.decisions.conftest import evaluated

Floats = NDArray[np.float64]


def resampled(sources: Floats, target: Floats, seed: int = 0) -> Stability:
    scored, _ = evaluated(sources, target)
    return stability(scored, np.ones(sources.shape[1]), Rule(), np.random.default_rng(seed))


def test_what_matters_is_always_recommended_and_what_does_not_hardly_ever(
    draw: Callable[..., Floats],
) -> None:
    useful, useless, noise = draw(3)
    found = resampled(np.column_stack([useful, useless]), useful + noise)
    assert found.member_share(0) == 1
    assert found.member_share(1) < 0.2
    assert found.share(1) == pytest.approx(1 - found.member_share(1))
    assert found == resampled(np.column_stack([useful, useless]), useful + noise)
    assert found != resampled(np.column_stack([useful, useless]), useful + noise, seed=1)


def test_of_two_copies_one_always_stays_and_which_is_open(draw: Callable[..., Floats]) -> None:
    common, noise, *jitter = draw(4)
    copies = np.column_stack([common + 0.05 * part for part in jitter])
    found = resampled(copies, common + noise)
    assert found.share(3) < 0.1
    assert found.share(1) + found.share(2) > 0.9
    assert min(found.share(1), found.share(2)) > 0.02


def test_a_resample_of_every_group_once_is_the_table() -> None:
    rng = np.random.default_rng(0)
    errors, influences = rng.chisquare(1, (90, 4)), 0.1 * rng.standard_normal((90, 4))
    scored = SetErrors.of_rows(errors, np.arange(90) % 30, influences)
    again = scored.resampled(rng.permutation(30))
    assert again.rmse == pytest.approx(scored.rmse)
    assert again.jackknife.standard_error(0, 3) == pytest.approx(scored.jackknife.standard_error(0, 3))


def test_influences_make_resamples_differ_more() -> None:
    rng = np.random.default_rng(0)
    errors, influences = rng.chisquare(1, (300, 2)) + 1, 2 * rng.standard_normal((300, 2))
    groups = np.arange(300) % 30
    spreads = []
    for given in (None, influences):
        scored = SetErrors.of_rows(errors, groups, given)
        draws = [scored.resampled(rng.integers(30, size=30)).rmse[1] for _ in range(200)]
        spreads.append(np.std(draws))
    assert spreads[1] > 1.5 * spreads[0]


def test_the_sentence_names_the_rival_where_there_is_one() -> None:
    firm = Stability(200, ((1, 0.95), (3, 0.05)))
    assert stability_sentence(firm, 1, "ab") == "the same set in 95 % of 200 resamples of the rows"
    open_ = Stability(200, ((2, 0.6), (1, 0.3), (0, 0.1)))
    assert stability_sentence(open_, 1, "ab").endswith("in 30 % of 200 resamples of the rows, b in 60 %")
    assert stability_sentence(Stability(9, ((0, 0.6), (1, 0.4))), 1, "ab").endswith(", none in 60 %")


def test_resamples_that_cannot_be_judged_are_left_out_and_counted() -> None:
    # Influences as large as errors: of few rows, drawing a group again may leave no error to first order.
    errors = np.array([[4.0, 1.0], [4.0, 1.0], [4.0, 1.0], [4.0, 1e-12]])
    influences = np.array([[0.0, -9.0], [0.0, 60.0], [0.0, -60.0], [0.0, 3.0]])
    scored = SetErrors.of_rows(errors, np.arange(4), influences)
    found = stability(scored, np.ones(1), Rule(), np.random.default_rng(0))
    assert 0 < found.draws < 200
    assert sum(share for _, share in found.sets) == pytest.approx(1)


def test_without_any_resample_the_sentence_says_so() -> None:
    none = Stability(0, ())
    assert "too few rows" in stability_sentence(none, 1, "ab")
    assert (none.share(1), none.member_share(0)) == (0, 0)
