from __future__ import annotations

import numpy as np
import pytest

from pidreg_cli.information.ccs import ccs_redundancy, scalar_ccs_redundancy
from pidreg_cli.information.gaussian_pid import gaussian_pid


def slow_ccs(covariance: np.ndarray, x: int, m: int, draws: int, seed: int) -> np.ndarray:
    """Pointwise redundancy of rows of [x, y, target], density by density, following Ince 2017."""
    q = len(covariance)
    rows = np.random.default_rng(seed).multivariate_normal(np.zeros(q), covariance, draws)

    def log_density(columns: list[int]) -> np.ndarray:
        block = covariance[np.ix_(columns, columns)]
        distance = np.einsum("ni,ij,nj->n", rows[:, columns], np.linalg.inv(block), rows[:, columns])
        return -0.5 * (distance + np.linalg.slogdet(2 * np.pi * block)[1]) / np.log(2)

    target, one, two = list(range(q - m, q)), list(range(x)), list(range(x, q - m))
    i1, i2, i12 = (
        log_density([*source, *target]) - log_density(source) - log_density(target)
        for source in (one, two, one + two)
    )
    common = i1 + i2 - i12
    kept = (np.sign(common) == np.sign(i1)) & (np.sign(i1) == np.sign(i2)) & (np.sign(i2) == np.sign(i12))
    return common * kept


@pytest.mark.parametrize(("x", "y", "m"), [(1, 1, 1), (2, 3, 1), (2, 2, 2)])
def test_redundancy_matches_the_densities(x: int, y: int, m: int) -> None:
    rows = np.random.default_rng(x + y).standard_normal((12, x + y + m))
    covariance = rows.T @ rows / 12
    slow = slow_ccs(covariance, x, m, 100_000, 1)
    found = ccs_redundancy(covariance, (x, y), 100_000, np.random.default_rng(2))
    error = np.hypot(found.standard_error, slow.std() / np.sqrt(slow.size))
    assert abs(found.value - slow.mean()) < 4 * error
    assert found.standard_error == pytest.approx(slow.std() / np.sqrt(slow.size), rel=0.05)


def test_standard_error_is_the_spread_over_seeds() -> None:
    covariance = np.array([[1, 0.5, 0.5], [0.5, 1, 0.6], [0.5, 0.6, 1.0]])
    runs = [ccs_redundancy(covariance, (1, 1), 2000, np.random.default_rng(seed)) for seed in range(200)]
    spread = np.std([run.value for run in runs], ddof=1)
    assert np.mean([run.standard_error for run in runs]) == pytest.approx(spread, rel=0.2)


def test_seed_decides_the_draws() -> None:
    covariance, sources = np.array([[1, 0.5, 0.5], [0.5, 1, 0.6], [0.5, 0.6, 1.0]]), {"x": [1], "y": [2]}
    first, second = (
        gaussian_pid(covariance, [0], sources, "ccs", rng=np.random.default_rng(4)) for _ in "ab"
    )
    assert first.atoms == second.atoms
    other = gaussian_pid(covariance, [0], sources, "ccs", rng=np.random.default_rng(5))
    assert other.atoms != first.atoms
    assert (
        gaussian_pid(covariance, [0], sources, "ccs").atoms
        == gaussian_pid(covariance, [0], sources, "ccs").atoms
    )


def test_linear_maps_within_blocks_keep_the_population_value() -> None:
    rows = np.random.default_rng(6).standard_normal((9, 6))
    covariance = rows.T @ rows / 9
    mixing = np.zeros((6, 6))
    for span in (slice(0, 2), slice(2, 4), slice(4, 6)):
        mixing[span, span] = np.random.default_rng(7).standard_normal((2, 2)) + 2 * np.eye(2)
    sources = {"x": [2, 3], "y": [4, 5]}
    plain = gaussian_pid(covariance, [0, 1], sources, "ccs")
    moved = gaussian_pid(mixing @ covariance @ mixing.T, [0, 1], sources, "ccs", rng=np.random.default_rng(8))
    error = np.hypot(plain.standard_error or 0, moved.standard_error or 0)
    assert abs(plain.atoms["{x}{y}"] - moved.atoms["{x}{y}"]) < 4 * error
    assert sum(moved.atoms.values()) == pytest.approx(plain.total)


def test_unique_information_can_be_negative() -> None:
    # Where the other source reduces the surprise of rows that this one misreads; no bug, and not floored.
    covariance = np.array([[1, 0.8, 0.5], [0.8, 1, 0.7], [0.5, 0.7, 1.0]])
    atoms = gaussian_pid(covariance, [0], {"x": [1], "y": [2]}, "ccs").atoms
    assert atoms["{y}"] < -0.05


def test_a_copy_is_redundant() -> None:
    # Two sources that tell the same: every row's change is common.
    covariance = np.array([[1, 1, 1], [1, 2, 2], [1, 2, 2 + 1e-6]])
    d = gaussian_pid(covariance, [0], {"x": [1], "y": [2]}, "ccs")
    assert d.atoms["{x}{y}"] == pytest.approx(0.5, abs=4 * (d.standard_error or 0))


def test_informations_and_a_correlation_are_enough_for_a_scalar_target() -> None:
    rng = np.random.default_rng(6)
    for _ in range(5):
        rows = rng.standard_normal((12, 3))
        covariance = rows.T @ rows / 12
        sources = {"x": [0], "y": [1]}
        i1, i2, i12 = gaussian_pid(covariance, [2], sources).information.values()
        sign = np.sign(covariance[0, 2] * covariance[1, 2])
        correlation = sign * covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1])
        direct = ccs_redundancy(covariance, (1, 1), 100_000, np.random.default_rng(1))
        found = scalar_ccs_redundancy(i1, i2, i12, correlation, 100_000, np.random.default_rng(2))
        assert abs(found.value - direct.value) < 5 * np.hypot(direct.standard_error, found.standard_error)


def test_a_source_seen_twice_is_shared_and_a_silent_one_shares_nothing() -> None:
    twice = scalar_ccs_redundancy(0.5, 0.5, 0.5, 1.0, 100_000, np.random.default_rng(0))
    assert twice.value == pytest.approx(0.5, abs=5 * twice.standard_error)
    silent = scalar_ccs_redundancy(0.5, 0.0, 0.5, 0.0, 1_000, np.random.default_rng(0))
    assert silent.value == pytest.approx(0.0, abs=1e-12)
    assert scalar_ccs_redundancy(0.0, 0.0, 0.0, 0.0, 1_000, np.random.default_rng(0)).value == 0.0
