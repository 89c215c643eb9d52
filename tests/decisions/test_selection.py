from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from pidreg_cli.decisions.selection import Choice, Comparison, choose, least_harmful

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
    choice = choose(np.array([0, 1, 0.2, 1]), None, errors, np.arange(600) % 30, np.ones(2), 0.01)
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
    compared = Comparison.of(errors, np.arange(len(errors)) % 30)
    assert compared.rmse == pytest.approx(np.sqrt(errors.mean(axis=0)))
    assert not compared.worse(np.array([3]), 3, 0.05).any()


def test_false_alarms_of_worse_keep_their_level() -> None:
    rng = np.random.default_rng(1)
    alarms = []
    for _ in range(300):
        target, first, second = rng.standard_normal((3, 200))
        errors = np.column_stack([target**2, (target - 0.3 * first) ** 2, (target - 0.3 * second) ** 2])
        padded = np.column_stack([errors, errors[:, 1]])
        compared = Comparison.of(padded, np.arange(200) % 30)
        alarms.append(bool(compared.worse(np.array([2]), 1, 0.05)[0]))
    assert 0.02 < np.mean(alarms) < 0.09


def test_what_rows_did_to_fits_widens_the_comparison() -> None:
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(300)
    worse = (noise + 0.4 * rng.standard_normal(300)) ** 2
    errors = np.column_stack([(noise + 2) ** 2, worse, noise**2, noise**2])
    groups = np.arange(300) % 30
    influences = np.zeros_like(errors)
    influences[:, 1] = 10 * rng.standard_normal(300)
    fixed, refitted = (Comparison.of(errors, groups, given) for given in (None, influences))
    assert fixed.worse(np.array([1]), 3, 0.05)[0]
    assert not refitted.worse(np.array([1]), 3, 0.05)[0]
    information = np.array([0.0, 0.5, 0.6, 0.6])
    loose = {"errors": errors, "groups": groups, "costs": np.array([1.0, 9]), "tolerance": 0.5}
    assert choose(information, None, **loose).recommended == 2
    assert choose(information, None, **loose, influences=influences).recommended == 1


def test_least_harmful_drops_one_member() -> None:
    rmse = np.array([9.0, 5, 4, 1, 6, 3, 2, 0])
    assert least_harmful(rmse, 7) == 3
    assert least_harmful(rmse, 6) == 2


def test_twelve_modalities_are_in_reach() -> None:
    rng = np.random.default_rng(0)
    errors = rng.chisquare(1, (300, 2**12)) + 1
    information = np.zeros(2**12)
    choice = choose(information, None, errors, np.arange(300) % 30, np.ones(12), 0.01)
    assert len(choice.candidates) == 4095
