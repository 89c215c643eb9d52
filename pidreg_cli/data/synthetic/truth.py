"""The exact information of a synthetic system, and the atoms that follow from it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from itertools import combinations
from math import sqrt
from typing import Any

import numpy as np

from pidreg_cli.data.synthetic.interactions import Floats
from pidreg_cli.data.synthetic.mixing import DEFAULT_MIXING
from pidreg_cli.data.synthetic.quadrature import (
    integer_information,
    mutual_information,
    reported_information,
    scores_of,
    target_law,
)
from pidreg_cli.data.synthetic.systems import SyntheticSystem
from pidreg_cli.information.bivariate import ScalarMeasure, scalar_pid, squared_correlation
from pidreg_cli.information.lattice import antichain_id, listed_atoms, summary

TRUTH_VERSION = "1.0"
# The quadratures agree with finer ones to 3e-8 bits; the last digits beyond would differ between machines.
DECIMALS = 6

Informations = Callable[[frozenset[str]], float]


def truth_of(system: SyntheticSystem, rows: int, seed: int, mixing: str = DEFAULT_MIXING) -> dict[str, Any]:
    """The JSON-ready truth of a table drawn from a system: information of every subset, summary, atoms.

    ``reported`` is -1/2 log2(1 - R2), R2 that of the target's population inverse normal transform on its
    expectation given the subset, and ``exact`` the mutual information. Atoms and summary follow from
    ``reported``: under ``broja`` (equal to ``mmi`` for one target), and for two modalities under ``dep`` and
    ``ig`` as well. The numbers are the same for any ``mixing``, which is named unless it is the default.
    """
    reported = _informations(system)
    v = subset_array(system, reported)
    return {
        "version": TRUTH_VERSION,
        "system": system.name,
        **_described(system, mixing),
        "rows": rows,
        "seed": seed,
        "modalities": list(system.modalities),
        "units": "bits",
        "information": _information(system, v),
        "measure": "broja",
        "summary": _summary(system, v),
        "atoms": _atoms(system, v),
        "sensitivity": _sensitivity(system, v, reported) if len(system.modalities) == 2 else [],
    }


def _described(system: SyntheticSystem, mixing: str) -> dict[str, str]:
    if mixing == DEFAULT_MIXING:
        return {"description": system.description}
    return {"description": f"{system.description}; {mixing} mixing", "mixing": mixing}


def _informations(system: SyntheticSystem) -> Informations:
    scores = scores_of(target_law(system.mixture(frozenset())), system.edges)
    # Many subsets of modalities see the same latents.
    return cache(lambda latents: reported_information(system.mixture(latents), scores))


def _exact(system: SyntheticSystem, latents: frozenset[str]) -> float:
    if system.edges:
        return integer_information(system.mixture(latents), system.edges)
    return mutual_information(system.mixture(latents))


def subset_array(system: SyntheticSystem, information: Informations) -> Floats:
    """Information of every subset of modalities, shape (2**n,), indexed by bitmask, rounded to DECIMALS."""
    names = tuple(system.modalities)
    chosen = ([name for i, name in enumerate(names) if mask >> i & 1] for mask in range(1 << len(names)))
    return np.array([round(information(system.latents_of(subset)), DECIMALS) for subset in chosen])


def _information(system: SyntheticSystem, v: Floats) -> list[dict[str, Any]]:
    exact = subset_array(system, lambda latents: _exact(system, latents))
    return [
        {"modalities": list(names), "reported": float(v[mask]), "exact": float(exact[mask])}
        for names, mask in _subsets(tuple(system.modalities))
    ]


def _subsets(names: Sequence[str]) -> list[tuple[tuple[str, ...], int]]:
    """Non-empty subsets with their bitmasks, by size, then as given."""
    chosen = (c for size in range(1, len(names) + 1) for c in combinations(range(len(names)), size))
    return [(tuple(names[i] for i in c), sum(1 << i for i in c)) for c in chosen]


def _summary(system: SyntheticSystem, v: Floats) -> dict[str, Any]:
    parts = summary(v)
    return {
        "total": _rounded(parts.total),
        "unique": dict(zip(system.modalities, map(_rounded, parts.unique), strict=True)),
        "redundant": _rounded(parts.redundant),
        "synergistic": _rounded(parts.synergistic),
    }


def _atoms(system: SyntheticSystem, v: Floats) -> list[dict[str, Any]]:
    names = tuple(system.modalities)
    return [{"id": antichain_id(atom, names), "value": _rounded(atom.value)} for atom in listed_atoms(v)]


def _sensitivity(system: SyntheticSystem, v: Floats, reported: Informations) -> list[dict[str, Any]]:
    correlation = _score_correlation(system, reported)
    measures: tuple[ScalarMeasure, ...] = ("dep", "ig")
    return [
        {"measure": measure, "atoms": _bivariate_atoms(system, v, measure, correlation)}
        for measure in measures
    ]


def _score_correlation(system: SyntheticSystem, reported: Informations) -> float | None:
    """Correlation of E[Y'|X_1] and E[Y'|X_2], None where one of them is constant.

    Latents are independent, so given the shared ones the two expectations are independent with mean
    E[Y'|shared]: their covariance is the R2 of the shared latents.
    """
    first, second = (system.latents_of([name]) for name in system.modalities)
    own, other, shared = (squared_correlation(reported(seen)) for seen in (first, second, first & second))
    # The minimum removes rounding where both see the same.
    return min(1.0, shared / sqrt(own * other)) if own * other > 0.0 else None


def _bivariate_atoms(
    system: SyntheticSystem, v: Floats, measure: ScalarMeasure, correlation: float | None
) -> list[dict[str, Any]]:
    pid = scalar_pid(measure, float(v[1]), float(v[2]), float(v[3]), correlation)
    a, b = system.modalities
    values = {
        f"{{{a}}}": pid.unique_1,
        f"{{{b}}}": pid.unique_2,
        f"{{{a}}}{{{b}}}": pid.redundant,
        f"{{{a},{b}}}": pid.synergistic,
    }
    return [{"id": key, "value": _rounded(value)} for key, value in values.items()]


def _rounded(value: float) -> float:
    # Adding zero turns -0.0 into 0.0.
    return round(value, DECIMALS) + 0.0
