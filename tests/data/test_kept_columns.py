"""Columns that are decoded once: what is kept reads as the file does, within rounding, or is not kept."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.data import kept_columns
from pidreg_cli.data.batches import BlockReader, numbered_batches
from pidreg_cli.data.columns import as_floats, as_numbers
from pidreg_cli.data.kept_columns import with_kept
from pidreg_cli.data.tables import ParquetTable, open_table
from pidreg_cli.errors import DataError

FEATURES = ["a", "b", "late"]


@pytest.fixture
def table(tmp_path: Path) -> ParquetTable:
    """Two files with missing cells, a column of times far from zero, texts and lists."""
    rng = np.random.default_rng(0)
    for part in (0, 1):
        a = rng.normal(size=150)
        a[::7] = np.nan
        columns = {
            "id": [f"{part}-{row}" for row in range(150)],
            "a": pa.array(a, from_pandas=True),
            "b": rng.integers(0, 5, 150),
            "late": 1.7e9 + rng.normal(size=150),
            "far": rng.normal(size=150).tolist(),
            "list": list(rng.normal(size=(150, 2))),
            "target": rng.normal(size=150),
        }
        pq.write_table(pa.table(columns), tmp_path / f"{part}.parquet", row_group_size=40)
    return open_table([tmp_path / "0.parquet", tmp_path / "1.parquet"])


def read(table: ParquetTable, columns: list[str], rows: int) -> dict[str, np.ndarray]:
    found = list(table.batches(columns, rows))
    assert sum(batch.num_rows for batch in found) == table.rows
    return {
        name: np.concatenate([np.asarray(as_numbers(batch.column(name)), float) for batch in found])
        for name in columns
    }


@pytest.mark.parametrize(("rows", "threads"), [(17, 1), (64, 2), (1000, 1)])
def test_batches_read_as_from_the_file(table: ParquetTable, rows: int, threads: int) -> None:
    kept = with_kept(table, FEATURES, ["target"], threads)
    assert set(kept.kept) == {*FEATURES, "target"}
    # Some kept, one in the file: together still the same rows.
    for columns in (["b", "target", "a"], ["a", "far", "late"]):
        plain, mine = read(table, columns, rows), read(kept, columns, rows)
        for name in columns:
            np.testing.assert_allclose(mine[name], plain[name], rtol=1e-7, equal_nan=True, err_msg=name)


def test_what_single_precision_would_blur_is_kept_in_double(table: ParquetTable) -> None:
    kept = with_kept(table, FEATURES, ["target"]).kept
    kinds = {name: column.type for name, column in kept.items()}
    assert kinds == {"a": pa.float32(), "b": pa.float32(), "late": pa.float64(), "target": pa.float64()}
    assert np.array_equal(as_floats(kept["late"]), read(table, ["late"], 1000)["late"])


def test_nothing_is_kept_beyond_the_bound_nor_of_lists(
    table: ParquetTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert not with_kept(table, ["a", "list"], ["target"]).kept
    monkeypatch.setattr(kept_columns, "MOST_BYTES", 4 * 300 * 4)
    # Four columns would fit in single precision, but two need double.
    assert not with_kept(table, FEATURES, ["target"]).kept
    monkeypatch.setattr(kept_columns, "MOST_BYTES", 24 * 300)
    assert with_kept(table, FEATURES, ["target"]).kept
    monkeypatch.setattr(kept_columns, "MOST_FILES", 1)
    assert not with_kept(table, FEATURES, ["target"]).kept


@pytest.mark.parametrize(("value", "code"), [(1e300, "data.too_large"), (np.inf, "data.infinite_value")])
def test_numbers_that_cannot_be_used_are_named_as_they_are(tmp_path: Path, value: float, code: str) -> None:
    numbers = np.random.default_rng(0).normal(size=100)
    numbers[61] = value
    pq.write_table(pa.table({"a": numbers, "target": numbers}), tmp_path / "t.parquet")
    table = with_kept(open_table([tmp_path / "t.parquet"]), ["a"], [])
    reader = BlockReader.of(table, {"a": ["a"]})
    first, batch = list(numbered_batches(table, ["a"], 32))[1]
    with pytest.raises(DataError, match="row 61 ") as caught:
        reader.blocks(batch, first)
    assert caught.value.code == code


def test_rows_are_chosen_in_any_order(table: ParquetTable) -> None:
    kept = with_kept(table, FEATURES, ["target"])
    reader = BlockReader.of(kept, {"m": ["a", "b"]})
    (batch,) = kept.batches(["a", "b"], 1000)
    chosen = np.random.default_rng(1).permutation(300)[:50]
    some, whole = reader.blocks(batch, 0, chosen)["m"], reader.blocks(batch, 0)["m"]
    assert some.dtype == np.float32
    np.testing.assert_array_equal(some, whole[chosen])


@pytest.mark.parametrize("columns", [["a", "target"], ["a", "list"]], ids=["from memory", "from files, too"])
def test_shares_of_rows_in_memory_are_those_of_the_files(table: ParquetTable, columns: list[str]) -> None:
    kept = with_kept(table, FEATURES, ["target"])
    for number in range(4):
        found, expected = (
            [
                (first + i, row)
                for first, batch in one.numbered_batches(columns, 7, (number, 4))
                for i, row in enumerate(batch.to_pylist())
            ]
            for one in (kept, table)
        )
        assert [row for row, _ in found] == [row for row, _ in expected]
        assert [cells[columns[1]] for _, cells in found] == [cells[columns[1]] for _, cells in expected]
