from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar

from pidreg_cli.information.bivariate import ScalarMeasure, scalar_pid
from pidreg_cli.information.errors import (
    IncoherentInformationError,
    NonFiniteError,
    UnknownMeasureError,
)

correlations = st.floats(-0.95, 0.95)


def informations(q: float, r: float, p: float) -> tuple[float, float, float]:
    """I_1, I_2, I_12 (bits) of corr(Y, 1) = q, corr(Y, 2) = r, corr(1, 2) = p."""
    joint = (q * q + r * r - 2 * p * q * r) / (1 - p * p)
    return tuple(float(-0.5 * np.log2(1 - x)) for x in (q * q, r * r, joint))


def slow_ig_synergy(q: float, r: float, p: float) -> float:
    """Least divergence from the exponential path between the two conditional independences, by search."""
    full = np.array([[1, q, r], [q, 1, p], [r, p, 1.0]])
    first, second = full.copy(), full.copy()
    first[0, 2] = first[2, 0] = q * p
    second[0, 1] = second[1, 0] = r * p
    ends = np.linalg.inv(first), np.linalg.inv(second)

    def divergence(t: float) -> float:
        precision = (1 - t) * ends[0] + t * ends[1]
        if np.linalg.eigvalsh(precision)[0] <= 0:
            return np.inf
        return float(-0.5 * np.log2(np.linalg.det(precision @ full)))

    grid = np.linspace(-30, 31, 6101)
    best = grid[np.argmin([divergence(t) for t in grid])]
    return float(minimize_scalar(divergence, bracket=(best - 0.01, best, best + 0.01), tol=1e-12).fun)


def positive_definite(q: float, r: float, p: float) -> bool:
    return 1 - p * p - q * q - r * r + 2 * p * q * r > 0.02


# Published values (bits) for X = M + N_1, Y = M + N_2 with independent unit noise: q2 = r2 = 1/2, p = 1/2.
@pytest.mark.parametrize(
    ("measure", "unique", "redundant", "synergistic"),
    [
        ("mmi", 0.0, 0.5, 0.2924813),
        ("broja", 0.0, 0.5, 0.2924813),
        ("dep", 0.2924813, 0.2075187, 0.0),
        ("ig", 0.160964, 0.339036, 0.1315172),
    ],
)
def test_two_noisy_copies(
    measure: ScalarMeasure, unique: float, redundant: float, synergistic: float
) -> None:
    atoms = scalar_pid(measure, 0.5, 0.5, 0.5 * np.log2(3), correlation=0.5)
    expected = [unique, unique, redundant, synergistic]
    assert [atoms.unique_1, atoms.unique_2, atoms.redundant, atoms.synergistic] == pytest.approx(
        expected, abs=1e-7
    )


def test_kay_and_ince_example() -> None:
    # Kay & Ince 2018: correlations .4/.6 with the target, .9 between the sources.
    dep = scalar_pid("dep", *informations(0.4, 0.6, 0.9))
    ig = scalar_pid("ig", *informations(0.4, 0.6, 0.9), correlation=0.9)
    assert [dep.unique_1, dep.unique_2] == pytest.approx([0.0829751, 0.2791338], abs=1e-7)
    assert [ig.unique_1, ig.synergistic] == pytest.approx([0.0299713, 0.0968158], abs=1e-7)


@pytest.mark.parametrize("case", [(0.5, 0.5, -0.3), (0.4, 0.6, 0.9), (0.7, 0.2, 0.1), (0.3, 0.3, 0.9)])
def test_ig_is_the_least_divergence_of_the_path(case: tuple[float, float, float]) -> None:
    found = scalar_pid("ig", *informations(*case), correlation=case[2])
    assert found.synergistic == pytest.approx(slow_ig_synergy(*case), abs=1e-8)


@pytest.mark.parametrize("measure", get_args(ScalarMeasure))
@given(q=correlations, r=correlations, p=correlations)
def test_atoms_are_non_negative_and_consistent(measure: ScalarMeasure, q: float, r: float, p: float) -> None:
    q, r = abs(q), abs(r)
    if not positive_definite(q, r, p):
        return
    i1, i2, i12 = informations(q, r, p)
    atoms = scalar_pid(measure, i1, i2, i12, correlation=p)
    assert atoms.unique_1 + atoms.redundant == pytest.approx(i1, abs=1e-9)
    assert atoms.unique_2 + atoms.redundant == pytest.approx(i2, abs=1e-9)
    assert atoms.total == pytest.approx(i12, abs=1e-9)
    assert min(atoms.unique_1, atoms.unique_2, atoms.redundant, atoms.synergistic) > -1e-9


@pytest.mark.parametrize("measure", get_args(ScalarMeasure))
@given(q=correlations, r=correlations, p=correlations)
def test_swapping_sources_swaps_atoms(measure: ScalarMeasure, q: float, r: float, p: float) -> None:
    q, r = abs(q), abs(r)
    if not positive_definite(q, r, p):
        return
    i1, i2, i12 = informations(q, r, p)
    there, back = scalar_pid(measure, i1, i2, i12, p), scalar_pid(measure, i2, i1, i12, p)
    assert [there.unique_1, there.unique_2] == pytest.approx([back.unique_2, back.unique_1], abs=1e-9)
    assert there.synergistic == pytest.approx(back.synergistic, abs=1e-9)


@given(p=st.floats(-1, 1))
def test_an_impossible_correlation_is_clipped(p: float) -> None:
    # Whatever correlation a sample gives, the atoms stay within the informations.
    atoms = scalar_pid("ig", 0.4, 0.3, 0.45, correlation=p)
    assert min(atoms.unique_1, atoms.unique_2, atoms.redundant, atoms.synergistic) > -1e-12
    assert atoms.total == pytest.approx(0.45)


def test_ig_of_a_source_without_information_needs_no_correlation() -> None:
    atoms = scalar_pid("ig", 0.5, 0.0, 0.8)
    assert (atoms.unique_1, atoms.unique_2, atoms.redundant) == (0.5, 0.0, 0.0)
    assert atoms.synergistic == pytest.approx(0.3)


def test_ig_without_a_correlation_is_an_error() -> None:
    for correlation in (None, float("nan"), 1.5):
        with pytest.raises(NonFiniteError, match="correlation"):
            scalar_pid("ig", 0.5, 0.2, 0.8, correlation)


def test_bad_input_is_named() -> None:
    with pytest.raises(IncoherentInformationError, match=r"i12=0\.3"):
        scalar_pid("mmi", 0.5, 0.2, 0.3)
    with pytest.raises(NonFiniteError):
        scalar_pid("mmi", float("inf"), 0.2, 0.3)
    with pytest.raises(UnknownMeasureError, match="ccs"):
        scalar_pid("ccs", 0.1, 0.2, 0.3)  # type: ignore[arg-type]
