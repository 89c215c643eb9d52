from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.information.errors import IncoherentInformationError, NonFiniteError, ShapeError
from pidreg_cli.information.lattice import (
    Atom,
    all_antichains,
    antichain_id,
    largest_repair,
    listed_atoms,
    monotone_closure,
    scalar_atoms,
    summary,
)


def noisy_copies(*noise: float) -> np.ndarray:
    """Subset informations of X_i = M + N_i about M ~ N(0, 1): precisions add."""
    subsets = range(1 << len(noise))
    precision = [sum(1 / s for i, s in enumerate(noise) if a >> i & 1) for a in subsets]
    return 0.5 * np.log2(1.0 + np.array(precision))


def slow_antichains(n: int) -> list[frozenset[frozenset[int]]]:
    """Antichains by definition: every family of non-empty subsets, comparable ones struck out."""
    subsets = [frozenset(c) for k in range(1, n + 1) for c in combinations(range(n), k)]
    families = (
        frozenset(s for bit, s in enumerate(subsets) if code >> bit & 1)
        for code in range(1, 1 << len(subsets))
    )
    return [f for f in families if not any(a < b for a in f for b in f)]


def slow_moebius(v: np.ndarray, antichains: list[frozenset[frozenset[int]]]) -> dict[frozenset, float]:
    """Atoms by inverting the cumulative sum over the lattice, bottom up."""

    def below(alpha: frozenset, beta: frozenset) -> bool:
        return all(any(a <= b for a in alpha) for b in beta)

    cumulative = {f: min(v[sum(1 << i for i in member)] for member in f) for f in antichains}
    atoms: dict[frozenset, float] = {}
    depth = {f: sum(below(g, f) for g in antichains) for f in antichains}
    for f in sorted(antichains, key=depth.__getitem__):
        atoms[f] = cumulative[f] - sum(value for g, value in atoms.items() if below(g, f))
    return atoms


def as_sets(members: tuple[int, ...]) -> frozenset[frozenset[int]]:
    return frozenset(frozenset(i for i in range(m.bit_length()) if m >> i & 1) for m in members)


def random_informations(n: int, seed: int) -> np.ndarray:
    return monotone_closure(np.random.default_rng(seed).exponential(size=1 << n))


def four_source_antichains() -> list[frozenset[frozenset[int]]]:
    # 2^15 families are too many to filter in every run; the count itself is checked against Dedekind's
    # number.
    return [as_sets(members) for members in all_antichains(4)]


def test_three_noisy_copies_have_the_atoms_of_the_closed_form() -> None:
    v = noisy_copies(1, 2, 4)
    assert v[[1, 2, 4, 3, 5, 6, 7]] == pytest.approx(
        [0.5, 0.292481, 0.160964, 0.660964, 0.584963, 0.403677, 0.729716], abs=1e-6
    )
    found = {antichain_id(atom, "123"): atom.value for atom in scalar_atoms(v)}
    assert found == pytest.approx(
        {
            "{1}{2}{3}": 0.160964,
            "{1}{2}": 0.131517,
            "{1}{2,3}": 0.111196,
            "{1}": 0.096323,
            "{1,2}{1,3}": 0.084963,
            "{1,2}": 0.076002,
            "{1,2,3}": 0.068752,
        },
        abs=1e-6,
    )


@pytest.mark.parametrize("n", [2, 3])
def test_antichains_are_all_that_the_definition_gives(n: int) -> None:
    assert {as_sets(members) for members in all_antichains(n)} == set(slow_antichains(n))


def test_antichains_are_counted_by_dedekind_numbers() -> None:
    assert [len(set(all_antichains(n))) for n in range(1, 6)] == [1, 4, 18, 166, 7579]
    with pytest.raises(ShapeError, match="1 to 5"):
        all_antichains(6)


@pytest.mark.parametrize(("n", "seed"), [(2, 0), (2, 1), (3, 0), (3, 1), (3, 2), (4, 0)])
def test_atoms_match_the_moebius_inversion(n: int, seed: int) -> None:
    v = random_informations(n, seed)
    antichains = slow_antichains(n) if n < 4 else four_source_antichains()
    expected = slow_moebius(v, antichains)
    found = {as_sets(atom.members): atom.value for atom in listed_atoms(v)}
    assert found.keys() == expected.keys()
    assert max(abs(found[key] - expected[key]) for key in expected) < 1e-12


