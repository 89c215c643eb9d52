"""Targets that a feature, or what was predicted from features, determines."""

from __future__ import annotations

import numpy as np
import pytest

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.leaks import check_copies, check_errors, determined_targets, straight_lines
from pidreg_cli.errors import DataError
from pidreg_cli.information.errors import ConstantTargetError, DeterministicTargetError

RNG = np.random.default_rng(0)
TARGET = RNG.normal(size=300)


def table(*columns: np.ndarray, target: np.ndarray = TARGET) -> MultimodalArrays:
    """Modality ``noise`` of one column, ``b`` of the given ones."""
    block = np.column_stack(columns).astype(np.float32)
    noise = RNG.normal(size=(len(target), 1)).astype(np.float32)
    names = {"noise": ("noise__0",), "b": tuple(f"b__{i}" for i in range(len(columns)))}
    return MultimodalArrays({"noise": noise, "b": block}, names, target, np.arange(len(target)))


@pytest.mark.parametrize(
    "copy",
    [TARGET, 3 * TARGET + 1, -TARGET, np.exp(TARGET), np.argsort(np.argsort(TARGET))],
    ids=["copy", "unit", "negative", "exponential", "ranks"],
)
def test_a_copy_of_the_target_is_refused_by_name(copy: np.ndarray) -> None:
    with pytest.raises(DataError, match=r"'y' is determined by 'b__1' of 'b'") as caught:
        check_copies(table(RNG.normal(size=300), copy), "y")
    assert caught.value.code == "data.determined_target"
    assert "leaked copy" in caught.value.hint


def test_copies_of_a_target_with_few_values_are_found_and_coarser_columns_are_not() -> None:
    levels = np.round(TARGET)
    with pytest.raises(DataError, match="b__0"):
        check_copies(table(10 * levels, target=levels), "y")
    check_copies(table(levels > 0, levels == levels.max(), target=levels), "y")


def test_what_tells_much_but_not_everything_is_no_copy() -> None:
    swapped, absent = TARGET.copy(), TARGET.copy()
    extremes = [TARGET.argmin(), TARGET.argmax()]
    swapped[extremes] = swapped[extremes[::-1]]
    absent[7] = np.nan
    constant, empty = np.ones(300), np.full(300, np.nan)
    check_copies(table(swapped, absent, TARGET + 0.01 * RNG.normal(size=300), constant, empty), "y")
    # One feature of ties: the target tells more than it.
    check_copies(table(np.round(TARGET), np.floor(50 * TARGET)), "y")
    # The same value of the target with different ones of the feature.
    check_copies(table(TARGET, target=np.round(TARGET, 1)), "y")


def test_many_copies_are_named_in_part() -> None:
    with pytest.raises(DataError, match=r"'b__4' of 'b' and 2 more"):
        check_copies(table(*[TARGET] * 7), "y")


def test_the_smallest_set_without_error_is_named() -> None:
    errors = np.ones((50, 8))
    check_errors(errors, ("a", "b", "c"), "y")
    errors[:, [5, 7]] = 1e-12
    with pytest.raises(DataError, match=r"'y' is determined by the features of 'a' and 'c'"):
        check_errors(errors, ("a", "b", "c"), "y")


def test_infinite_information_becomes_an_error_of_the_data_and_nothing_else_does() -> None:
    with pytest.raises(DataError, match="among those of 'a', 'b'"), determined_targets(("a", "b"), "y"):
        raise DeterministicTargetError("infinite")
    with pytest.raises(ConstantTargetError), determined_targets(("a", "b"), "y"):
        raise ConstantTargetError("constant")


def test_straight_lines_are_those_of_values_and_of_ranks() -> None:
    rng = np.random.default_rng(1)
    target = np.exp(rng.normal(size=1000))
    near = target + 0.01 * target.std() * rng.normal(size=1000)
    wild = rng.normal(size=1000)
    near[7] = wild[7] = target[7] = 1e6
    gaps = np.where(np.arange(1000) < 900, np.nan, -3e-200 * target)
    few = np.where(np.arange(1000) < 981, np.nan, target)
    block = np.column_stack([near, wild, gaps, few, np.full(1000, 2.0), np.log(target)])
    said = straight_lines(block, np.where(np.arange(1000) == 8, np.nan, target))
    assert said[1] < 0.01 < 0.99 < np.corrcoef(wild, target)[0, 1] ** 2
    assert said[2] == pytest.approx(1.0, abs=1e-12)
    assert said[3] == 0.0
    assert said[4] == pytest.approx(0.0, abs=1e-12)
    assert said[5] < 0.9
    ranks = [np.argsort(np.argsort(np.delete(values, 8))) for values in (near, target)]
    assert said[0] == pytest.approx(np.corrcoef(*ranks)[0, 1] ** 2, abs=1e-9)


def test_copies_of_tied_targets_are_told_from_features_that_share_a_code_for_missing_cells() -> None:
    rng = np.random.default_rng(0)
    for levels in (2, 3, 6):
        counts = rng.integers(levels, size=2000).astype(float)
        coded = rng.random(2000) < 0.01
        counts[coded] = 9999.0
        # Its first values tell the others well, but not wholly.
        other = np.where(coded, 9999.0, counts + 0.3 * rng.normal(size=2000))
        copies = [3 - 2 * counts, counts + 1e-9 * rng.random(2000)]
        said = straight_lines(np.column_stack([*copies, other, np.where(coded, 9999.0, 7.0)]), counts)
        assert said[:2] == pytest.approx([1.0, 1.0], abs=1e-12)
        assert said[2] < 0.99 < 0.999 < np.corrcoef(other, counts)[0, 1] ** 2
        assert said[3] < 0.1


def test_a_copy_that_misses_one_of_few_values_is_one() -> None:
    grades = np.random.default_rng(0).integers(1, 6, 500).astype(float)
    some = np.where(grades == 5, np.nan, 3 * grades)
    two = np.where(grades > 2, np.nan, grades)
    assert straight_lines(np.column_stack([some, two]), grades) == pytest.approx([1.0, 0.0], abs=1e-12)
