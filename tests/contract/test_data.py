"""Contract, sections "Data" and "Which rows say what"."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.contract.conftest import ROWS, Fitted, Run, table

FIT = ("fit", "x.parquet", "--modalities", "a,b", "--config", "tiny.yaml", "-q")


def changed(**columns: object) -> pa.Table:
    """The table with columns replaced or added."""
    found = table()
    for name, values in columns.items():
        place = found.schema.get_field_index(name)
        array = pa.array(values)
        found = found.set_column(place, name, array) if place >= 0 else found.append_column(name, array)
    return found


def with_value(name: str, row: int, value: object) -> list[object]:
    values = table()[name].to_pylist()
    values[row] = value
    return values


REFUSED: dict[str, tuple[pa.Table, tuple[str, ...], int, str]] = {
    "a column in two modalities": (
        table(),
        ("--modality", "c=a__0", "--modality", "d=a__*"),
        3,
        "a__0",
    ),
    "a modality without columns": (table(), ("--modality", "c=zz*"), 3, "zz"),
    "an unknown name": (table(), ("--id", "idd"), 3, "id"),
    "a feature that is text": (changed(a__x=["t"] * ROWS), (), 3, "a__x"),
    "lists of unequal length": (
        changed(c=[[1.0]] * (ROWS - 1) + [[1.0, 2.0]]),
        ("--modality", "c=c"),
        3,
        str(ROWS - 1),
    ),
    "null elements in lists": (
        changed(c=[[1.0, None]] + [[1.0, 2.0]] * (ROWS - 1)),
        ("--modality", "c=c"),
        3,
        "0",
    ),
    "infinite values": (changed(a__0=with_value("a__0", 17, float("inf"))), (), 3, "17"),
    "a target of text": (changed(target=["yes", "no"] * (ROWS // 2)), (), 3, "regression"),
    "a target of two values": (changed(target=[0.0, 1.0] * (ROWS // 2)), (), 3, "regression"),
    "an unknown part": (changed(split=["train"] * (ROWS - 1) + ["tset"]), (), 3, "tset"),
    "a name with a brace": (table(), ("--modality", "c{=a__0"), 2, "c{"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused(run: Run, place: Path, case: str) -> None:
    """Each with its exit code, and the column, row or value."""
    content, more, status, part = REFUSED[case]
    pq.write_table(content, place / "x.parquet")
    ended = run(*FIT, *more)
    assert ended.status == status, ended.err
    assert part in ended.err
    assert sorted(path.name for path in place.iterdir()) == ["data.parquet", "tiny.yaml", "x.parquet"]


def test_missing_features_are_legal_and_reported(fitted: Fitted) -> None:
    """Cells may be missing, and rows may lack a modality; both shares are reported."""
    b = fitted.report["modalities"][1]
    assert b["absent_rows_fraction"] == pytest.approx(np.mean([i % 14 == 0 for i in range(ROWS)]))
    assert 0 < b["absent_rows_fraction"] < b["missing_fraction"]
    assert fitted.report["data"]["rows"] == ROWS


def test_rows_without_a_target_do_not_train_and_are_counted(run: Run, place: Path) -> None:
    """A missing target is a warning, not an error."""
    pq.write_table(changed(target=with_value("target", 3, None)), place / "x.parquet")
    ended = run(*FIT[:-1], "--format", "json")
    assert ended.status == 0, ended.err
    import json

    data = json.loads(ended.out)["data"]
    assert (data["rows"], data["rows_missing_target"]) == (ROWS, 1)
    assert (
        data["rows_train"] + data["rows_valid"] + (data["rows_test"] if data["folds"] is None else 0)
        == ROWS - 1
    )


def test_small_tables_are_cross_fitted(fitted: Fitted) -> None:
    """Every row is scored by a model that did not see it; protocol and rows are reported."""
    information = fitted.report["information"]
    assert (information["protocol"], information["rows"]) == ("folds", ROWS)
    heldout = pq.read_table(fitted.folder / "heldout.parquet")
    assert heldout.column_names == ["id", "split", "y", "prediction"]
    assert heldout["id"].to_pylist() == table()["id"].to_pylist()


def test_a_split_column_is_used_unasked(run: Run, place: Path) -> None:
    """``id`` and ``split`` so named are used with a notice; a column with a role is no feature."""
    parts = (["train"] * 7 + ["valid"] + ["test"] * 2) * (ROWS // 10)
    pq.write_table(changed(split=parts), place / "x.parquet")
    ended = run("schema", "x.parquet", "--modalities", "a,b")
    assert ended.status == 0, ended.err
    assert "split" in ended.out
    assert "target" in ended.out


def test_the_longest_name_of_a_modality_wins(run: Run, place: Path) -> None:
    """``lab_blood`` before ``lab``."""
    names = ["lab_x", "lab_blood_x", "lab_y", "lab_blood_y", "target", "id"]
    pq.write_table(table().rename_columns(names), place / "x.parquet")
    ended = run("schema", "x.parquet", "--modalities", "lab,lab_blood")
    assert ended.status == 0, ended.err
    blood = next(line for line in ended.out.splitlines() if "lab_blood" in line and "2" in line)
    assert blood
