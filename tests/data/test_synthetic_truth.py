"""Truths of the synthetic systems against closed forms, independent integration and Monte Carlo."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache, partial
from math import log2
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import entr, ndtri
from scipy.stats import norm

from pidreg_cli.data.synthetic import SYSTEMS, SyntheticSystem, interactions, quadrature
from pidreg_cli.data.synthetic.interactions import Curve, Product
from pidreg_cli.data.synthetic.truth import truth_of
from tests.monte_carlo import assert_reported_as_simulated

GAUSSIAN = ("unique", "redundant", "null", "dominant", "additive", "pairwise", "heavy-tail", "exponential")


def truth(system: SyntheticSystem) -> dict[str, Any]:
    return truth_of(system, rows=20, seed=0)


@cache
def truth_named(name: str) -> dict[str, Any]:
    return truth(SYSTEMS[name])


def subsets(found: dict[str, Any]) -> Iterator[tuple[tuple[str, ...], float, float]]:
    for entry in found["information"]:
        yield tuple(entry["modalities"]), entry["reported"], entry["exact"]


def informations(found: dict[str, Any], kind: str = "reported") -> dict[str, float]:
    return {"".join(entry["modalities"]): entry[kind] for entry in found["information"]}


def normal_information(system: SyntheticSystem, names: tuple[str, ...]) -> float:
    seen = sum(c**2 for latent, c in system.linear.items() if latent in system.latents_of(names))
    total = sum(c**2 for c in system.linear.values()) + system.noise**2
    return -0.5 * log2(1.0 - seen / total)


@pytest.mark.parametrize("name", SYSTEMS)
def test_reported_information_agrees_with_monte_carlo(name: str) -> None:
    assert_reported_as_simulated(SYSTEMS[name], truth_named(name))


@pytest.mark.parametrize("name", GAUSSIAN)
def test_gaussian_systems_have_the_closed_form(name: str) -> None:
    system = SYSTEMS[name]
    for names, reported, exact in subsets(truth_named(name)):
        assert reported == pytest.approx(normal_information(system, names), abs=1e-6)
        assert exact == pytest.approx(normal_information(system, names), abs=1e-6)


@settings(max_examples=15, deadline=None)
@given(m=st.floats(-2.0, 2.0), u=st.floats(-2.0, 2.0), v=st.floats(-2.0, 2.0), noise=st.floats(0.1, 3.0))
def test_every_gaussian_system_has_the_closed_form(m: float, u: float, v: float, noise: float) -> None:
    system = SyntheticSystem(
        "variant", "", {"a": ("m", "u"), "b": ("m", "v")}, noise, linear={"m": m, "u": u, "v": v}
    )
    for names, reported, exact in subsets(truth(system)):
        assert reported == pytest.approx(normal_information(system, names), abs=2e-6)
        assert exact == pytest.approx(normal_information(system, names), abs=2e-6)


def test_a_finely_cut_target_tells_what_the_continuous_one_does() -> None:
    edges = tuple(np.linspace(-4.0, 4.0, 401).tolist())
    fine, whole = (truth(replace(SYSTEMS["integer"], edges=cuts)) for cuts in (edges, ()))
    for cut, continuous in zip(subsets(fine), subsets(whole), strict=True):
        assert cut[1:] == pytest.approx(continuous[1:], abs=2e-4)


def test_a_target_cut_in_two_against_closed_forms() -> None:
    # Y' is a fair sign, up to scale. With what is seen of variance r2, two targets that share it agree in sign
    # with probability 1/2 + asin(r2) / pi (Sheppard 1899), so that R2 = 2 asin(r2) / pi.
    system = replace(SYSTEMS["integer"], edges=(0.0,))
    total = sum(c**2 for c in system.linear.values()) + system.noise**2
    for names, reported, exact in subsets(truth(system)):
        r2 = sum(system.linear[k] ** 2 for k in system.latents_of(names)) / total
        assert reported == pytest.approx(-0.5 * log2(1.0 - 2.0 * np.arcsin(r2) / np.pi), abs=2e-6)
        chance = partial(positive, slope=np.sqrt(r2 / (1.0 - r2)))
        remaining = quad(lambda x, p=chance: norm.pdf(x) * entr([p(x), p(-x)]).sum() / np.log(2), -9, 9)[0]
        assert exact == pytest.approx(1.0 - remaining, abs=2e-6)


def positive(x: float, slope: float) -> float:
    return float(norm.cdf(slope * x))


def test_skewed_integers_with_an_interaction_agree_with_monte_carlo() -> None:
    system = replace(SYSTEMS["mixed"], edges=(-0.5, 0.0, 0.2, 1.5))
    found = truth(system)
    assert_reported_as_simulated(system, found)
    assert all(0.0 < exact < log2(5) for _, _, exact in subsets(found))


def test_xor_against_adaptive_integration() -> None:
    system = SYSTEMS["xor"]

    def cdf(y: float) -> float:
        return float(norm.cdf(y, 1.0, system.noise) + norm.cdf(y, -1.0, system.noise)) / 2.0

    def density(y: float) -> float:
        return float(norm.pdf(y, 1.0, system.noise) + norm.pdf(y, -1.0, system.noise)) / 2.0

    share = quad(lambda y: ndtri(cdf(y)) * norm.pdf(y, 1.0, system.noise), -2.0, 4.0)[0] ** 2
    entropy = quad(lambda y: -density(y) * log2(density(y)), -4.0, 4.0, points=[-1.0, 1.0])[0]
    remaining = 0.5 * log2(2.0 * np.pi * np.e * system.noise**2)
    assert informations(truth_named("xor"))["ab"] == pytest.approx(-0.5 * log2(1.0 - share), abs=2e-6)
    assert informations(truth_named("xor"), "exact") == pytest.approx(
        {"a": 0.0, "b": 0.0, "ab": entropy - remaining}, abs=2e-6
    )


def test_product_against_adaptive_integration() -> None:
    system = SYSTEMS["synergy"]

    nodes, weights = np.polynomial.legendre.leggauss(200)
    factor = 4.5 * (nodes + 1.0)
    scale, weights = np.hypot(factor, system.noise), 9.0 * weights * norm.pdf(factor)

    def density(y: float) -> float:
        return float(weights @ norm.pdf(y, 0.0, scale))

    def given_factor(t: float) -> float:
        return float(norm.pdf(t)) * 0.5 * log2(2.0 * np.pi * np.e * (t * t + system.noise**2))

    entropy = 2.0 * quad(lambda y: -density(y) * log2(density(y)), 0.0, 20.0, epsabs=1e-8, limit=200)[0]
    alone = entropy - 2.0 * quad(given_factor, 0.0, 9.0)[0]
    together = entropy - 0.5 * log2(2.0 * np.pi * np.e * system.noise**2)
    found = informations(truth_named("synergy"), "exact")
    assert found == pytest.approx({"a": alone, "b": alone, "ab": together}, abs=2e-6)


@pytest.mark.parametrize("name", ["synergy", "mixed", "fast-sine", "integer"])
def test_finer_quadrature_says_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rule = interactions.normal_rule
    for module in (interactions, quadrature):
        monkeypatch.setattr(module, "normal_rule", lambda: rule(step=0.09, reach=8.5))
    monkeypatch.setattr(quadrature, "CELLS", 12_000)
    for before, after in zip(subsets(truth_named(name)), subsets(truth(SYSTEMS[name])), strict=True):
        assert after[1:] == pytest.approx(before[1:], abs=1.5e-6)


@pytest.mark.parametrize("name", SYSTEMS)
def test_truths_are_coherent(name: str) -> None:
    found = truth_named(name)
    values = {frozenset(entry["modalities"]): entry for entry in found["information"]}
    for kind in ("reported", "exact"):
        pairs = [(values[a][kind], values[b][kind]) for a in values for b in values if a < b]
        assert all(0.0 <= part <= whole for part, whole in pairs)
    # Unless there are ties the transformed target is exactly normal: what is reported is a lower bound.
    ties = 1e-3 if SYSTEMS[name].edges else 2e-6
    assert all(entry["reported"] <= entry["exact"] + ties for entry in values.values())
    summary = found["summary"]
    parts = sum(summary["unique"].values()) + summary["redundant"] + summary["synergistic"]
    tables = [found["atoms"], *(row["atoms"] for row in found["sensitivity"])]
    for total in (parts, *(sum(atom["value"] for atom in atoms) for atoms in tables)):
        assert total == pytest.approx(values[frozenset(found["modalities"])]["reported"], abs=5e-6)
    assert len(found["atoms"]) == {2: 4, 3: 18}[len(found["modalities"])]


def test_each_system_is_what_its_name_says() -> None:
    one, nothing = pytest.approx(0.5 * log2(5.0), abs=1e-6), {"a": 0.0, "b": 0.0}
    assert truth_named("unique")["summary"] == {
        "total": one,
        "unique": {"a": one, "b": 0.0},
        "redundant": 0,
        "synergistic": 0,
    }
    assert truth_named("redundant")["summary"] == {
        "total": one,
        "unique": nothing,
        "redundant": one,
        "synergistic": 0,
    }
    assert truth_named("null")["summary"] == {
        "total": 0.0,
        "unique": nothing,
        "redundant": 0.0,
        "synergistic": 0.0,
    }
    for name in ("synergy", "xor"):
        summary = truth_named(name)["summary"]
        assert summary["synergistic"] == summary["total"]
        assert summary["total"] > 0.5


@pytest.mark.parametrize("name", ["square", "sine", "fast-sine"])
def test_curves_of_one_modality_are_unique_to_it(name: str) -> None:
    summary = truth_named(name)["summary"]
    assert summary["unique"]["a"] == summary["total"] > 0.5
    assert summary["redundant"] == summary["synergistic"] == 0.0


def test_mixed_and_three_hold_every_kind_of_atom() -> None:
    for name in ("mixed", "three"):
        summary = truth_named(name)["summary"]
        assert min(summary["unique"]["a"], summary["redundant"], summary["synergistic"]) > 0.2
        assert 1.5 < summary["total"] < 1.8


def test_dropping_the_weak_modality_costs_under_one_per_cent_of_the_error() -> None:
    system = SYSTEMS["dominant"]
    assert 0.02 < informations(truth_named("dominant"))["b"] < 0.05
    assert np.hypot(system.linear["v"], system.noise) / system.noise < 1.01


def test_a_square_that_both_see_is_redundant() -> None:
    both = replace(SYSTEMS["square"], modalities={"a": ("u",), "b": ("u",)})
    found, total = truth(both), informations(truth_named("square"))["a"]
    assert found["summary"] == {
        "total": total,
        "unique": {"a": 0.0, "b": 0.0},
        "redundant": total,
        "synergistic": 0.0,
    }
    for row in found["sensitivity"]:
        assert {atom["id"]: atom["value"] for atom in row["atoms"]}["{a}{b}"] == total


def test_a_product_within_one_modality_is_unique_to_it() -> None:
    inside = replace(SYSTEMS["synergy"], modalities={"a": ("p", "q"), "b": ()})
    total = informations(truth_named("synergy"))["ab"]
    assert truth(inside)["summary"]["unique"] == {"a": total, "b": 0.0}


def test_the_order_of_a_product_does_not_matter() -> None:
    swapped = replace(SYSTEMS["mixed"], interaction=Product("q", "p", 0.57))
    assert informations(truth(swapped)) == pytest.approx(informations(truth_named("mixed")), abs=1e-6)


def test_a_curve_that_is_a_line_is_linear() -> None:
    line = replace(SYSTEMS["square"], interaction=Curve("u", 0.8, np.positive), noise=0.6)
    assert informations(truth(line))["a"] == pytest.approx(-log2(0.6), abs=1e-6)


def test_ig_of_two_independent_contributions_is_that_of_uncorrelated_predictions() -> None:
    system = replace(
        SYSTEMS["heavy-tail"], linear={"u": 0.6, "v": 0.6}, modalities={"a": ("u",), "b": ("v",)}
    )
    atoms = {row["measure"]: row["atoms"] for row in truth(system)["sensitivity"]}["ig"]
    q2 = 0.36 / (0.72 + 0.43**2)
    # Uncorrelated predictions: h2 = 2 q2, redundancy = -1/2 log2(1 - q2 q2 / h2).
    assert {a["id"]: a["value"] for a in atoms}["{a}{b}"] == pytest.approx(-0.5 * log2(1 - q2 / 2), abs=2e-6)
