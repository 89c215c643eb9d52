"""Contract, sections "Run folder", "Report", "The commands" and "Python"."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.contract.conftest import ROWS, Fitted, Run

KEYS = (
    *(
        "schema_version",
        "tool_version",
        "command",
        "created_at",
        "seed",
        "device",
        "threads",
        "data",
        "modalities",
    ),
    *("metrics", "information", "pid", "one_versus_rest", "sensitivity", "shapley", "fusion", "selection"),
    "diagnostics",
)
FILES = {
    *("config.yaml", "model.safetensors", "model.json", "report.json", "report.md", "report.html"),
    *("history.jsonl", "heldout.parquet"),
}


def test_the_files_of_a_run(fitted: Fitted) -> None:
    """Every file that the contract names, and nothing half done."""
    names = {path.name for path in fitted.folder.iterdir()}
    assert names >= FILES
    assert not [name for name in names if name.startswith(".") or name.endswith(".part")]
    assert not (fitted.place / "data.pidreg.partial").exists()


def test_a_run_can_be_moved(fitted: Fitted, run: Run, place: Path) -> None:
    """What a run says does not depend on where it lies."""
    shutil.copytree(fitted.folder, place / "elsewhere")
    moved = run("decompose", "elsewhere", "--format", "json")
    here = run("decompose", fitted.folder, "--format", "json")
    assert moved.status == 0, moved.err
    assert {**json.loads(moved.out), "created_at": ""} == {**json.loads(here.out), "created_at": ""}


def numbers(node: Any) -> Iterator[float]:
    if isinstance(node, float):
        yield node
    elif isinstance(node, dict | list):
        for inner in node.values() if isinstance(node, dict) else node:
            yield from numbers(inner)


@pytest.mark.parametrize("command", ["fit", "decompose", "select-modalities"])
def test_reports(fitted: Fitted, run: Run, command: str) -> None:
    """Every top-level key, valid against the published schema, no NaN or infinity, names of files without folders."""
    text = (
        (fitted.folder / "report.json").read_text()
        if command == "fit"
        else run(command, fitted.folder, "--format", "json").out
    )
    report = json.loads(text, parse_constant=pytest.fail)
    schema = json.loads(run("schema", "report").out)
    jsonschema.Draft202012Validator(schema).validate(report)
    assert set(report) >= set(KEYS)
    assert all(math.isfinite(number) for number in numbers(report))
    assert report["data"]["files"] == ["data.parquet"]
    assert report["data"]["fingerprint"].startswith("sha256:")
    assert report["schema_version"].startswith("1.")
    assert report["command"] == command


def test_atoms_add_up(fitted: Fitted) -> None:
    """Atoms sum to the total, and so do unique, redundant and synergistic; kinds are those of their members."""
    pid = fitted.report["pid"]
    summary, atoms = pid["summary"], {atom["id"]: atom for atom in pid["atoms"]}
    assert sum(atom["value"] for atom in atoms.values()) == pytest.approx(summary["total"])
    parts = sum(summary["unique"].values()) + summary["redundant"] + summary["synergistic"]
    assert parts == pytest.approx(summary["total"])
    kinds = {name: atom["kind"] for name, atom in atoms.items()}
    assert kinds == {"{a}": "unique", "{b}": "unique", "{a}{b}": "redundant", "{a,b}": "synergistic"}
    assert atoms["{a}{b}"]["members"] == [["a"], ["b"]]
    assert set(summary["unique"]) == {"a", "b"}


def test_sets_are_ordered_by_size(fitted: Fitted) -> None:
    """Then as the modalities were given; the whole last."""
    values = fitted.report["information"]["values"]
    assert [one["modalities"] for one in values] == [["a"], ["b"], ["a", "b"]]
    assert values[-1]["value"] == pytest.approx(fitted.report["pid"]["summary"]["total"])


def test_predictions(fitted: Fitted, run: Run, place: Path) -> None:
    """id, prediction, lower, upper, in the order of the rows; the target is not needed; CSV on stdout."""
    pq.write_table(pq.read_table(place / "data.parquet").drop_columns("target"), place / "new.parquet")
    ended = run("predict", fitted.folder, "new.parquet", "-o", "p.parquet", "--explain")
    assert ended.status == 0, ended.err
    found = pq.read_table(place / "p.parquet")
    explained = ["bits.a", "bits.b", "shift.a", "shift.b"]
    assert found.column_names[:4] == ["id", "prediction", "lower", "upper"]
    assert sorted(found.column_names[4:]) == explained
    assert found["id"].to_pylist() == [f"p{i:03}" for i in range(ROWS)]
    low, middle, high = (found[name].to_numpy() for name in ("lower", "prediction", "upper"))
    assert (low <= middle).all()
    assert (middle <= high).all()
    piped = run("predict", fitted.folder, "new.parquet", "-o", "-")
    assert piped.out.splitlines()[0] == "id,prediction,lower,upper"
    assert len(piped.out.splitlines()) == ROWS + 1


def test_rows_may_lack_a_modality_but_not_some_of_its_columns(fitted: Fitted, run: Run, place: Path) -> None:
    """A whole modality absent: a warning and wider intervals; some of its columns absent: exit 3."""
    whole = pq.read_table(place / "data.parquet")
    pq.write_table(whole.drop_columns(["a__0", "a__1"]), place / "without.parquet")
    pq.write_table(whole.drop_columns(["a__0"]), place / "some.parquet")
    widths = []
    for name in ("data", "without"):
        ended = run("predict", fitted.folder, f"{name}.parquet", "-o", f"{name}.csv.parquet")
        assert ended.status == 0, ended.err
        assert "warning:" in ended.err
        found = pq.read_table(place / f"{name}.csv.parquet")
        widths.append(np.mean(found["upper"].to_numpy() - found["lower"].to_numpy()))
    assert widths[1] > widths[0]
    assert run("predict", fitted.folder, "some.parquet", "-o", "x.csv").status == 3


@pytest.mark.parametrize(
    ("requirement", "status"),
    [
        ("unique.a >= -1", 0),
        ("redundant <= 9", 0),
        ("share.synergistic <= 1", 0),
        ("information.a >= 0", 0),
        ("shapley.b >= -9", 0),
        ("weight.a >= 0", 0),
        ("metrics.test.n == 240", 0),
        ('data."target" == "target"', 0),
        ("total >= 99", 1),
        ("uniqe.a >= 0", 2),
    ],
)
def test_names_that_check_knows(fitted: Fitted, run: Run, requirement: str, status: int) -> None:
    """Short names, dotted paths, quoted words; an unknown one is exit 2 with the nearest."""
    ended = run("check", fitted.folder, "--require", requirement)
    assert ended.status == status, ended.err
    if status == 2:
        assert "unique.a" in ended.err


def test_drift_from_a_baseline(fitted: Fitted, run: Run, place: Path) -> None:
    """Differences in bits of total, redundant, synergistic and each unique."""
    report = fitted.report
    report["pid"]["summary"]["redundant"] += 0.2
    (place / "old.json").write_text(json.dumps(report))
    drift = ("check", fitted.folder, "--baseline", "old.json", "--max-drift")
    assert run(*drift, "0.3").status == 0
    ended = run(*drift, "0.1")
    assert ended.status == 1
    assert "redundant" in ended.out


def test_prepare_writes_roles_and_a_sidecar(run: Run, place: Path) -> None:
    """Features as ``modality__feature``, roles in the metadata, a sidecar; the dry run writes nothing."""
    (place / "rows.csv").write_text("p,q,target\n" + "".join(f"{i},{i * i % 7},{i % 5}\n" for i in range(60)))
    line = ("prepare", "rows.csv", "-o", "out.parquet", "--modality", "m=p", "--modality", "n=q")
    before = sorted(place.iterdir())
    assert run(*line, "--dry-run").status == 0
    assert sorted(place.iterdir()) == before
    ended = run(*line)
    assert (ended.status, ended.out) == (0, ""), ended.err
    schema = pq.read_schema(place / "out.parquet")
    assert {"m__p", "n__q", "target", "split"} <= set(schema.names)
    assert json.loads(schema.metadata[b"pidreg"])["target"] == "target"
    assert (place / "out.pidreg.json").exists()


def test_synthetic_tables(run: Run, place: Path) -> None:
    """Nine systems at least, each with its truth in the metadata and beside it."""
    listed = run("synth", "--list").out
    systems = ("unique", "redundant", "synergy", "xor", "mixed", "null", "dominant", "three", "heavy-tail")
    assert all(name in listed for name in systems)
    assert run("synth", "xor", "-o", "x.parquet", "--rows", 50, "--seed", 1).status == 0
    assert pq.read_table(place / "x.parquet").num_rows == 50
    assert json.loads((place / "x.truth.json").read_text())


def test_a_table_is_decomposed_without_a_model(run: Run) -> None:
    """``--no-model`` reads the features themselves, in bits or nats."""
    line = (
        "decompose",
        "data.parquet",
        "--no-model",
        "--modalities",
        "a,b",
        "--format",
        "json",
        "--ci",
        "0.9",
    )
    found = [json.loads(run(*line, "--units", units).out) for units in ("bits", "nats")]
    totals = [report["pid"]["summary"]["total"] for report in found]
    assert totals[0] * math.log(2) == pytest.approx(totals[1])


def test_python() -> None:
    """The library under the commands: a covariance decomposed by hand."""
    from pidreg_cli import gaussian_pid

    rows = np.random.default_rng(0).normal(size=(80, 5))
    sources = {"x": [1, 2], "y": [3, 4]}
    d = gaussian_pid(np.cov(rows.T), target=[0], sources=sources, measure="broja", units="bits")
    assert set(d.atoms) == {"{x}", "{y}", "{x}{y}", "{x,y}"}
    assert set(d.information) == {("x",), ("y",), ("x", "y")}
    assert sum(d.atoms.values()) == pytest.approx(d.total)
