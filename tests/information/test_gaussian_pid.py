from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pidreg_cli.information.errors import (
    CollinearColumnsError,
    ConstantColumnError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
    UnknownMeasureError,
)
from pidreg_cli.information.gaussian_pid import GaussianPID, Measure, gaussian_pid

CLOSED = ("broja", "mmi", "dep", "ig")
# Sweeps of Barrett 2015 and Venkatesh & Schamberg 2022, examples of Kay & Ince 2018 and Kay 2024, random ones.
CASES = json.loads((Path(__file__).parent / "gaussian_cases.json").read_text())["cases"]


def channels(h_x: list, h_y: list) -> tuple[np.ndarray, int, int]:
    """Covariance of M ~ N(0, 1), X = Hx M + N_x, Y = Hy M + N_y with unit noises."""
    hx, hy = np.atleast_2d(h_x).astype(float), np.atleast_2d(h_y).astype(float)
    gains = np.vstack([np.eye(hx.shape[1]), hx, hy])
    noise = np.diag(np.repeat([0.0, 1.0], [hx.shape[1], len(hx) + len(hy)]))
    return gains @ gains.T + noise, hx.shape[1], len(hx)


def decompose(system: tuple[np.ndarray, int, int], measure: str, **options: object) -> GaussianPID:
    covariance, m, x = system
    sources = {"x": range(m, m + x), "y": range(m + x, len(covariance))}
    return gaussian_pid(covariance, range(m), sources, measure, **options)  # type: ignore[arg-type]


def four(d: GaussianPID) -> np.ndarray:
    return np.array([float(d.atoms[key]) for key in ("{x}", "{y}", "{x}{y}", "{x,y}")])


def random_system(seed: int, m: int, x: int, y: int) -> tuple[np.ndarray, int, int]:
    rows = np.random.default_rng(seed).standard_normal((m + x + y + 2, m + x + y))
    return np.cov(rows, rowvar=False) + 0.05 * np.eye(m + x + y), m, x


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_systems_with_known_atoms(case: dict[str, Any]) -> None:
    m, x, _ = case["widths"]
    for measure, atoms in case["atoms"].items():
        d = decompose((np.array(case["covariance"]), m, x), measure)
        assert list(d.information.values()) == pytest.approx(case["information"], abs=1e-7)
        assert four(d) == pytest.approx(atoms, abs=1e-7)


@pytest.mark.parametrize("measure", CLOSED)
@pytest.mark.parametrize("noise", [1.0, 10.0, 100.0])
def test_a_degraded_copy_is_redundant(measure: str, noise: float) -> None:
    # X = M + N, Y = X + sqrt(noise) N': all measures agree on a Markov chain.
    covariance = np.array([[1, 1, 1], [1, 2, 2], [1, 2, 2 + noise]])
    i_y = 0.5 * np.log2((2 + noise) / (1 + noise))
    assert four(decompose((covariance, 1, 1), measure)) == pytest.approx([0.5 - i_y, 0, i_y, 0], abs=1e-9)


@given(gains=st.lists(st.tuples(st.floats(0, 3), st.floats(0, 3)), min_size=1, max_size=4))
def test_broja_of_parallel_channels_is_their_sum(gains: list[tuple[float, float]]) -> None:
    gx, gy = (np.array(side) for side in zip(*gains, strict=True))
    d = decompose(channels(np.diag(gx).tolist(), np.diag(gy).tolist()), "broja")
    better = 0.5 * np.log2((1 + gx**2) / (1 + gy**2))
    expected = [np.maximum(better, 0).sum(), np.maximum(-better, 0).sum()]
    assert four(d)[:2] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("measure", CLOSED)
@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 3), x=st.integers(1, 4), y=st.integers(1, 4))
def test_atoms_are_non_negative_and_consistent(measure: str, seed: int, m: int, x: int, y: int) -> None:
    d = decompose(random_system(seed, m, x, y), measure)
    unique_x, unique_y, redundant, synergistic = four(d)
    assert four(d).min() > -1e-9
    assert unique_x + redundant == pytest.approx(d.information["x",], abs=1e-9)
    assert unique_y + redundant == pytest.approx(d.information["y",], abs=1e-9)
    assert four(d).sum() == pytest.approx(d.total, abs=1e-9)
    assert d.co_information == pytest.approx(redundant - synergistic, abs=1e-9)
    assert d.summary is not None
    assert (*d.summary.unique, d.summary.redundant, d.summary.synergistic) == pytest.approx(tuple(four(d)))


