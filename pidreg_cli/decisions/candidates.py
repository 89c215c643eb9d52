"""Every set of modalities as a candidate: information, expected error, cost, and whether another set beats
it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.errors import UsageError
from pidreg_cli.information.lattice import member_order

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

UNIT_COST = 1.0
"""Cost of a modality that has none: sets are then compared by their number of modalities."""


@dataclass(frozen=True)
class Candidate:
    """A non-empty set of modalities as a bitmask; information in bits, RMSE in the target's units.

    ``dominated``: another set costs no more and errs no more, and less in one of the two.
    """

    mask: int
    information: float
    interval: tuple[float, float] | None
    expected_rmse: float
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


def subset_costs(costs: Floats) -> Floats:
    """Cost of every set, shape (2**n,), from the costs of its modalities (n,)."""
    total = np.zeros(1)
    for cost in costs:
        total = np.concatenate([total, total + cost])
    return total


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
    information: Floats, intervals: Floats | None, rmse: Floats, costs: Floats
) -> tuple[Candidate, ...]:
    """Candidates by size, then as given, from arrays (2**n,) and intervals (2**n, 2); ``costs`` per set."""
    beaten = np.concatenate([[False], dominated_sets(costs[1:], rmse[1:])])
    return tuple(
        Candidate(
            mask=mask,
            information=float(information[mask]),
            interval=None if intervals is None else (float(intervals[mask, 0]), float(intervals[mask, 1])),
            expected_rmse=float(rmse[mask]),
            cost=float(costs[mask]),
            dominated=bool(beaten[mask]),
        )
        for mask in sorted(range(1, len(rmse)), key=member_order)
    )
