"""The target of a long table: the same as all at once where it fits, a bounded choice where it does not."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.data import targets
from pidreg_cli.data.counted import Counted
from pidreg_cli.data.labels import RowIds, row_ids
from pidreg_cli.data.tables import ParquetTable, open_table
from pidreg_cli.data.targets import KeptValues, see_target
from pidreg_cli.errors import DataError
from pidreg_cli.training.metrics import RunningAccuracy, accuracy


def table(folder: Path, column: object, name: str = "y", group: int = 37) -> ParquetTable:
    pq.write_table(pa.table({name: column}), folder / "t.parquet", row_group_size=group)
    return open_table([folder / "t.parquet"])


def test_a_short_target_is_seen_whole(tmp_path: Path) -> None:
    seen = see_target(table(tmp_path, [3.0, None, 1.0, float("nan"), 2.0, 1.0]), "y")
    assert seen.present.tolist() == [True, False, True, False, True, True]
    assert seen.values.tolist() == [3.0, 1.0, 2.0, 1.0]


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([1.0] * 50 + [float("inf")], "infinite value in row 50"),
        ([1.0] * 40 + [1e300], "number beyond 3.4e\\+38 in row 40"),
        ([None] * 60, "missing in every row"),
        ([1.5] * 60, "is 1.5 in every row"),
        ([0.0] * 50 + [1.0], "two values only, 0 and 1"),
    ],
)
def test_targets_that_cannot_be_used_are_named_with_their_row(tmp_path, values, words) -> None:
    column = pa.array(values, pa.float64())
    with pytest.raises(DataError, match=words):
        see_target(table(tmp_path, column), "y")


def test_a_third_value_may_come_late(tmp_path: Path) -> None:
    assert len(see_target(table(tmp_path, [0.0] * 50 + [1.0] * 50 + [2.0]), "y").values) == 101


def test_of_a_long_target_a_bounded_choice_is_kept_that_no_period_of_the_rows_biases(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.setattr(targets, "MOST_VALUES", 2000)
    hour = np.arange(60_000) % 24
    seen = see_target(table(tmp_path, hour.astype(float), group=7000), "y")
    assert 1000 <= len(seen.values) <= 2000
    assert np.bincount(seen.values.astype(int), minlength=24).min() > 0.5 * len(seen.values) / 24
    apart = see_target(table(tmp_path, hour.astype(float), group=999), "y")
    assert np.array_equal(apart.values, seen.values)


@given(st.lists(st.integers(0, 70), min_size=1, max_size=5), st.integers(1, 40))
def test_what_several_keep_of_runs_of_rows_is_what_one_keeps_of_all(sizes, most) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(targets, "MOST_VALUES", most)
        kept, several, first = KeptValues(), [], 0
        for size in sizes:
            rows = np.arange(first, first + size)
            own = KeptValues()
            for values in (kept, own):
                values.add(rows / 2, rows)
            several.append(KeptValues.from_arrays(own.to_arrays()))
            first += size
        for other in several[1:]:
            several[0].join(other)
    np.testing.assert_array_equal(several[0].values, kept.values)


@pytest.mark.parametrize(
    "column",
    [
        list(range(100, 150)),
        [f"s{row}" for row in range(50)],
        [None if row % 41 == 40 else f"s{row}" for row in range(50)],
        [None if row % 41 == 40 else 7 * row for row in range(50)],
        [None if row % 41 == 40 else 0.5 * row for row in range(50)],
        pa.array(["a", "b"] * 25).dictionary_encode(),
    ],
)
def test_ids_by_batches_are_those_of_the_whole_table(tmp_path: Path, column: object) -> None:
    ids = table(tmp_path, column, "who", group=11)
    reader, found, first = RowIds.of(ids, "who"), [], 0
    for batch in ids.batches(reader.columns, 11):
        found.extend(reader.read(batch, np.arange(first, first + batch.num_rows)).to_pylist())
        first += batch.num_rows
    assert found == row_ids(ids, "who").tolist()
    assert RowIds(None).read(pa.record_batch({"x": [1]}), np.array([41])).to_pylist() == [41]


rows = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=30)


@given(rows, st.integers(1, 7))
def test_accuracy_of_batches_is_that_of_all_rows(pairs, size) -> None:
    target, prediction = np.round(np.array(pairs).T, 3)
    running = RunningAccuracy()
    running.add(np.array([np.nan]), np.array([1.0]))
    for start in range(0, len(pairs), size):
        running.add(target[start : start + size], prediction[start : start + size])
    found, expected = running.accuracy(), accuracy(target, prediction)
    assert found is not None
    assert (found.n, found.rmse, found.mae) == pytest.approx((expected.n, expected.rmse, expected.mae))
    for name in ("r2", "corr"):
        here, there = getattr(found, name), getattr(expected, name)
        assert here is None if there is None else here == pytest.approx(there, rel=1e-6, abs=1e-6)


def test_of_values_as_common_the_least_is_the_commonest() -> None:
    counted = Counted.of(np.array([2.0, 1.0, 2.0, 1.0, 5.0]))
    assert (counted.values.tolist(), counted.counts.tolist(), counted.rows) == ([1.0, 2.0, 5.0], [2, 2, 1], 5)
    assert counted.commonest == (1.0, 0.4)