@pytest.mark.parametrize("measure", CLOSED)
@settings(max_examples=15)
@given(seed=st.integers(0, 10_000), m=st.integers(1, 2), x=st.integers(1, 3), y=st.integers(1, 3))
def test_linear_maps_within_blocks_change_nothing(measure: str, seed: int, m: int, x: int, y: int) -> None:
    covariance, _, _ = system = random_system(seed, m, x, y)
    rng = np.random.default_rng(seed)
    mixing = np.zeros_like(covariance)
    for span in (slice(0, m), slice(m, m + x), slice(m + x, None)):
        size = len(covariance[span])
        mixing[span, span] = rng.standard_normal((size, size)) + 3 * np.eye(size)
    moved = (mixing @ covariance @ mixing.T, m, x)
    assert four(decompose(moved, measure)) == pytest.approx(four(decompose(system, measure)), abs=1e-7)


@pytest.mark.parametrize("measure", get_args(Measure))
def test_column_order_and_exchange_of_sources(measure: Measure) -> None:
    covariance, _, _ = random_system(5, 2, 3, 2)
    plain = gaussian_pid(covariance, [0, 1], {"x": [2, 3, 4], "y": [5, 6]}, measure)
    order = [4, 6, 0, 2, 5, 1, 3]
    place = {column: i for i, column in enumerate(order)}
    shuffled = covariance[np.ix_(order, order)]
    sources = {"y": [place[6], place[5]], "x": [place[3], place[2], place[4]]}
    other = gaussian_pid(shuffled, [place[1], place[0]], sources, measure)
    keys = {"{x}": "{x}", "{y}": "{y}", "{x}{y}": "{y}{x}", "{x,y}": "{y,x}"}
    tolerance = 1e-9 if measure != "ccs" else 5 * plain.standard_error  # type: ignore[operator]
    assert [plain.atoms[k] for k in keys] == pytest.approx(
        [other.atoms[k] for k in keys.values()], abs=tolerance
    )


@pytest.mark.parametrize(
    ("measure", "exact"), [("broja", True), ("mmi", False), ("dep", False), ("ig", False)]
)
def test_additivity_over_independent_systems(measure: str, exact: bool) -> None:
    """Two different independent systems: only ``broja`` adds up; two identical ones: all do."""
    shared = 1 + 0.9 * np.sqrt(2.0)
    first = (np.array([[1, 0.4, 0.6], [0.4, 1, 0.9], [0.6, 0.9, 1.0]]), 1, 1)
    # Here the other source is stronger, and noise common to both makes 1 and 2 dependent given the target.
    second = (np.array([[1, 1, 1], [1, 2, shared], [1, shared, 3]]), 1, 1)
    together, apart = four(decompose(beside(first, second), measure)), four(decompose(first, measure))
    assert (together == pytest.approx(apart + four(decompose(second, measure)), abs=1e-7)) is exact
    doubled = four(decompose(beside(second, second), measure))
    assert doubled == pytest.approx(2 * four(decompose(second, measure)), abs=1e-7)


def beside(
    first: tuple[np.ndarray, int, int], second: tuple[np.ndarray, int, int]
) -> tuple[np.ndarray, int, int]:
    """Block-diagonal system, columns reordered to target, x, y, and turned within each block."""
    (a, m, x), (b, n, z) = first, second
    joint = np.block([[a, np.zeros((len(a), len(b)))], [np.zeros((len(b), len(a))), b]])
    p, q = np.arange(len(a)), len(a) + np.arange(len(b))
    order = np.concatenate([p[:m], q[:n], p[m : m + x], q[n : n + z], p[m + x :], q[n + z :]])
    return joint[np.ix_(order, order)], m + n, x + z


