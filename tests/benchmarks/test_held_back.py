"""Truths of the systems that nothing is tuned on, against Monte Carlo."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from benchmarks.known_truth.held_back import HELD_BACK, PiecewiseCurve, TwoProducts
from pidreg_cli.data.synthetic import SYSTEMS, SyntheticSystem, generate
from pidreg_cli.data.synthetic.interactions import Product
from pidreg_cli.data.synthetic.truth import truth_of
from tests.monte_carlo import assert_reported_as_simulated

# The truth of two products is an integral over two mixing variables: ten seconds.
NAMES = [pytest.param(name, marks=pytest.mark.slow) if name == "two-products" else name for name in HELD_BACK]


def truth(system: SyntheticSystem) -> dict[str, Any]:
    return truth_of(system, rows=20, seed=0)


@pytest.mark.parametrize("name", NAMES)
def test_reported_information_agrees_with_monte_carlo(name: str) -> None:
    assert_reported_as_simulated(HELD_BACK[name], truth(HELD_BACK[name]))


def test_no_system_is_held_back_that_synth_shows() -> None:
    assert len(HELD_BACK) >= 5
    assert not set(HELD_BACK) & set(SYSTEMS)
    parts = [(system.modalities, system.linear, system.interaction) for system in SYSTEMS.values()]
    assert all((s.modalities, s.linear, s.interaction) not in parts for s in HELD_BACK.values())


def test_a_jump_and_a_kink_against_adaptive_integration() -> None:
    for function, breaks, low in ((np.abs, (0.0,), 0.0), (lambda u: 1.0 * (u > 0.5), (0.5,), 0.5)):
        mixture = PiecewiseCurve("u", function, breaks).mixture(frozenset("u"))
        square = 2.0 * quad(lambda u: u**2 * norm.pdf(u), 0.0, 9.0)[0] if low == 0.0 else norm.sf(0.5)
        assert mixture.weights @ mixture.seen_mean**2 == pytest.approx(square, abs=1e-10)


def test_two_products_seen_differently_have_no_mixture() -> None:
    both = TwoProducts(Product("p", "q", 1.0), Product("r", "s", 1.0))
    with pytest.raises(ValueError, match=r"\[1, 0\]"):
        both.mixture(frozenset("p"))


def test_a_second_product_of_no_weight_changes_nothing() -> None:
    one = SyntheticSystem("one", "", {"a": ("p",), "b": ("q",)}, 0.45, interaction=Product("p", "q", 1.0))
    both = TwoProducts(Product("p", "q", 1.0), Product("r", "s", 0.0)).mixture(frozenset("pr"))
    alone = one.interaction.mixture(frozenset("p"))
    assert both.weights @ both.unseen_variance == pytest.approx(
        alone.weights @ alone.unseen_variance, abs=1e-12
    )


def test_held_back_tables_can_be_mixed_strongly() -> None:
    table = generate(HELD_BACK["bystander"], 50, 0, "strong").table
    assert table.num_columns == 3 * 24 + 2


def test_a_quarter_of_the_counts_are_zeros() -> None:
    target = generate(HELD_BACK["count"], 20_000, 0).table["target"].to_numpy()
    assert np.mean(target == 0) == pytest.approx(0.25, abs=0.01)
