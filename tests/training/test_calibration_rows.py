"""Rows that calibrate predictions: kept and pooled without loss."""

from __future__ import annotations

import numpy as np

from pidreg_cli.training.calibration_rows import CalibrationRows, presence, served_sets


def rows(count: int, *, trees: bool, seed: int = 0) -> CalibrationRows:
    rng = np.random.default_rng(seed)
    return CalibrationRows(
        heads={mask: rng.normal(size=count) for mask in (1, 2, 3)},
        trees={mask: rng.normal(size=count) for mask in (1, 2, 3)} if trees else {},
        completed={mask: rng.normal(size=count) for mask in (1, 2, 3)},
        distances=rng.random((count, 2)),
        present=rng.random((count, 2)) > 0.2,
        prediction=rng.normal(size=count),
        targets=rng.normal(size=(count, 2)),
        groups=np.arange(count),
    )


def test_arrays_restore_the_rows() -> None:
    one = rows(7, trees=True)
    again = CalibrationRows.from_arrays(one.to_arrays())
    for name, array in one.to_arrays().items():
        np.testing.assert_array_equal(again.to_arrays()[name], array)
    assert again.present.dtype == bool


def test_pooled_rows_have_trees_where_all_models_do() -> None:
    both = CalibrationRows.pooled([rows(4, trees=True), rows(3, trees=True, seed=1)])
    assert set(both.trees) == {1, 2, 3}
    assert len(both.targets) == len(both.trees[1]) == 7
    mixed = CalibrationRows.pooled([rows(4, trees=True), rows(3, trees=False, seed=1)])
    assert mixed.trees == {}
    np.testing.assert_array_equal(mixed.heads[2][4:], rows(3, trees=False, seed=1).heads[2])


def test_some_rows_are_drawn_in_order_and_repeatably() -> None:
    one = rows(50, trees=False)
    drawn = one.some(10, np.random.default_rng(3))
    assert len(drawn.targets) == 10
    assert (np.diff(drawn.groups) > 0).all()
    np.testing.assert_array_equal(drawn.groups, one.some(10, np.random.default_rng(3)).groups)
    assert one.some(50, np.random.default_rng(3)) is one


def test_twelve_modalities_stay_within_a_few_hundred_sets() -> None:
    assert len(served_sets(12)) == 12 + 66 + 66 + 12 + 1
    assert all(len(set(served_sets(n))) == len(served_sets(n)) for n in range(1, 13))


def test_a_modality_is_there_where_any_cell_is() -> None:
    from pidreg_cli.data.arrays import MultimodalArrays

    a = np.array([[np.nan, 1.0], [np.nan, np.nan]], np.float32)
    arrays = MultimodalArrays({"a": a, "b": a[::-1]}, {"a": ("p", "q"), "b": ("r", "s")}, None, np.arange(2))
    np.testing.assert_array_equal(presence(arrays), [[True, False], [False, True]])