def test_units_are_exchangeable() -> None:
    for measure in get_args(Measure):
        bits, nats = (decompose(random_system(2, 2, 2, 2), measure, units=u) for u in ("bits", "nats"))
        assert four(nats) == pytest.approx(four(bits) * np.log(2.0), abs=1e-12)
        assert nats.total == pytest.approx(bits.total * np.log(2.0))


@pytest.mark.parametrize("measure", CLOSED)
def test_scale_of_a_column_does_not_matter(measure: str) -> None:
    covariance, m, x = random_system(3, 1, 2, 2)
    scale = np.array([1e-6, 1e5, 1.0, 1e-3, 1e8])
    scaled = covariance * np.outer(scale, scale)
    assert four(decompose((scaled, m, x), measure)) == pytest.approx(
        four(decompose((covariance, m, x), measure))
    )


def test_three_noisy_copies_in_antichain_notation() -> None:
    covariance = np.ones((4, 4)) + np.diag([0.0, 1.0, 2.0, 4.0])
    d = gaussian_pid(covariance, [0], {"a": [1], "b": [2], "c": [3]}, measure="broja")
    assert len(d.atoms) == 18
    assert {k: v for k, v in d.atoms.items() if v > 1e-9} == pytest.approx(
        {
            "{a}{b}{c}": 0.160964,
            "{a}{b}": 0.131517,
            "{a}{b,c}": 0.111196,
            "{a}": 0.096323,
            "{a,b}{a,c}": 0.084963,
            "{a,b}": 0.076002,
            "{a,b,c}": 0.068752,
        },
        abs=1e-6,
    )
    assert list(d.information) == [
        ("a",),
        ("b",),
        ("c",),
        ("a", "b"),
        ("a", "c"),
        ("b", "c"),
        ("a", "b", "c"),
    ]
    assert d.information["b", "c"] == pytest.approx(0.403677, abs=1e-6)
    assert d.summary is not None
    assert d.summary.unique == pytest.approx((0.096323, 0, 0), abs=1e-6)
    assert d.summary.redundant == pytest.approx(0.160964 + 0.131517 + 0.111196, abs=2e-6)
    assert sum(d.shapley.values()) == pytest.approx(d.total)


def test_twelve_sources_from_one_covariance() -> None:
    noise = np.arange(1.0, 13.0)
    names = [f"s{i}" for i in range(12)]
    covariance = np.ones((13, 13)) + np.diag([0.0, *noise])
    d = gaussian_pid(covariance, [0], {name: [i] for i, name in enumerate(names, start=1)})
    assert len(d.information) == 4095
    precision = {names: sum(1 / noise[int(name[1:])] for name in names) for names in d.information}
    expected = {names: 0.5 * np.log2(1 + value) for names, value in precision.items()}
    assert d.information == pytest.approx(expected)
    assert sum(d.atoms.values()) == pytest.approx(d.total)
    assert d.atoms["".join(f"{{{name}}}" for name in names)] == pytest.approx(0.5 * np.log2(1 + 1 / 12))
    assert sum(d.shapley.values()) == pytest.approx(d.total)


def test_bivariate_measures_set_each_source_against_the_rest() -> None:
    covariance, _, _ = random_system(7, 1, 3, 3)
    sources = {"a": [1, 2], "b": [3, 4], "c": [5, 6]}
    for measure in ("dep", "ig", "ccs"):
        d = gaussian_pid(covariance, [0], sources, measure)  # type: ignore[arg-type]
        assert (d.atoms, d.summary) == ({}, None)
        alone = gaussian_pid(covariance, [0], {"b": [3, 4], "rest": [1, 2, 5, 6]}, measure)  # type: ignore[arg-type]
        tolerance = 1e-9 if measure != "ccs" else 0.01
        assert d.one_versus_rest["b"].unique_1 == pytest.approx(alone.atoms["{b}"], abs=tolerance)
        assert d.one_versus_rest["b"].total == pytest.approx(d.total, abs=1e-9)


@pytest.mark.parametrize("measure", get_args(Measure))
def test_atoms_come_in_one_order(measure: str) -> None:
    d = decompose(random_system(8, 1, 2, 2), measure)
    assert list(d.atoms) == ["{x}", "{y}", "{x}{y}", "{x,y}"]


