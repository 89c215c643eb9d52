"""Contract, sections "Data" and "Which rows say what": inputs, who names the roles, and the protocols."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.dataset
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from tests.contract.conftest import ROWS, Fitted, Run, table

TINY_FIT = ("--config", "tiny.yaml", "--format", "json")


def report_of(run: Run, *arguments: object) -> dict[str, Any]:
    ended = run(*arguments)
    assert ended.status == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


@pytest.fixture
def pieces(place: Path) -> Path:
    """The table in two files, as a folder, and by the value of a column."""
    whole = table()
    (place / "parts").mkdir()
    pq.write_table(whole.slice(0, 100), place / "parts" / "0.parquet")
    pq.write_table(whole.slice(100), place / "parts" / "1.parquet")
    site = pa.array(np.where(np.arange(ROWS) < 100, "x", "y"))
    pa.dataset.write_dataset(
        whole.append_column("site", site),
        place / "hive",
        format="parquet",
        partitioning=["site"],
        partitioning_flavor="hive",
    )
    return place


@pytest.mark.parametrize(
    "inputs", [("parts",), ("parts/0.parquet", "parts/1.parquet"), ("parts/*.parquet",), ("hive",)]
)
def test_files_folders_and_globs_are_one_table(run: Run, pieces: Path, inputs: tuple[str, ...]) -> None:
    """One or more files, a folder, plain or hive-partitioned, or a glob."""
    line = ("--no-model", "--modalities", "a,b", "--format", "json")
    whole, parts = (report_of(run, "decompose", *given, *line) for given in (("data.parquet",), inputs))
    assert parts["data"]["rows"] == ROWS
    assert parts["information"]["values"] == whole["information"]["values"]


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.csv.gz", "x.feather"])
def test_prepare_reads_text_and_feather(run: Run, place: Path, name: str) -> None:
    """CSV and TSV, plain or compressed, and Feather; ``predict`` reads the texts too."""
    write(table(), place / name)
    ended = run("prepare", name, "-o", "p.parquet", "--modalities", "a,b")
    assert ended.status == 0, ended.err
    prepared = pq.read_table(place / "p.parquet")
    np.testing.assert_allclose(prepared["a__0"].to_numpy(), table()["a__0"].to_numpy(), rtol=1e-6)


@pytest.mark.parametrize("name", ["x.csv", "x.tsv", "x.csv.gz"])
def test_predict_reads_text(fitted: Fitted, run: Run, place: Path, name: str) -> None:
    """The numbers are those of the Parquet table."""
    write(table(), place / name)
    for given, out in (("data.parquet", "p.parquet"), (name, "q.parquet")):
        ended = run("predict", fitted.folder, given, "-o", out)
        assert ended.status == 0, ended.err
    p, q = (pq.read_table(place / out)["prediction"].to_numpy() for out in ("p.parquet", "q.parquet"))
    np.testing.assert_allclose(p, q, rtol=1e-5)


def write(content: pa.Table, path: Path) -> None:
    """As the suffix says."""
    if path.suffix == ".feather":
        pa.feather.write_feather(content, path)
        return
    delimiter = "\t" if path.suffix == ".tsv" else ","
    sink = pa.BufferOutputStream()
    pa.csv.write_csv(content, sink, pa.csv.WriteOptions(delimiter=delimiter))
    text = sink.getvalue().to_pybytes()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


def with_roles(content: pa.Table, **roles: object) -> pa.Table:
    """The table with these roles in its metadata."""
    return content.replace_schema_metadata({"pidreg": json.dumps({"version": "1", **roles})})


def test_options_win_over_configuration_over_metadata_over_names(run: Run, place: Path) -> None:
    """Roles, first match wins."""
    stored = {"modalities": {"m": ["a__0", "a__1"], "n": ["b__0", "b__1"]}, "target": "target"}
    pq.write_table(with_roles(table(), **stored), place / "x.parquet")
    (place / "c.yaml").write_text((place / "tiny.yaml").read_text() + "data: {modalities: [b]}\n")
    configured = ("--config", "c.yaml", "--format", "json")
    found = [
        report_of(run, "fit", "x.parquet", "-o", "1", "--modalities", "a", *configured),
        report_of(run, "fit", "x.parquet", "-o", "2", *configured),
        report_of(run, "fit", "x.parquet", "-o", "3", *TINY_FIT),
        report_of(run, "fit", "data.parquet", "-o", "4", *TINY_FIT),
    ]
    names = [[one["name"] for one in report["modalities"]] for report in found]
    assert names == [["a"], ["b"], ["m", "n"], ["a", "b"]]


def test_metadata_may_hold_unknown_fields_and_must_name_columns(run: Run, place: Path) -> None:
    """Unknown fields are ignored; a named column must exist."""
    stored: Mapping[str, object] = {"modalities": {"m": ["a__0"], "n": ["b__0"]}, "target": "target"}
    pq.write_table(with_roles(table(), **stored, colour="red"), place / "x.parquet")
    pq.write_table(with_roles(table(), **stored, id="absent"), place / "y.parquet")
    assert run("fit", "x.parquet", "--config", "tiny.yaml", "-q").status == 0
    ended = run("fit", "y.parquet", "--config", "tiny.yaml", "-q")
    assert ended.status == 3
    assert "absent" in ended.err


@pytest.mark.parametrize(
    ("columns", "count"),
    [
        (["a", "a__0", "a.0", "a_0"], 2),
        (["z", "a__0", "a.0", "a_0"], 1),
        (["z", "y", "a.0", "a_0"], 1),
        (["z", "y", "a_1", "a_0"], 2),
    ],
)
def test_a_name_means_a_list_column_or_the_first_prefix_that_occurs(
    run: Run, place: Path, columns: list[str], count: int
) -> None:
    """The list column ``a``, else ``a__``, else ``a.``, else ``a_``."""
    numbers = table()["a__0"]
    lists = pa.array([[value, 1.0] for value in numbers.to_pylist()])
    made = {name: lists if name == "a" else numbers for name in columns}
    noisy = {"target": table()["target"], "b__0": table()["a__1"]}
    pq.write_table(pa.table({**made, **noisy}), place / "x.parquet")
    report = report_of(run, "fit", "x.parquet", "--modalities", "a,b", *TINY_FIT)
    assert [one["features"] for one in report["modalities"]] == [count, 1]


@pytest.mark.parametrize("character", [*'{},*=+|/\\"', "\x07"])
def test_characters_that_no_modality_has(run: Run, place: Path, character: str) -> None:
    """Exit 2."""
    (place / "c.yaml").write_text(f"data: {{modalities: {json.dumps({f'x{character}': ['a__0']})}}}\n")
    ended = run("fit", "data.parquet", "--config", "c.yaml")
    assert ended.status == 2, ended.err


def test_ids_are_row_numbers_where_there_are_none_and_groups_are_named(run: Run, place: Path) -> None:
    """The 0-based row number; a column called ``group`` is used by option alone."""
    groups = pa.array(np.arange(ROWS) // 4)
    pq.write_table(table().drop_columns("id").append_column("group", groups), place / "x.parquet")
    line = ("fit", "x.parquet", "--modalities", "a,b", "--config", "tiny.yaml")
    assert run(*line, "-o", "plain").status == 0
    assert pq.read_table(place / "plain" / "heldout.parquet")["id"].to_pylist() == list(range(ROWS))
    assert run(*line, "-o", "grouped", "--group", "group").status == 0
    weights = [(place / name / "model.safetensors").read_bytes() for name in ("plain", "grouped")]
    assert weights[0] != weights[1]


@pytest.mark.parametrize(
    ("parts", "protocol"),
    [
        (["train"] * 7 + ["valid"] + ["test"] * 2, "split"),
        (["train"] * 8 + ["test"] * 2, "split"),
        (["train"] * 8 + ["valid"] * 2, "folds"),
    ],
)
def test_split_columns(run: Run, place: Path, parts: list[str], protocol: str) -> None:
    """Without valid it is carved from train; without test, folds."""
    rows = 2000
    content = table(rows).append_column("split", pa.array(np.resize(parts, rows)))
    pq.write_table(content, place / "x.parquet")
    (place / "auto.yaml").write_text((place / "tiny.yaml").read_text().replace("folds: 2", "folds: auto"))
    report = report_of(
        run, "fit", "x.parquet", "--modalities", "a,b", "--config", "auto.yaml", "--format", "json"
    )
    data = report["data"]
    assert report["information"]["protocol"] == protocol
    assert (data["folds"] is not None) == (protocol == "folds")
    assert data["rows_valid"] > 0
    if protocol == "split":
        assert data["rows_test"] == report["information"]["rows"] == rows // 5
        held = pq.read_table(place / "x.pidreg" / "heldout.parquet").to_pylist()
        tested = {row["id"] for row in held if row["split"] == "test"}
        assert tested == {f"p{i:03}" for i in range(rows) if i % 10 >= 8}


def test_large_tables_are_split_once_and_folds_can_be_forced(run: Run, place: Path) -> None:
    """From 2,000 rows 70/10/20 at random, as the seed says; ``--folds K`` forces folds."""
    assert run("synth", "unique", "-o", "x.parquet", "--rows", 2000).status == 0
    (place / "auto.yaml").write_text((place / "tiny.yaml").read_text().replace("folds: 2", "folds: auto"))
    line = ("fit", "x.parquet", "--config", "auto.yaml", "--format", "json")
    data = report_of(run, *line)["data"]
    assert [data[f"rows_{part}"] for part in ("train", "valid", "test")] == [1400, 200, 400]
    assert report_of(run, *line, "-o", "folds", "--folds", 3)["data"]["folds"] == 3


def test_single_rows_can_be_left_out(run: Run, place: Path) -> None:
    """``--no-heldout``."""
    line = ("fit", "data.parquet", "--modalities", "a,b", "--config", "tiny.yaml", "-q", "--no-heldout")
    assert run(*line).status == 0
    assert not (place / "data.pidreg" / "heldout.parquet").exists()
