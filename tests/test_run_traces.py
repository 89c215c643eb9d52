"""What a run keeps for figures, from somebody who means harm: bounded before it is read, numbers that figures bear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.errors import RunError
from pidreg_cli.run_traces import read_held_out, read_history
from tests.fuzz.hostile import limits

EPOCH = {"model": "all", "stage": 1, "atoms": {"redundant": 0.5}, "weights": {"a": 1.0}}


def written(path: Path, columns: dict[str, Any], **options: Any) -> Path:
    pq.write_table(pa.table(columns), path, **options)
    return path


def refusal(path: Path) -> str:
    with limits(), pytest.raises(RunError) as caught:
        (read_held_out if path.suffix == ".parquet" else read_history)(path)
    assert (caught.value.code, int(caught.value.status)) == ("run.damaged", 4)
    assert caught.value.hint
    return caught.value.message


def rows(count: int = 3, **others: Any) -> dict[str, Any]:
    return {"split": ["test"] * count, "y": np.zeros(count), "prediction": np.ones(count)} | others


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.dictionary(pa.int8(), pa.string())])
def test_only_test_rows_are_read(tmp_path: Path, kind: pa.DataType) -> None:
    split = pa.array(["test", "valid", None, "test"], pa.string()).cast(kind)
    columns = {"split": split, "y": [1, 2, 3, 4], "prediction": pa.array([1.0, 2, 3, 5], pa.float32())}
    found = read_held_out(written(tmp_path / "heldout.parquet", columns))
    assert found.y.tolist() == [1.0, 4.0]
    assert found.prediction.tolist() == [1.0, 5.0]


def test_a_long_text_of_many_rows_is_held_once(tmp_path: Path) -> None:
    """Decoded for each row it would take ten gigabytes."""
    texts = pa.DictionaryArray.from_arrays(np.zeros(10_000, np.int32), pa.array(["x" * 10**6]))
    path = written(tmp_path / "heldout.parquet", rows(10_000, split=texts))
    with limits():
        assert len(read_held_out(path).y) == 0


def test_long_texts_are_refused(tmp_path: Path) -> None:
    texts = [f"{'x' * 10**6}{number}" for number in range(50)]
    assert "larger than those of a run" in refusal(
        written(tmp_path / "heldout.parquet", rows(50, split=texts))
    )


@pytest.mark.parametrize("options", [{"compression": "zstd"}, {"compression": "gzip"}, "delta"])
def test_columns_that_take_little_and_become_much_are_refused(tmp_path: Path, options: Any) -> None:
    if options == "delta":
        options = {"use_dictionary": False, "column_encoding": {"split": "DELTA_BYTE_ARRAY"}}
    texts = ["x" * 10**5] * 100
    path = written(tmp_path / "heldout.parquet", rows(100, split=texts), **options)
    assert "as a fit stores it" in refusal(path) or "larger than" in refusal(path)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("y", [{"a": 1.0}] * 3),
        ("prediction", [[1.0]] * 3),
        ("y", ["1"] * 3),
        ("split", [1, 2, 3]),
        ("split", [b"test"] * 3),
        ("split", [["test"]] * 3),
    ],
)
def test_columns_of_other_kinds_are_refused(tmp_path: Path, name: str, values: list[Any]) -> None:
    message = refusal(written(tmp_path / "heldout.parquet", rows(**{name: values})))
    assert f"'{name}' holds" in message or f"no plain column '{name}'" in message


@pytest.mark.parametrize("name", ["y", "prediction"])
@pytest.mark.parametrize("number", [float("nan"), float("inf"), -1e308, None])
def test_numbers_that_no_figure_shows_are_refused(tmp_path: Path, name: str, number: float | None) -> None:
    path = written(tmp_path / "heldout.parquet", rows(**{name: [0.0, 1.0, number]}))
    assert f"'{name}' holds numbers that are none of a run" in refusal(path)


def test_single_bits_that_are_no_number_are_refused_without_a_warning(tmp_path: Path) -> None:
    signalling = np.array([0, 0, 0x7F800001], np.uint32).view(np.float32)
    path = written(tmp_path / "heldout.parquet", rows(y=pa.array(signalling)))
    assert "'y' holds numbers that are none of a run" in refusal(path)


@pytest.mark.parametrize("name", ["split", "y", "prediction"])
def test_a_table_without_a_column_is_refused(tmp_path: Path, name: str) -> None:
    columns = rows()
    del columns[name]
    assert name in refusal(written(tmp_path / "heldout.parquet", columns))


@pytest.mark.parametrize(
    "change",
    [
        '"stage": 1e999',
        '"stage": 3',
        '"stage": "1"',
        f'"atoms": {{"redundant": 1{"0" * 400}}}',
        '"atoms": {"redundant": 1e999}',
        '"atoms": {"redundant": NaN}',
        '"weights": {"a": -1e300}',
        '"weights": [1.0]',
        f'"weights": {"[" * 100_000}',
    ],
    ids=lambda change: change[:20],
)
def test_epochs_that_no_fit_writes_are_refused(tmp_path: Path, change: str) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(f"{json.dumps(EPOCH)[:-1]}, {change}}}\n")
    refusal(path)


def test_a_history_that_takes_little_and_becomes_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    path.write_text(json.dumps({**EPOCH, "terms": [[]] * 20_000_000}, separators=(",", ":")))
    assert "of memory" in refusal(path)


def test_a_name_may_hold_what_ends_a_line_of_text(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    record = {**EPOCH, "weights": {"a\u2028b": 1.0}}
    path.write_text(
        "".join(json.dumps(record, ensure_ascii=False) + "\n" for _ in range(2)), encoding="utf-8"
    )
    assert [epoch.weights for epoch in read_history(path)] == [{"a\u2028b": 1.0}] * 2


def test_epochs_are_those_of_the_first_network_of_the_deployed_model(tmp_path: Path) -> None:
    path = tmp_path / "history.jsonl"
    names = ["fold 1 of 2", "model, without block 1", *["model"] * 2, "model, network 2", "model, network 3"]
    records = [{**EPOCH, "model": name, "weights": {"a": float(n)}} for n, name in enumerate(names)]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    assert [epoch.weights["a"] for epoch in read_history(path)] == [2.0, 3.0]


def test_an_empty_history_has_no_epochs(tmp_path: Path) -> None:
    (tmp_path / "history.jsonl").touch()
    assert read_history(tmp_path / "history.jsonl") == ()