def test_one_source_is_all_unique() -> None:
    d = gaussian_pid(np.array([[1, 0.5], [0.5, 1.0]]), [0], {"x": [1]})
    assert d.atoms == {"{x}": pytest.approx(-0.5 * np.log2(0.75))}


@pytest.mark.parametrize("measure", CLOSED)
@pytest.mark.parametrize("m", [1, 2])
def test_gradients_match_differences(measure: str, m: int) -> None:
    covariance, _, x = random_system(11, m, 2, 3)

    def redundancy(values: torch.Tensor) -> torch.Tensor:
        symmetric = (values + values.T) / 2
        sources = {"x": range(m, m + x), "y": range(m + x, len(covariance))}
        return gaussian_pid(symmetric, range(m), sources, measure).atoms["{x}{y}"]  # type: ignore[arg-type]

    point = torch.tensor(covariance, requires_grad=True)
    assert torch.autograd.gradcheck(redundancy, (point,), eps=1e-6, atol=1e-5)
    assert redundancy(point).item() == pytest.approx(decompose((covariance, m, x), measure).atoms["{x}{y}"])


def test_lattice_is_differentiable_and_keeps_single_precision_inputs() -> None:
    covariance = torch.tensor(random_system(12, 1, 2, 2)[0], dtype=torch.float32, requires_grad=True)
    d = gaussian_pid(covariance, [0], {"a": [1], "b": [2], "c": [3, 4]}, "mmi")
    d.summary.synergistic.backward()  # type: ignore[union-attr]
    assert covariance.grad is not None
    assert covariance.grad.abs().sum() > 0
    assert sum(value.item() for value in d.atoms.values()) == pytest.approx(d.total.item())


def test_columns_that_cannot_be_used_are_named() -> None:
    rows = np.random.default_rng(0).standard_normal((50, 5))
    rows[:, 4] = 2 * rows[:, 1] - rows[:, 3]
    names = ["y", "age", "dose", "rate", "score"]
    sources = {"a": [1, 2], "b": [3, 4]}
    with pytest.raises(CollinearColumnsError, match="score is a linear combination of age, rate") as caught:
        gaussian_pid(np.cov(rows, rowvar=False), [0], sources, columns=names)
    assert caught.value.columns == ("score", "age", "rate")
    rows[:, 4] = 3.0
    with pytest.raises(ConstantColumnError, match="no variance in score"):
        gaussian_pid(np.cov(rows, rowvar=False), [0], sources, columns=names)
    rows[:, 4] = rows[:, 0]
    with pytest.raises(CollinearColumnsError, match="column 0 is a linear combination of column 4"):
        gaussian_pid(np.cov(rows, rowvar=False), [0], sources)


def test_fewer_rows_than_columns_is_an_error_and_shrinkage_a_choice() -> None:
    covariance = np.cov(np.random.default_rng(1).standard_normal((4, 6)), rowvar=False)
    sources = {"a": [1, 2], "b": [3, 4, 5]}
    with pytest.raises(CollinearColumnsError) as caught:
        gaussian_pid(covariance, [0], sources)
    assert "shrinkage" in caught.value.hint
    for measure in CLOSED:
        d = gaussian_pid(covariance, [0], sources, measure, shrinkage=0.2)  # type: ignore[arg-type]
        assert 0 < d.total < 10
    assert gaussian_pid(covariance, [0], sources, shrinkage=1.0).total == pytest.approx(0.0, abs=1e-12)


def test_matrices_that_are_no_covariance() -> None:
    sources = {"a": [1], "b": [2]}
    good = np.eye(3)
    with pytest.raises(NonFiniteError, match="of column 1 and column 2 is not finite"):
        gaussian_pid(np.array([[1, 0, 0], [0, 1, np.nan], [0, 0, 1]]), [0], sources)
    with pytest.raises(NotPositiveDefiniteError, match="symmetric"):
        gaussian_pid(good + np.triu(np.full((3, 3), 0.1), 1), [0], sources)
    with pytest.raises(NotPositiveDefiniteError, match="column 0 has variance"):
        gaussian_pid(np.array([[1, 0.9, -0.9], [0.9, 1, 0.9], [-0.9, 0.9, 1.0]]), [0], sources)
    with pytest.raises(NotPositiveDefiniteError, match="negative variance"):
        gaussian_pid(np.diag([1.0, -1.0, 1.0]), [0], sources)


