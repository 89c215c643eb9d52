from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations_with_replacement

import numpy as np
import pytest
from numpy.typing import NDArray

from pidreg_cli.decisions.searching import TriedSets, neighbours, search
from pidreg_cli.decisions.selection import Contest, Rule
from pidreg_cli.decisions.set_errors import SetErrors

Floats = NDArray[np.float64]
GROUPS = 30


class Columns:
    """Cross-fitted least squares of some columns and their products, set by set."""

    def __init__(self, sources: Floats, target: Floats) -> None:
        self.sources, self.target, self.asked = sources, target, 0
        places = list(combinations_with_replacement(range(sources.shape[1]), 2))
        pairs = [(i, j) for i, j in places if i != j]
        self.design = np.column_stack(
            [np.ones(len(target)), sources, *(sources[:, i] * sources[:, j] for i, j in pairs)]
        )
        self.members = [0, *(1 << i for i in range(sources.shape[1])), *(1 << i | 1 << j for i, j in pairs)]
        half = np.arange(len(target)) % 2 == 0
        self.halves = [(half, self.moments(~half)), (~half, self.moments(half))]

    def moments(self, rows: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        return self.design[rows].T @ self.design[rows], self.design[rows].T @ self.target[rows]

    def errors(self, mask: int) -> Floats:
        chosen = [place for place, member in enumerate(self.members) if member & mask == member]
        found = np.empty(len(self.target))
        for held, (gram, products) in self.halves:
            weights = np.linalg.solve(gram[np.ix_(chosen, chosen)], products[chosen])
            found[held] = (self.target[held] - self.design[np.ix_(held, chosen)] @ weights) ** 2
        return found

    def __call__(self, masks: Sequence[int]) -> SetErrors:
        self.asked += len(masks)
        labels = np.arange(len(self.target)) % GROUPS
        sums = np.zeros((GROUPS, len(masks)))
        for place, mask in enumerate(masks):
            np.add.at(sums[:, place], labels, self.errors(mask))
        return SetErrors(tuple(masks), np.bincount(labels).astype(float), sums)


def found(columns: Columns, costs: Floats | None = None, rule: Rule | None = None) -> int:
    n = columns.sources.shape[1]
    tried = TriedSets(n, columns)
    costs = np.ones(n) if costs is None else costs
    search(tried, costs, rule or Rule())
    contest = Contest.of(tried.scored, costs, rule or Rule())
    return contest.scored.masks[contest.winner()[0]]


def drawn(columns: int, rows: int = 900, seed: int = 0) -> Floats:
    return np.random.default_rng(seed).standard_normal((rows, columns))


@pytest.mark.parametrize("seed", range(3))
def test_a_pair_that_tells_only_together_is_found_among_fourteen(seed: int) -> None:
    values = drawn(15, seed=seed)
    columns = Columns(values[:, :14], values[:, 3] * values[:, 11] + values[:, 5] + 0.5 * values[:, 14])
    assert found(columns) == 1 << 3 | 1 << 11 | 1 << 5
    assert columns.asked < 600


def test_of_copies_the_cheap_one_stays() -> None:
    values = drawn(16)
    sources = values[:, :14].copy()
    sources[:, 9] = sources[:, 2] + 0.001 * values[:, 14]
    columns = Columns(sources, sources[:, 2] + sources[:, 4] + 0.5 * values[:, 15])
    costs = np.ones(14)
    costs[2] = 3
    assert found(columns, costs) == 1 << 9 | 1 << 4


def test_greedy_agrees_with_all_sets_where_these_are_few() -> None:
    values = drawn(7, seed=4)
    target = values[:, 0] + values[:, 1] * values[:, 2] + 0.3 * values[:, 4] + values[:, 6]
    columns = Columns(values[:, :6], target)
    for rule in (Rule(), Rule("one-se"), Rule(budget=2)):
        contest = Contest.of(columns(range(64)), np.ones(6), rule)
        assert found(columns, rule=rule) == contest.scored.masks[contest.winner()[0]]


def test_nothing_is_tried_twice_and_nothing_informative_ends_in_nothing() -> None:
    values = drawn(14)
    columns = Columns(values[:, :13], values[:, 13])
    tried = TriedSets(13, columns)
    search(tried, np.ones(13), Rule())
    masks = tried.scored.masks
    assert list(masks) == sorted(set(masks))
    assert columns.asked == len(masks)
    assert found(columns) == 0


def test_neighbours_differ_by_one() -> None:
    assert sorted(neighbours(0b011, 3)) == [0b001, 0b010, 0b101, 0b110, 0b111]
    assert neighbours(0, 2) == [1, 2]
