"""Every closed form against an implementation that follows the definition and shares no code with it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cvxpy
import numpy as np
import pytest
from scipy.optimize import minimize_scalar

from pidreg_cli.information.gaussian_pid import gaussian_pid

CASES = json.loads((Path(__file__).parent / "gaussian_cases.json").read_text())["cases"]
SHAPES = [(1, 1, 1), (1, 2, 3), (2, 1, 1), (2, 2, 2), (2, 4, 1), (3, 2, 4)]


def random_covariance(seed: int, size: int) -> np.ndarray:
    rows = np.random.default_rng(seed).standard_normal((size + 3, size))
    return rows.T @ rows / (size + 3)


def information(covariance: np.ndarray, a: list[int], b: list[int]) -> float:
    """I(a; b) in bits from three determinants."""
    logs = [np.linalg.slogdet(covariance[np.ix_(c, c)])[1] for c in (a, b, a + b)]
    return float(0.5 * (logs[0] + logs[1] - logs[2]) / np.log(2))


def chained(covariance: np.ndarray, near: list[int], one: list[int], two: list[int]) -> np.ndarray:
    """The covariance with ``one`` and ``two`` made independent given ``near``, all other entries kept."""
    changed = covariance.copy()
    product = covariance[np.ix_(one, near)] @ np.linalg.solve(
        covariance[np.ix_(near, near)], covariance[np.ix_(near, two)]
    )
    changed[np.ix_(one, two)] = product
    changed[np.ix_(two, one)] = product.T
    return changed


def slow_dep(covariance: np.ndarray, y: list[int], a: list[int], b: list[int]) -> float:
    apart = chained(covariance, y, a, b)
    kept = information(apart, y, a + b) - information(apart, y, b)
    return min(kept, information(covariance, y, a + b) - information(covariance, y, b))


def slow_ig(covariance: np.ndarray, y: list[int], a: list[int], b: list[int]) -> float:
    ends = [np.linalg.inv(chained(covariance, near, y, far)) for near, far in ((a, b), (b, a))]

    def divergence(t: float) -> float:
        precision = (1 - t) * ends[0] + t * ends[1]
        if np.linalg.eigvalsh(precision)[0] <= 0:
            return np.inf
        return float(-0.5 * np.linalg.slogdet(precision @ covariance)[1] / np.log(2))

    # [0, 1] is always inside; the minimum may be outside, so the bracket grows.
    grid = np.concatenate([-np.logspace(3, -2, 300), np.linspace(0, 1, 201), 1 + np.logspace(-2, 3, 300)])
    k = int(np.argmin([divergence(t) for t in grid]))
    found = minimize_scalar(
        divergence, bounds=(grid[k - 1], grid[k + 1]), method="bounded", options={"xatol": 1e-10}
    )
    synergy = float(found.fun)
    return information(covariance, y, a + b) - information(covariance, y, b) - synergy


def slow_broja(covariance: np.ndarray, y: list[int], a: list[int], b: list[int]) -> float:
    """Unique information of a: the least I(y; a, b) over cross-covariances of a and b, as a semidefinite
    program.

    Cov(y | a, b) is the largest P with [[S_y - P, S_ya, S_yb], [., S_a, M], [., ., S_b]] >= 0, M free.
    """
    left = cvxpy.Variable((len(y), len(y)), PSD=True)
    free = cvxpy.Variable((len(a), len(b)))
    s = {
        (p, q): covariance[np.ix_(u, v)]
        for p, u in zip("yab", (y, a, b), strict=True)
        for q, v in zip("yab", (y, a, b), strict=True)
    }
    joint = cvxpy.bmat(
        [
            [s["y", "y"] - left, s["y", "a"], s["y", "b"]],
            [s["a", "y"], s["a", "a"], free],
            [s["b", "y"], free.T, s["b", "b"]],
        ]
    )
    problem = cvxpy.Problem(cvxpy.Maximize(cvxpy.log_det(left)), [(joint + joint.T) / 2 >> 0])
    problem.solve(solver="CLARABEL", tol_gap_abs=1e-9, tol_gap_rel=1e-9, tol_feas=1e-9)
    union = 0.5 * (np.linalg.slogdet(s["y", "y"])[1] - problem.value) / np.log(2)
    return float(union - information(covariance, y, b))


def unique(covariance: np.ndarray, shape: tuple[int, int, int], measure: str) -> float:
    m, x, _ = shape
    sources = {"x": range(m, m + x), "y": range(m + x, len(covariance))}
    return float(gaussian_pid(covariance, range(m), sources, measure).atoms["{x}"])  # type: ignore[arg-type]


def groups(shape: tuple[int, int, int]) -> tuple[list[int], list[int], list[int]]:
    m, x, y = shape
    return list(range(m)), list(range(m, m + x)), list(range(m + x, m + x + y))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_dep_and_ig_match_their_definitions(shape: tuple[int, int, int], seed: int) -> None:
    covariance = random_covariance(seed, sum(shape))
    assert unique(covariance, shape, "dep") == pytest.approx(slow_dep(covariance, *groups(shape)), abs=1e-9)
    assert unique(covariance, shape, "ig") == pytest.approx(slow_ig(covariance, *groups(shape)), abs=1e-7)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", range(2, 6))
def test_broja_matches_the_semidefinite_program(shape: tuple[int, int, int], seed: int) -> None:
    covariance = random_covariance(seed, sum(shape))
    assert unique(covariance, shape, "broja") == pytest.approx(
        slow_broja(covariance, *groups(shape)), abs=1e-6
    )


@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_known_atoms_follow_from_the_definitions(case: dict[str, Any]) -> None:
    """The slow implementations confirm the very numbers that the fast ones are tested against."""
    covariance, systems = np.array(case["covariance"]), groups(tuple(case["widths"]))
    unique_x = {measure: atoms[0] for measure, atoms in case["atoms"].items()}
    assert slow_dep(covariance, *systems) == pytest.approx(unique_x["dep"], abs=1e-7)
    assert slow_ig(covariance, *systems) == pytest.approx(unique_x["ig"], abs=2e-7)
    assert slow_broja(covariance, *systems) == pytest.approx(unique_x["broja"], abs=1e-6)


def test_ig_finds_a_minimum_outside_the_unit_interval() -> None:
    # Strongly correlated sources of unlike strength: on [0, 1] alone the divergence would come out larger.
    covariance = np.array([[1, 0.4, 0.6], [0.4, 1, 0.9], [0.6, 0.9, 1.0]])
    y, a, b = groups((1, 1, 1))
    ends = [np.linalg.inv(chained(covariance, near, y, far)) for near, far in ((a, b), (b, a))]
    inside = min(
        -0.5 * np.linalg.slogdet(((1 - t) * ends[0] + t * ends[1]) @ covariance)[1] / np.log(2)
        for t in np.linspace(0, 1, 1001)
    )
    synergy = float(gaussian_pid(covariance, [0], {"x": [1], "y": [2]}, "ig").atoms["{x,y}"])
    assert synergy < inside - 1e-4
