from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pidreg_cli.decisions.selection import Choice, Contest, Rule, Told, choose, least_harmful
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.errors import UsageError
from tests.decisions.conftest import evaluated

Floats = NDArray[np.float64]
Draw = Callable[..., Floats]
Select = Callable[..., Choice]


@pytest.mark.parametrize("seed", range(5))
def test_of_two_copies_one_goes(draw: Draw, select: Select, seed: int) -> None:
    common, noise, *jitter = draw(4, seed=seed)
    copies = np.column_stack([common + 0.01 * part for part in jitter])
    choice = select(copies, common + noise)
    assert choice.recommended in (1, 2)
    dropped = {c.mask: c.information for c in choice.candidates}
    assert dropped[3] - dropped[choice.recommended] < 0.02


def test_of_three_modalities_with_a_copy_the_independent_one_stays(draw: Draw, select: Select) -> None:
    common, own, noise, jitter = draw(4)
    choice = select(np.column_stack([common, common + 0.01 * jitter, own]), common + own + noise)
    assert choice.recommended in (0b101, 0b110)


@pytest.mark.parametrize("seed", range(5))
def test_useless_modality_goes(draw: Draw, select: Select, seed: int) -> None:
    useful, useless, noise = draw(3, seed=seed)
    choice = select(np.column_stack([useful, useless]), useful + noise)
    assert choice.recommended == 1
    rmse = {candidate.mask: candidate.expected_rmse for candidate in choice.candidates}
    assert abs(rmse[1] / rmse[3] - 1) < 0.02


@pytest.mark.parametrize("seed", range(5))
def test_modalities_that_tell_only_as_a_product_both_stay(draw: Draw, select: Select, seed: int) -> None:
    a, b, noise, useless = draw(4, seed=seed)
    choice = select(np.column_stack([a, b, useless]), a * b + noise)
    assert choice.recommended == 0b011
    alone = {candidate.mask: candidate.information for candidate in choice.candidates}
    assert max(alone[1], alone[2]) < 0.02 < alone[3]


def test_dominant_modality_stays_alone_within_a_generous_tolerance(draw: Draw, select: Select) -> None:
    strong, weak, noise = draw(3, rows=300)
    sources = np.column_stack([strong, weak])
    target = 3 * strong + 0.02 * weak + noise
    assert select(sources, target, tolerance=0.02).recommended == 1


def test_significant_loss_within_the_tolerance_is_not_accepted(draw: Draw, select: Select) -> None:
    strong, weak, noise = draw(3, rows=20_000)
    choice = select(np.column_stack([strong, weak]), strong + 0.1 * weak + noise, tolerance=0.05)
    assert choice.recommended == 3
    assert 0 < choice.against.loss < 0.05
    assert choice.against.significant


def test_three_of_five_matter(draw: Draw, select: Select) -> None:
    *sources, noise = draw(6)
    target = sources[0] + sources[2] * sources[4] + 0.5 * sources[2] + 0.7 * noise
    choice = select(np.column_stack(sources), target)
    assert choice.recommended == 0b10101


@pytest.mark.parametrize("seed", range(8))
def test_nothing_informative_means_nothing_recommended(draw: Draw, select: Select, seed: int) -> None:
    a, b, target = draw(3, rows=600, seed=seed)
    choice = select(np.column_stack([a, b]), target)
    assert choice.recommended == 0
    assert choice.against.smaller == 0
    assert not choice.against.significant


def test_one_modality_stays_where_it_tells_something(draw: Draw, select: Select) -> None:
    a, noise = draw(2)
    kept, dropped = select(a[:, None], a + noise), select(a[:, None], noise)
    assert (kept.recommended, kept.against.smaller, kept.against.significant) == (1, 0, True)
    assert dropped.recommended == 0


def test_costs_decide_between_equals(draw: Draw, select: Select) -> None:
    common, noise, first, second = draw(4)
    sources = np.column_stack([common + 0.01 * first, common + 0.01 * second])
    assert select(sources, common + noise, costs={"a": 5, "b": 2}).recommended == 2
    assert select(sources, common + noise, costs={"a": 2, "b": 5}).recommended == 1


def test_two_cheap_ones_beat_an_expensive_one(draw: Draw, select: Select) -> None:
    a, b, noise = draw(3)
    sources = np.column_stack([a, b, a + b])
    assert select(sources, a + b + noise).recommended == 0b100
    assert select(sources, a + b + noise, costs={"c": 10}).recommended == 0b011