def test_wrong_arguments_are_named() -> None:
    good = np.eye(4)
    with pytest.raises(ShapeError, match="square"):
        gaussian_pid(np.ones((2, 3)), [0], {"a": [1]})
    with pytest.raises(ShapeError, match=r"\[1, 9\]"):
        gaussian_pid(good, [0], {"a": [1, 9], "b": [1]})
    with pytest.raises(ShapeError, match="no columns in b"):
        gaussian_pid(good, [0], {"a": [1], "b": []})
    with pytest.raises(ShapeError, match="no columns in the target"):
        gaussian_pid(good, [], {"a": [1]})
    with pytest.raises(ShapeError, match="shrinkage"):
        gaussian_pid(good, [0], {"a": [1]}, shrinkage=1.5)
    with pytest.raises(UnknownMeasureError, match="wms"):
        gaussian_pid(good, [0], {"a": [1]}, "wms")  # type: ignore[arg-type]


def test_no_information_reads_zero() -> None:
    for measure in CLOSED:
        assert four(decompose((np.eye(5), 2, 1), measure)) == pytest.approx([0, 0, 0, 0], abs=1e-12)


def test_positions_that_are_no_numbers_are_refused() -> None:
    good = np.eye(4)
    for block in (1, ["x"], [1.5], slice(1, 2)):
        with pytest.raises(ShapeError, match="columns of a must be"):
            gaussian_pid(good, [0], {"a": block})  # type: ignore[dict-item]
    with pytest.raises(ShapeError, match="columns of the target must be"):
        gaussian_pid(good, 0, {"a": [1]})  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="4 columns need as many names, however: 2"):
        gaussian_pid(good, [0], {"a": [1]}, columns=["y", "a"])


def test_names_that_atoms_could_not_tell_apart_are_refused() -> None:
    # {a,b} would be the source of that name and the pair of a and b.
    for name in ("a,b", "{a}", "", 1):
        with pytest.raises(ShapeError, match="names of sources"):
            gaussian_pid(np.eye(4), [0], {"a": [1], "b": [2], name: [3]})  # type: ignore[dict-item]


def test_a_mean_of_ccs_needs_draws() -> None:
    for draws in (-1, 0, 1):
        with pytest.raises(ShapeError, match="at least 2 draws"):
            gaussian_pid(np.eye(3), [0], {"a": [1], "b": [2]}, "ccs", draws=draws)


def test_rounding_of_single_precision_is_no_asymmetry() -> None:
    rows = np.random.default_rng(0).standard_normal((500, 40))
    covariance = np.cov(rows, rowvar=False)
    rounded = torch.tensor(covariance * (1 + 1e-7 * np.triu(np.ones((40, 40)), 1)))
    sources = {"x": range(1, 20), "y": range(20, 40)}
    for measure in CLOSED:
        exact = gaussian_pid(covariance, [0], sources, measure)  # type: ignore[arg-type]
        found = gaussian_pid(rounded, [0], sources, measure)  # type: ignore[arg-type]
        assert four(found) == pytest.approx(four(exact), abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_ig_of_a_nearly_perfect_copy_has_no_synergy(seed: int) -> None:
    # y = G x + a trace of noise: what is predicted from either source can be nearly the same.
    rng = np.random.default_rng(seed)
    h, g = rng.standard_normal((4, 4)), rng.standard_normal((4, 4))
    x = h @ h.T + np.eye(4)
    covariance = np.block(
        [[np.eye(4), h.T, h.T @ g.T], [h, x, x @ g.T], [g @ h, g @ x, g @ x @ g.T + 1e-6 * np.eye(4)]]
    )
    d = decompose((covariance, 4, 4), "ig")
    assert four(d)[1:] == pytest.approx([0, d.information["y",], 0], abs=1e-9)
