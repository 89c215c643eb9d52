"""Every set of modalities as a candidate: information, expected error, cost, and whether another set beats
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from math import fsum

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.errors import UsageError
from pidreg_cli.information.lattice import member_order, sources_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

UNIT_COST = 1.0
"""Cost of a modality that has none: sets are then compared by their number of modalities."""
ROUNDING = 1e-9
"""Share of a budget by which sums of decimal fractions may exceed it."""


@dataclass(frozen=True)
class Candidate:
    """A non-empty set of modalities as a bitmask; information in bits, RMSE in the target's units.

    ``dominated``: another set costs no more and errs no more, and less in one of the two.
    """

    mask: int
    information: float
    interval: tuple[float, float] | None
    expected_rmse: float
    rmse_interval: tuple[float, float]
    cost: float
    dominated: bool


def modality_costs(names: Sequence[str], costs: Mapping[str, float]) -> Floats:
    """Cost of each modality, shape (n,), 1 where none is given. UsageError for unknown names and negative
    costs.
    """
    for name, cost in costs.items():
        _check_cost(name, cost, names)
    return np.array([costs.get(name, UNIT_COST) for name in names], dtype=np.float64)


def _check_cost(name: str, cost: float, names: Sequence[str]) -> None:
    if name not in names:
        near = get_close_matches(name, names, n=3) or names
        hint = f"Known modalities: {', '.join(near)}."
        raise UsageError(
            "selection.unknown_modality", f"a cost is given for '{name}', which is no modality", hint
        )
    if not (np.isfinite(cost) and cost >= 0):
        raise UsageError(
            "selection.cost",
            f"the cost of '{name}' must be a number of at least 0, however: {cost}",
            f"Give for example {name}=2.5.",
        )


def set_costs(masks: Sequence[int], costs: Floats) -> Floats:
    """Cost of each set, (m,), from the costs of the modalities (n,); equal sums are equal to the last digit."""
    return np.array([fsum(costs[i] for i in sources_of(mask)) for mask in masks])


def affordable_sets(total: Floats, costs: Floats, budget: float | None) -> Bools:
    """Which sets of these costs (m,) a budget allows; all without one.

    Raises:
        UsageError: a budget below zero, or below what the cheapest modality costs, ``costs`` (n,).
    """
    if budget is None:
        return np.ones(len(total), dtype=np.bool_)
    if not (np.isfinite(budget) and budget >= 0):
        raise UsageError(
            "selection.budget",
            f"the budget must be a number of at least 0, however: {budget}",
            "try --budget 2",
        )
    if costs.min() > budget:
        raise UsageError(
            "selection.budget",
            f"no modality is within the budget of {budget:g}: the cheapest costs {costs.min():g}",
            f"give --budget {costs.min():g} or more, or other costs with --cost NAME=VALUE",
        )
    return np.asarray(total <= budget * (1 + ROUNDING))


def dominated_sets(costs: Floats, errors: Floats) -> Bools:
    """Off the Pareto front of cost and error: (m,) booleans for arrays (m,)."""
    order = np.lexsort((errors, costs))
    dominated = np.zeros(len(costs), dtype=np.bool_)
    best, best_cost = np.inf, -np.inf
    for position in order:
        cost, error = costs[position], errors[position]
        # An equal error at an equal cost is no reason to prefer either.
        dominated[position] = error > best or (error == best and cost > best_cost)
        if error < best:
            best, best_cost = error, cost
    return dominated


def candidates(
    scored: SetErrors, information: Floats, intervals: Floats | None, costs: Floats, spans: Floats
) -> tuple[Candidate, ...]:
    """Candidates by size, then as given: all sets of ``scored`` but the empty one, with arrays over its places.

    ``information`` (m,) and its ``intervals`` (m, 2) or None, ``costs`` (m,), ``spans`` (m, 2) of the RMSE.
    """
    beaten = np.concatenate([[False], dominated_sets(costs[1:], scored.rmse[1:])])
    order = sorted(range(1, len(scored.masks)), key=lambda place: member_order(scored.masks[place]))
    return tuple(
        Candidate(
            mask=scored.masks[place],
            information=float(information[place]),
            interval=None if intervals is None else _pair(intervals[place]),
            expected_rmse=float(scored.rmse[place]),
            rmse_interval=_pair(spans[place]),
            cost=float(costs[place]),
            dominated=bool(beaten[place]),
        )
        for place in order
    )


def _pair(span: Floats) -> tuple[float, float]:
    return float(span[0]), float(span[1])
