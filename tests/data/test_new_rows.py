"""Tables as a fitted model reads them: lists, gaps, absent modalities."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.data.new_rows import NewRows, list_width
from pidreg_cli.data.sources.opening import open_source
from pidreg_cli.data.sources.text_options import TextOptions
from pidreg_cli.errors import DataError

MODALITIES = {"emb": ["emb"], "lab": ["lab__a", "lab__b"]}
FEATURES = {"emb": ("emb[0]", "emb[1]", "emb[2]"), "lab": ("lab__a", "lab__b")}


def opened(table: pa.Table, path: Path, used: tuple[str, ...] = ("emb", "lab")) -> NewRows:
    pq.write_table(table, path / "new.parquet")
    source = open_source([path / "new.parquet"], TextOptions())
    return NewRows.of(source, MODALITIES, FEATURES, None, None, used)


def table(**changes: object) -> pa.Table:
    columns = {
        "emb": [[1.0, 2.0, 3.0], None, [4.0, 5.0, 6.0]],
        "lab__a": [1, None, 3],
        "lab__b": [0.5, None, 1.5],
    }
    return pa.table({**columns, **changes})


def test_lists_become_features_and_null_lists_gaps(tmp_path: Path) -> None:
    (batch,) = opened(table(), tmp_path).batches(64)
    np.testing.assert_array_equal(batch.arrays.features["emb"][[0, 2]], [[1, 2, 3], [4, 5, 6]])
    assert np.isnan(batch.arrays.features["emb"][1]).all()
    assert np.isnan(batch.arrays.features["lab"][1]).all()
    assert batch.ids.to_pylist() == [0, 1, 2]


def test_batches_are_exactly_as_large_as_asked_and_in_order(tmp_path: Path) -> None:
    many = pa.table({"lab__a": np.arange(1000.0), "lab__b": np.zeros(1000)})
    parts = list(opened(many, tmp_path).batches(64))
    assert [part.arrays.rows for part in parts] == [64] * 15 + [40]
    np.testing.assert_array_equal(
        np.concatenate([p.arrays.features["lab"][:, 0] for p in parts]), np.arange(1000)
    )
    assert np.isnan(parts[0].arrays.features["emb"]).all()
    assert parts[0].arrays.features["emb"].shape == (64, 3)


def test_a_table_without_any_modality_that_is_used_is_another_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no column of any modality .*'emb', 'lab'.*such as") as caught:
        opened(pa.table({"other": ["x", "y"]}), tmp_path)
    assert caught.value.code == "data.missing_columns"
    with pytest.raises(DataError, match=r"no column of any modality .*'emb'"):
        opened(pa.table({"lab__a": [1.0], "lab__b": [2.0]}), tmp_path, used=("emb",))


def test_what_is_not_used_need_not_be_sound(tmp_path: Path) -> None:
    broken = table(emb=["a", "b", "c"])
    assert opened(broken, tmp_path, used=("lab",)).absent == {"emb"}
    with pytest.raises(DataError, match="must be numbers"):
        opened(broken, tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"emb": [1.0, 2.0, 3.0]}, "the run was fitted on lists of 3 numbers"),
        ({"lab__a": [[1.0], [2.0], [3.0]]}, "the run was fitted on numbers"),
    ],
)
def test_other_kinds_of_columns_are_refused(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(table(**changes), tmp_path)


def test_lists_of_another_length_name_the_row(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="3 elements, 2 in row 1"):
        list(opened(table(emb=[[1.0, 2.0, 3.0], [1.0, 2.0], None]), tmp_path).batches(64))


def test_some_columns_of_a_modality_name_the_missing_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'lab' lacks 1 of its 2 columns: 'lab__b'. Did you mean 'lab_b'"):
        opened(table().rename_columns(["emb", "lab__a", "lab_b"]), tmp_path)


def test_widths_are_those_of_the_features() -> None:
    assert list_width("emb", FEATURES["emb"]) == 3
    assert list_width("lab__a", FEATURES["lab"]) is None
