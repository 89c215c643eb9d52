from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from pidreg_cli.decisions.candidates import modality_costs
from pidreg_cli.decisions.selection import Choice, Rule, RuleName, Told, choose
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.information.intervals import jackknife_of_errors
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
        sources: Floats,
        target: Floats,
        tolerance: float = 0.01,
        costs: Mapping[str, float] | None = None,
        rule: RuleName = "tolerance",
        budget: float | None = None,
    ) -> Choice:
        names = "abcdefgh"[: sources.shape[1]]
        scored, told = evaluated(sources, target)
        return choose(scored, told, modality_costs(names, costs or {}), Rule(rule, tolerance, budget))

    return chosen


def evaluated(sources: Floats, target: Floats) -> tuple[SetErrors, Told]:
    """Errors and information of every subset of the columns."""
    errors = squared_errors(sources, target)
    return judged(errors, np.arange(len(target)) % 30)


def judged(errors: Floats, groups: NDArray[np.int64]) -> tuple[SetErrors, Told]:
    """Errors of every set by group, and the information that they say."""
    information = monotone_closure(subset_informations(errors))
    return SetErrors.of_rows(errors, groups), Told(information, jackknife_of_errors(errors, groups))
