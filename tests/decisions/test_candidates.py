from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.decisions.candidates import candidates, dominated_sets, modality_costs, set_costs
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.errors import UsageError

Levels = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=12)


def dominated_by_definition(costs: np.ndarray, errors: np.ndarray) -> list[bool]:
    pairs = list(zip(costs, errors, strict=True))
    return [
        any(c <= cost and e <= error and (c, e) != (cost, error) for c, e in pairs) for cost, error in pairs
    ]


@given(Levels)
def test_dominated_sets_match_the_definition(points: list[tuple[int, int]]) -> None:
    costs, errors = np.array(points, dtype=float).T
    assert dominated_sets(costs, errors).tolist() == dominated_by_definition(costs, errors)


def test_costs_add_over_the_members() -> None:
    assert set_costs(range(8), np.array([1.0, 2, 4])).tolist() == [0, 1, 2, 3, 4, 5, 6, 7]


def test_unpriced_modalities_cost_one() -> None:
    assert modality_costs(("a", "b"), {"b": 2.5}).tolist() == [1.0, 2.5]


def test_unknown_modality_is_named_with_its_nearest() -> None:
    with pytest.raises(UsageError, match="'fmr'") as caught:
        modality_costs(("mri", "fmri"), {"fmr": 1})
    assert "fmri" in caught.value.hint


@pytest.mark.parametrize("cost", [-1.0, float("nan"), float("inf")])
def test_impossible_costs_are_refused(cost: float) -> None:
    with pytest.raises(UsageError, match="at least 0"):
        modality_costs(("a",), {"a": cost})


def test_candidates_come_by_size_then_as_given() -> None:
    rmse = np.arange(9.0, 1, -1)
    scored = SetErrors(tuple(range(8)), np.ones(3), np.tile(rmse**2, (3, 1)))
    costs = set_costs(scored.masks, np.ones(3))
    found = candidates(scored, np.arange(8.0), None, costs, scored.rmse_intervals(0.95))
    assert [candidate.mask for candidate in found] == [1, 2, 4, 3, 5, 6, 7]
    assert [candidate.cost for candidate in found] == [1, 1, 1, 2, 2, 2, 3]
    assert [candidate.expected_rmse for candidate in found] == pytest.approx([8, 7, 5, 6, 4, 3, 2])
    assert [candidate.dominated for candidate in found] == [True, True, False, True, True, False, False]
