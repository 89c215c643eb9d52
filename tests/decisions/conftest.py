from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from pidreg_cli.decisions.candidates import modality_costs
from pidreg_cli.decisions.selection import Choice, choose
from pidreg_cli.information.intervals import Jackknife, jackknife_of_errors
from pidreg_cli.information.lattice import monotone_closure
from pidreg_cli.information.readouts import subset_informations

Floats = NDArray[np.float64]


def squared_errors(sources: Floats, target: Floats) -> Floats:
    """Of two-fold cross-fitted least squares with products, from every subset of the columns: (rows, 2**n)."""
    rows, n = sources.shape
    half = np.arange(rows) % 2 == 0
    found = np.empty((rows, 2**n))
    for mask in range(2**n):
        chosen = [sources[:, i] for i in range(n) if mask >> i & 1]
        products = [a * b for place, a in enumerate(chosen) for b in chosen[place:]]
        design = np.column_stack([np.ones(rows), *chosen, *products])
        for fit in (half, ~half):
            weights = np.linalg.lstsq(design[fit], target[fit], rcond=None)[0]
            found[~fit, mask] = (target - design @ weights)[~fit] ** 2
    return found


@pytest.fixture
def draw() -> Callable[..., Floats]:
    """Independent normal columns."""

    def normals(columns: int, rows: int = 1200, seed: int = 0) -> Floats:
        return np.random.default_rng(seed).standard_normal((columns, rows))

    return normals


@pytest.fixture
def select() -> Callable[..., Choice]:
    """The choice for columns that stand for modalities."""

    def chosen(
        sources: Floats, target: Floats, tolerance: float = 0.01, costs: Mapping[str, float] | None = None
    ) -> Choice:
        errors = squared_errors(sources, target)
        groups = np.arange(len(target)) % 30
        names = "abcdefgh"[: sources.shape[1]]
        jackknife: Jackknife = jackknife_of_errors(errors, groups)
        information = monotone_closure(subset_informations(errors))
        price = modality_costs(names, costs or {})
        return choose(information, jackknife, errors, groups, price, tolerance)

    return chosen