@pytest.mark.parametrize(("n", "seed"), [(2, 3), (3, 3), (4, 3)])
def test_summary_is_the_sum_of_its_atoms(n: int, seed: int) -> None:
    v = random_informations(n, seed)
    parts = summary(v)
    values = dict.fromkeys(("unique", "redundant", "synergistic"), 0.0)
    for atom in scalar_atoms(v):
        has_single = any(member.bit_count() == 1 for member in atom.members)
        part = "unique" if atom.kind == "unique" else "redundant" if has_single else "synergistic"
        values[part] += atom.value
    assert sum(parts.unique) == pytest.approx(values["unique"], abs=1e-12)
    assert parts.redundant == pytest.approx(values["redundant"], abs=1e-12)
    assert parts.synergistic == pytest.approx(values["synergistic"], abs=1e-12)


@given(n=st.integers(1, 6), seed=st.integers(0, 10_000))
def test_atoms_are_positive_and_add_up(n: int, seed: int) -> None:
    v = random_informations(n, seed)
    atoms = scalar_atoms(v)
    assert all(atom.value > 0 for atom in atoms)
    assert sum(atom.value for atom in atoms) == pytest.approx(v[-1])
    parts = summary(v)
    assert sum(parts.unique) + parts.redundant + parts.synergistic == pytest.approx(v[-1])
    assert min(*parts.unique, parts.redundant, parts.synergistic) >= 0


@given(raw=st.lists(st.floats(-2, 2), min_size=8, max_size=8))
def test_closure_is_the_smallest_coherent_set_above(raw: list[float]) -> None:
    values = np.array(raw)
    closed = monotone_closure(values)
    inside = [[b for b in range(8) if a & b == b] for a in range(8)]
    expected = [max(0.0, *(values[b] for b in inside[a] if b)) if a else 0.0 for a in range(8)]
    assert closed.tolist() == expected
    assert monotone_closure(closed).tolist() == expected
    assert largest_repair(values, closed) == max(abs(closed - values)[1:])


def test_equal_informations_make_one_level() -> None:
    assert [(a.members, a.kind) for a in scalar_atoms(noisy_copies(1, 1))] == [
        ((1, 2), "redundant"),
        ((3,), "synergistic"),
    ]
    rounding = noisy_copies(1, 1) + np.array([0.0, 1e-15, 0.0, 0.0])
    assert len(scalar_atoms(rounding)) == 2


def test_no_information_has_no_atoms() -> None:
    assert scalar_atoms(np.zeros(8)) == ()
    assert summary(np.zeros(8)).total == 0.0


@pytest.mark.parametrize(
    ("members", "kind"), [((1,), "unique"), ((1, 4), "redundant"), ((6,), "synergistic"), ((1, 6), "mixed")]
)
def test_kinds(members: tuple[int, ...], kind: str) -> None:
    assert Atom(members, 0.1).kind == kind


def test_members_keep_the_order_given() -> None:
    v = noisy_copies(4, 1, 2)
    assert antichain_id(scalar_atoms(v)[2], ["b", "c", "a"]) == "{c}{b,a}"


def test_incoherent_informations_are_refused() -> None:
    with pytest.raises(IncoherentInformationError, match=r"0\.2"):
        scalar_atoms(np.array([0.0, 0.5, 0.1, 0.3]))
    with pytest.raises(IncoherentInformationError):
        summary(np.array([0.1, 0.5, 0.5, 0.6]))
    with pytest.raises(ShapeError):
        scalar_atoms(np.zeros(6))
    with pytest.raises(NonFiniteError, match=r"index \(2,\)"):
        scalar_atoms(np.array([0.0, 0.1, np.nan, 0.2]))


def test_twelve_sources_are_exact() -> None:
    v = noisy_copies(*np.arange(1.0, 13.0))
    atoms = scalar_atoms(v)
    assert sum(atom.value for atom in atoms) == pytest.approx(v[-1], abs=1e-10)
    assert atoms[0].members == tuple(1 << i for i in range(12))
    assert atoms[0].value == pytest.approx(0.5 * np.log2(1 + 1 / 12))