def test_a_set_that_is_clearly_better_than_all_becomes_the_reference() -> None:
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(600) ** 2
    errors = np.column_stack([noise + 3, noise, noise + 2, noise * 1.3 + 0.3])
    scored = SetErrors.of_rows(errors, np.arange(600) % 30)
    choice = choose(scored, Told(np.array([0, 1, 0.2, 1]), None), np.ones(2))
    assert (choice.reference, choice.recommended) == (1, 1)


def test_the_luckiest_of_many_noise_sets_does_not_become_the_reference(draw: Draw, select: Select) -> None:
    *sources, noise = draw(6, rows=400, seed=2)
    choice = select(np.column_stack(sources), sum(sources) + noise)
    assert choice.reference == choice.full == 31


def test_order_of_modalities_does_not_matter(draw: Draw, select: Select) -> None:
    a, b, c, noise = draw(4)
    target = a + b * c + noise
    forward, backward = (
        select(np.column_stack([a, b, c, noise * 0 + a * c]), target),
        select(np.column_stack([noise * 0 + a * c, c, b, a]), target),
    )
    assert f"{forward.recommended:04b}" == f"{backward.recommended:04b}"[::-1]


def test_expected_rmse_is_the_root_of_the_mean(draw: Draw) -> None:
    errors = np.square(draw(4)).T
    scored = SetErrors.of_rows(errors, np.arange(len(errors)) % 30)
    assert scored.rmse == pytest.approx(np.sqrt(errors.mean(axis=0)))
    assert not Contest.of(scored, np.ones(2), Rule()).worse(np.array([3]), 3, 0.05).any()


def test_false_alarms_of_worse_keep_their_level() -> None:
    rng = np.random.default_rng(1)
    alarms = []
    for _ in range(300):
        target, first, second = rng.standard_normal((3, 200))
        errors = np.column_stack([target**2, (target - 0.3 * first) ** 2, (target - 0.3 * second) ** 2])
        padded = np.column_stack([errors, errors[:, 1]])
        contest = Contest.of(SetErrors.of_rows(padded, np.arange(200) % 30), np.ones(2), Rule())
        alarms.append(bool(contest.worse(np.array([2]), 1, 0.05)[0]))
    assert 0.02 < np.mean(alarms) < 0.09


def test_what_rows_did_to_fits_widens_the_comparison() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(300)
    worse = (noise + 0.4 * rng.standard_normal(300)) ** 2
    errors = np.column_stack([(noise + 2) ** 2, worse, noise**2, noise**2])
    groups = np.arange(300) % 30
    influences = np.zeros_like(errors)
    influences[:, 1] = 10 * rng.standard_normal(300)
    costs, rule = np.array([1.0, 9]), Rule(tolerance=0.5)
    scored = [SetErrors.of_rows(errors, groups, given) for given in (None, influences)]
    fixed, refitted = (Contest.of(one, costs, rule) for one in scored)
    assert fixed.worse(np.array([1]), 3, 0.05)[0]
    assert not refitted.worse(np.array([1]), 3, 0.05)[0]
    told = Told(np.array([0.0, 0.5, 0.6, 0.6]), None)
    assert [choose(one, told, costs, rule).recommended for one in scored] == [2, 1]


def test_least_harmful_drops_one_member() -> None:
    rmse = np.array([9.0, 5, 4, 1, 6, 3, 2, 0.5])
    scored = SetErrors(tuple(range(8)), np.ones(4), np.tile(rmse**2, (4, 1)))
    assert least_harmful(scored, 7) == 3
    assert least_harmful(scored, 6) == 2
    few = SetErrors((0, 2, 7), np.ones(4), np.tile(rmse[[0, 2, 7]] ** 2, (4, 1)))
    assert least_harmful(few, 2) == 0


def test_twelve_modalities_are_in_reach() -> None:
    rng = np.random.default_rng(0)
    errors = rng.chisquare(1, (300, 2**12)) + 1
    scored = SetErrors.of_rows(errors, np.arange(300) % 30)
    choice = choose(scored, Told(np.zeros(2**12), None), np.ones(12))
    assert len(choice.candidates) == 4095


