from __future__ import annotations

import io
import json

import pyarrow.parquet as pq
import pytest

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console


def synth(*arguments: object) -> tuple[int, str, str]:
    """Status, stdout and stderr of the command."""
    console = Console(io.StringIO(), io.StringIO())
    status = main(["synth", *map(str, arguments)], console)
    return status, console.stdout.getvalue(), console.stderr.getvalue()


def test_it_writes_the_table_and_its_truth_and_says_so_on_stderr(tmp_path):
    status, out, err = synth("synergy", "-o", tmp_path / "data.parquet", "--rows", 60, "--seed", 3)
    assert (status, out) == (0, "")
    assert str(tmp_path / "data.truth.json") in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data.parquet", "data.truth.json"]
    assert pq.read_metadata(tmp_path / "data.parquet").num_rows == 60
    truth = json.loads((tmp_path / "data.truth.json").read_text())
    assert (truth["rows"], truth["seed"]) == (60, 3)


def test_existing_files_are_replaced_only_by_force(tmp_path):
    (tmp_path / "data.parquet").write_text("old")
    status, _, err = synth("null", "-o", tmp_path / "data.parquet", "--rows", 60)
    assert status == 2
    assert "--force" in err
    assert (tmp_path / "data.parquet").read_text() == "old"
    assert synth("null", "-o", tmp_path / "data.parquet", "--rows", 60, "--force", "-q") == (0, "", "")
    assert pq.read_metadata(tmp_path / "data.parquet").num_rows == 60


@pytest.mark.parametrize("existing", ["data.parquet", "data.truth.json"])
def test_existing_files_are_refused_before_any_row_is_drawn(tmp_path, monkeypatch, existing):
    def drawn(*_: object) -> None:
        raise AssertionError("rows were drawn")

    monkeypatch.setattr("pidreg_cli.data.synthetic.generate", drawn)
    (tmp_path / existing).write_text("old")
    status, _, err = synth("null", "-o", tmp_path / "data.parquet", "--rows", 60)
    assert status == 2
    assert f"{existing} already exists" in err


def test_the_mixing_is_chosen_and_recorded(tmp_path):
    for mixing, columns in (("mild", 6), ("strong", 24)):
        path = tmp_path / f"{mixing}.parquet"
        assert synth("null", "-o", path, "--rows", 60, "--mixing", mixing, "-q") == (0, "", "")
        assert pq.read_metadata(path).num_columns == 2 * columns + 2
    assert json.loads((tmp_path / "strong.truth.json").read_text())["mixing"] == "strong"


def test_the_systems_are_listed_on_stdout():
    status, out, err = synth("--list")
    names = {line.split()[0] for line in out.splitlines()}
    assert {
        "unique",
        "redundant",
        "synergy",
        "xor",
        "mixed",
        "null",
        "dominant",
        "three",
        "heavy-tail",
    } <= names
    assert (status, err) == (0, "")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["synergyy", "-o", "d.parquet"], 2),
        (["synergy"], 2),
        (["synergy", "-o", "d.parquet", "--rows", "0"], 2),
        (["synergy", "-o", "d.parquet", "--mixing", "wild"], 2),
        (["synergy", "-o", "d.csv", "--rows", "60"], 2),
        (["synergy", "-o", "absent/d.parquet", "--rows", "60"], 6),
    ],
)
def test_what_it_cannot_do_leaves_nothing(tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    status, out, err = synth(*arguments)
    assert (status, out) == (expected, "")
    assert err.startswith("error: ")
    assert list(tmp_path.iterdir()) == []
