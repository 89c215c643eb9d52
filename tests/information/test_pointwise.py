from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.information.errors import ConstantTargetError
from pidreg_cli.information.lattice import Atom, monotone_closure, scalar_atoms
from pidreg_cli.information.pointwise import (
    PointwiseClosure,
    closure_sources,
    prediction_divergence,
    rows_of_errors,
)
from pidreg_cli.information.readouts import subset_informations


def errors_of(seed: int, rows: int, n: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    scale = rng.uniform(0.3, 1.1, size=1 << n)
    scale[0] = 1.0
    return (rng.standard_normal((rows, 1 << n)) * scale) ** 2


def pointwise_informations(errors: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    return rows_of_errors(errors, np.average(errors, axis=0, weights=weights))


def pointwise_atoms(
    rows: np.ndarray, weights: np.ndarray | None = None
) -> tuple[tuple[Atom, ...], np.ndarray]:
    closure = PointwiseClosure.of(np.average(rows, axis=0, weights=weights))
    return closure.atoms, closure.atom_rows(closure.rows(rows))


@given(seed=st.integers(0, 500), rows=st.integers(2, 40), n=st.integers(1, 4))
def test_rows_average_to_the_informations(seed: int, rows: int, n: int) -> None:
    errors = errors_of(seed, rows, n)
    assert pointwise_informations(errors).mean(axis=0) == pytest.approx(
        subset_informations(errors), abs=1e-10
    )


def test_weighted_rows_average_to_the_weighted_informations() -> None:
    errors, weights = errors_of(1, 30, 2), np.arange(1.0, 31.0)
    rows = pointwise_informations(errors, weights)
    expected = subset_informations(errors * weights[:, None])
    assert np.average(rows, axis=0, weights=weights) == pytest.approx(expected, abs=1e-12)
    atoms, values = pointwise_atoms(rows, weights)
    assert np.average(values, axis=0, weights=weights) == pytest.approx([a.value for a in atoms], abs=1e-12)


def test_rows_agree_with_the_densities() -> None:
    rng = np.random.default_rng(2)
    y, mu, m = rng.standard_normal((3, 50))
    errors = np.stack([(y - mu) ** 2, (y - m) ** 2], axis=1)
    v_y, v_a = errors.mean(axis=0)

    def log_normal(error: np.ndarray, variance: float) -> np.ndarray:
        return -0.5 * np.log2(2 * np.pi * variance) - error / (2 * variance * np.log(2))

    expected = log_normal(errors[:, 1], v_a) - log_normal(errors[:, 0], v_y)
    assert pointwise_informations(errors)[:, 1] == pytest.approx(expected)


@given(seed=st.integers(0, 500), n=st.integers(1, 4))
def test_row_atoms_average_to_the_atoms_and_add_up(seed: int, n: int) -> None:
    rows = pointwise_informations(errors_of(seed, 25, n))
    atoms, values = pointwise_atoms(rows)
    closed = monotone_closure(subset_informations(errors_of(seed, 25, n)))
    expected = scalar_atoms(closed)
    assert [atom.members for atom in atoms] == [atom.members for atom in expected]
    assert values.mean(axis=0) == pytest.approx([atom.value for atom in expected], abs=1e-9)
    assert sum(atom.value for atom in atoms) == pytest.approx(closed[-1], abs=1e-9)
    sources = closure_sources(subset_informations(errors_of(seed, 25, n)))
    whole = rows[:, sources[-1]] if sources[-1] else np.zeros(25)
    assert values.sum(axis=1) == pytest.approx(whole, abs=1e-9)


@given(raw=st.lists(st.floats(-1, 1), min_size=8, max_size=8))
def test_closure_sources_say_where_a_value_comes_from(raw: list[float]) -> None:
    values = np.array(raw)
    values[0] = 0.0
    assert values[closure_sources(values)].tolist() == monotone_closure(values).tolist()


@given(seed=st.integers(0, 500))
def test_mean_divergence_satisfies_its_identity(seed: int) -> None:
    rng = np.random.default_rng(seed)
    y = rng.standard_normal(40)
    with_it, without = (y + s * rng.standard_normal(40) for s in (0.5, 1.0))
    v1, v0 = np.mean((y - with_it) ** 2), np.mean((y - without) ** 2)
    gain = 0.5 * np.log2(v0 / v1)
    crossed = np.mean((y - with_it) * (with_it - without)) / (v0 * np.log(2))
    rows = prediction_divergence(with_it, v1, without, v0)
    assert rows.mean() == pytest.approx(gain - crossed, abs=1e-10)
    assert rows.min() >= 0


def test_divergence_is_that_of_two_normals() -> None:
    x = np.linspace(-30, 30, 200_001)
    p = np.exp(-0.5 * (x - 1) ** 2 / 0.5) / np.sqrt(2 * np.pi * 0.5)
    log_ratio = (-0.5 * (x - 1) ** 2 / 0.5 + 0.5 * (x + 0.3) ** 2 / 2 - 0.5 * np.log(0.5 / 2)) / np.log(2)
    expected = np.trapezoid(p * log_ratio, x)
    assert prediction_divergence([1.0], 0.5, [-0.3], 2.0)[0] == pytest.approx(expected, abs=1e-8)


def test_a_modality_that_changes_nothing_says_nothing() -> None:
    assert prediction_divergence([0.3, -2.0], 0.5, [0.3, -2.0], 0.5).tolist() == [0.0, 0.0]


def test_no_error_is_no_number() -> None:
    with pytest.raises(ConstantTargetError):
        pointwise_informations(np.array([[1.0, 0.0], [1.0, 0.0]]))
    for variance in (0.0, -1.0, float("nan")):
        with pytest.raises(ConstantTargetError):
            prediction_divergence([0.0], variance, [0.0], 1.0)
