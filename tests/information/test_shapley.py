from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.information.errors import IncoherentInformationError
from pidreg_cli.information.lattice import monotone_closure
from pidreg_cli.information.shapley import fusion_weights, shapley_values, union_shares


def slow_shapley(v: np.ndarray, n: int) -> np.ndarray:
    """Mean marginal gain over every order of arrival."""
    gains = np.zeros(n)
    orders = list(permutations(range(n)))
    for order in orders:
        present = 0
        for player in order:
            gains[player] += v[present | 1 << player] - v[present]
            present |= 1 << player
    return gains / len(orders)


@given(n=st.integers(1, 5), seed=st.integers(0, 1000))
def test_values_average_over_orders(n: int, seed: int) -> None:
    v = monotone_closure(np.random.default_rng(seed).normal(size=1 << n))
    assert shapley_values(v) == pytest.approx(slow_shapley(v, n), abs=1e-12)
    assert shapley_values(v).sum() == pytest.approx(v[-1])


@given(singles=st.lists(st.floats(0, 3), min_size=1, max_size=5))
def test_union_shares_are_those_of_the_union_game(singles: list[float]) -> None:
    n = len(singles)
    game = np.array(
        [max((s for i, s in enumerate(singles) if a >> i & 1), default=0.0) for a in range(1 << n)]
    )
    assert union_shares(np.array(singles)) == pytest.approx(shapley_values(game), abs=1e-12)


def test_two_sources_get_unique_plus_half_the_redundancy() -> None:
    weights = fusion_weights(np.array([0.0, 0.5, 0.3, 0.9]))
    assert weights.singles * 0.9 == pytest.approx([0.2 + 0.15, 0.15])
    assert weights.pairs[0, 1] * 0.9 == pytest.approx(0.4)
    assert weights.vector.sum() == pytest.approx(1.0)


def test_pairs_share_the_synergy_by_their_gains() -> None:
    # Only sources 0 and 2 gain by coming together.
    v = monotone_closure(np.array([0.0, 0.2, 0.1, 0.2, 0.0, 0.5, 0.1, 0.5]))
    weights = fusion_weights(v)
    assert weights.pairs[0, 2] == pytest.approx(0.3 / 0.5)
    assert weights.pairs.sum() == pytest.approx(weights.pairs[0, 2])
    assert weights.vector.tolist() == [*weights.singles, 0.0, weights.pairs[0, 2], 0.0]


def test_synergy_of_no_pair_is_shared_equally() -> None:
    weights = fusion_weights(np.array([0.0] * 7 + [0.6]))
    assert weights.vector == pytest.approx([0, 0, 0, 1 / 3, 1 / 3, 1 / 3])


def test_a_null_modality_weighs_nothing() -> None:
    assert fusion_weights(np.array([0.0, 0.5, 0.0, 0.5])).vector == pytest.approx([1.0, 0.0, 0.0])


def test_nothing_to_weigh_is_uniform_and_says_so() -> None:
    weights = fusion_weights(np.zeros(8))
    assert weights.degenerate
    assert weights.vector == pytest.approx([1 / 3] * 3 + [0] * 3)


def test_one_source_takes_all() -> None:
    assert fusion_weights(np.array([0.0, 0.4])).vector.tolist() == [1.0]


def test_incoherent_informations_are_refused() -> None:
    with pytest.raises(IncoherentInformationError):
        fusion_weights(np.array([0.0, 0.5, 0.2, 0.3]))
