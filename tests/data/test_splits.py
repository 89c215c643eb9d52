"""Splits and folds: sizes, groups, seeds, and the choice between them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.splits import (
    Protocol,
    assign_split,
    carve_validation,
    choose_protocol,
    fold_assignment,
)
from pidreg_cli.errors import DataError, UsageError


def table(rows, groups=None, split=None):
    return MultimodalArrays(
        features={"a": np.zeros((rows, 1), np.float32)},
        columns={"a": ("a__x",)},
        target=np.zeros(rows),
        ids=np.arange(rows),
        groups=groups,
        split=None if split is None else np.asarray(split),
    )


def rng(seed=0):
    return np.random.default_rng(seed)


def parts_of_each_group(groups, parts):
    return [len(set(parts[groups == group])) for group in np.unique(groups)]


@given(st.integers(50, 500), st.integers(0, 9))
def test_a_random_split_is_70_10_20_and_seeded(rows, seed):
    labels = assign_split(table(rows), rng(seed))
    for part, share in (("train", 0.7), ("valid", 0.1), ("test", 0.2)):
        assert abs((labels == part).sum() - share * rows) < 1
    np.testing.assert_array_equal(labels, assign_split(table(rows), rng(seed)))
    assert not np.array_equal(labels, assign_split(table(rows), rng(seed + 1)))


@given(st.integers(30, 60), st.integers(0, 20))
def test_a_random_split_keeps_groups_together(group_count, seed):
    groups = np.repeat(np.arange(group_count).astype(str), rng(seed).integers(1, 12, group_count))
    labels = assign_split(table(len(groups), groups), rng(seed))
    assert parts_of_each_group(groups, labels) == [1] * group_count
    assert abs((labels == "train").mean() - 0.7) < 0.1


def test_the_split_column_is_taken_as_it_is():
    split = ["train"] * 30 + ["valid"] * 5 + ["test"] * 10
    np.testing.assert_array_equal(assign_split(table(45, split=split), rng()), split)


def test_validation_rows_are_carved_from_training_rows_only():
    split = np.array(["train"] * 80 + ["test"] * 40)
    labels = assign_split(table(120, split=split), rng())
    assert (labels == "valid").sum() == 10
    np.testing.assert_array_equal(labels == "test", split == "test")
    assert (split == "train").sum() == 80, "the table's own split must stay as it was"


def test_carved_validation_rows_respect_groups():
    groups = np.repeat(np.arange(20), 6)
    split = np.where(groups < 16, "train", "test")
    labels = assign_split(table(120, groups, split), rng())
    assert parts_of_each_group(groups, labels) == [1] * 20
    assert (labels == "valid").sum() == 12


def test_a_split_without_test_rows_is_legal():
    labels = assign_split(table(50, split=["train"] * 50), rng())
    assert set(labels) == {"train", "valid"}


@pytest.mark.parametrize(
    ("split", "named"),
    [
        (["valid"] * 20 + ["test"] * 20, "'train'"),
        (["train"] * 30 + ["test"] * 3, "'test'"),
        (["test"] * 30, "'train'"),
    ],
)
def test_a_split_with_too_small_a_part_is_refused(split, named):
    with pytest.raises(DataError, match=named) as caught:
        assign_split(table(len(split), split=split), rng())
    assert caught.value.code == "data.too_few_rows"


def test_two_groups_make_no_split_of_three_parts():
    with pytest.raises(DataError, match="2 groups") as caught:
        assign_split(table(100, np.repeat(["x", "y"], 50)), rng())
    assert caught.value.code == "data.too_few_groups"


def test_three_groups_make_a_split_however_uneven():
    groups = np.repeat(["x", "y", "z"], [400, 300, 300])
    assert set(assign_split(table(1000, groups), rng())) == {"train", "valid", "test"}


@given(st.integers(2, 400), st.integers(2, 20), st.integers(0, 9))
def test_folds_differ_by_a_row_at_most(rows, folds, seed):
    rows = max(rows, folds)
    counts = np.bincount(fold_assignment(rows, folds, rng(seed)), minlength=folds)
    assert counts.sum() == rows
    assert np.ptp(counts) <= 1


@given(st.integers(5, 80), st.integers(2, 5), st.integers(0, 20))
def test_folds_keep_groups_together_and_even(group_count, folds, seed):
    sizes = rng(seed).integers(1, 9, group_count)
    groups = rng(seed).permutation(np.repeat(np.arange(group_count), sizes))
    assigned = fold_assignment(len(groups), folds, rng(seed), groups)
    assert parts_of_each_group(groups, assigned) == [1] * group_count
    counts = np.bincount(assigned, minlength=folds)
    assert counts.min() > 0
    assert np.ptp(counts) <= sizes.max()


@given(st.integers(0, 30))
def test_small_groups_even_out_large_ones(seed):
    groups = rng(seed).permutation(np.repeat(np.arange(41), [20, 20] + [1] * 39))
    counts = np.bincount(fold_assignment(79, 2, rng(seed), groups))
    assert np.ptp(counts) == 1


def test_every_fold_gets_a_group_even_beside_a_giant_one():
    groups = np.repeat(np.arange(5), [900, 1, 1, 1, 1])
    assert np.bincount(fold_assignment(904, 5, rng(), groups)).min() == 1


def test_group_folds_depend_on_the_seed_alone():
    groups = np.repeat(np.arange(40), 3)
    first = fold_assignment(120, 5, rng(1), groups)
    np.testing.assert_array_equal(first, fold_assignment(120, 5, rng(1), groups))
    assert not np.array_equal(first, fold_assignment(120, 5, rng(2), groups))


def test_fewer_groups_than_folds_are_refused():
    with pytest.raises(DataError, match="3 groups") as caught:
        fold_assignment(30, 5, rng(), np.repeat([1, 2, 3], 10))
    assert caught.value.code == "data.too_few_groups"


def test_carved_rows_are_an_eighth():
    assert carve_validation(800, rng()).sum() == 100
    assert carve_validation(2, rng()).sum() == 1
    with pytest.raises(DataError, match="1 rows"):
        carve_validation(1, rng())


SPLIT = np.array(["train", "valid", "test"])
NO_TEST = np.array(["train", "valid"])


@pytest.mark.parametrize(
    ("rows", "folds", "split", "expected"),
    [
        (1_999, "auto", None, Protocol("folds", 5)),
        (2_000, "auto", None, Protocol("split")),
        (2_000, "auto", SPLIT, Protocol("split")),
        (50_000, 7, None, Protocol("folds", 7)),
        (20, 10, None, Protocol("folds", 10)),
    ],
)
def test_the_protocol(rows, folds, split, expected):
    assert choose_protocol(rows, folds, split) == expected


@pytest.mark.parametrize(
    ("rows", "folds", "split", "why"),
    [
        (1_999, "auto", SPLIT, "under 2,000 rows"),
        (5_000, "auto", NO_TEST, "no test rows"),
        (5_000, 4, SPLIT, "4 folds were asked for"),
    ],
)
def test_folds_beside_a_split_column_say_why_it_is_not_used(rows, folds, split, why):
    protocol = choose_protocol(rows, folds, split)
    assert protocol.kind == "folds"
    assert len(protocol.notices) == 1
    assert why in protocol.notices[0]


@pytest.mark.parametrize("folds", [-1, 0, 1, 51, 10**9])
def test_impossible_folds_are_a_usage_error(folds):
    with pytest.raises(UsageError, match="from 2 to 50") as caught:
        choose_protocol(100, folds, None)
    assert caught.value.code == "usage.folds"


@pytest.mark.parametrize("rows", [0, 1, 19])
def test_too_few_rows_are_refused(rows):
    with pytest.raises(DataError, match=f"{rows} rows with a target") as caught:
        choose_protocol(rows, "auto", None)
    assert caught.value.code == "data.too_few_rows"