def test_exact_copies_are_no_loss_however_sure(draw: Draw) -> None:
    common, noise = draw(2)
    exact = np.square(noise)
    errors = np.column_stack([np.square(common) + exact, exact * 1.0005, exact * 1.0004, exact])
    scored = SetErrors.of_rows(errors, np.arange(len(errors)) % 30)
    assert Contest.of(scored, np.ones(2), Rule()).worse(np.array([1]), 3, 0.05)[0]
    for rule in (Rule(), Rule("one-se")):
        assert choose(scored, Told(np.zeros(4), None), np.ones(2), rule).recommended == 2
    # A tolerance below what counts as none stays the bound.
    for tolerance, recommended in ((0.0, 3), (0.00019, 3), (0.00021, 2)):
        rule = Rule(tolerance=tolerance)
        assert choose(scored, Told(np.zeros(4), None), np.ones(2), rule).recommended == recommended


@pytest.mark.parametrize("seed", range(5))
def test_one_standard_error_takes_the_useful_and_the_pair_and_leaves_the_useless(
    draw: Draw, select: Select, seed: int
) -> None:
    a, b, c, useless, noise = draw(5, seed=seed)
    choice = select(np.column_stack([a, b, c, useless]), a + b * c + noise, rule="one-se")
    assert choice.recommended & 0b0111 == 0b0111


def test_one_standard_error_by_its_definition(draw: Draw) -> None:
    *sources, noise = draw(5, rows=300, seed=3)
    scored, told = evaluated(np.column_stack(sources), sources[0] + 0.2 * sources[1] + noise)
    choice = choose(scored, told, np.ones(4), Rule("one-se"))
    best = int(scored.rmse.argmin())
    logs = -np.log2(scored.rmse)
    sums = scored.sums.sum(axis=0)
    replicates = -0.5 * np.log2(sums - scored.sums)
    for mask in range(16):
        paired = replicates[:, best] - replicates[:, mask]
        error = np.sqrt(29 / 30 * np.sum((paired - paired.mean()) ** 2))
        if mask.bit_count() < choice.recommended.bit_count():
            assert logs[best] - logs[mask] > error
    assert choice.reference == best


def test_a_budget_allows_the_best_that_it_pays_for(draw: Draw, select: Select) -> None:
    a, b, c, noise = draw(4)
    sources, target = np.column_stack([a, b, c]), 3 * a + 2 * b + c + noise
    costs = {"a": 5, "b": 2, "c": 2.5}
    best = {budget: select(sources, target, costs=costs, budget=budget) for budget in (2, 4.5, 5, 7, 9.5)}
    assert {budget: choice.recommended for budget, choice in best.items()} == {
        2: 0b010,
        4.5: 0b110,
        5: 0b001,
        7: 0b011,
        9.5: 0b111,
    }
    assert [best[budget].affordable for budget in (7, 9.5)] == [False, True]
    assert best[7].against.reference == 0b111


def test_a_budget_is_not_used_up_for_nothing(draw: Draw, select: Select) -> None:
    common, own, noise, jitter = draw(4)
    sources = np.column_stack([common, common + 0.001 * jitter, own])
    choice = select(sources, common + own + noise, costs={"c": 9}, budget=2)
    assert choice.recommended in (1, 2)


def test_sums_of_decimal_fractions_keep_to_the_budget(draw: Draw, select: Select) -> None:
    a, b, c, noise = draw(4)
    costs = {"a": 0.1, "b": 0.2, "c": 0.3}
    choice = select(np.column_stack([a, b, c]), a + b + noise, costs=costs, budget=0.3)
    assert choice.recommended == 0b011


@pytest.mark.parametrize(("budget", "words"), [(1.5, "the cheapest costs 2"), (-1.0, "at least 0")])
def test_budgets_that_nothing_meets(draw: Draw, select: Select, budget: float, words: str) -> None:
    a, b, noise = draw(3)
    with pytest.raises(UsageError, match=words):
        select(np.column_stack([a, b]), a + b + noise, costs={"a": 2, "b": 3}, budget=budget)


def test_intervals_of_the_expected_rmse_cover_it() -> None:
    rng = np.random.default_rng(0)
    inside = []
    for _ in range(200):
        errors = np.square(rng.standard_normal((150, 2)) * [3, 2])
        spans = SetErrors.of_rows(errors, np.arange(150) % 30).rmse_intervals(0.95)
        inside.append((spans[:, 0] < [3, 2]) & (spans[:, 1] > [3, 2]))
    assert np.all(np.mean(inside, axis=0) > 0.9)
