from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest


@pytest.fixture(scope="module")
def written(pidreg, tmp_path_factory):
    folder = tmp_path_factory.mktemp("synth")
    done = pidreg("synth", "synergy", "-o", folder / "data.parquet", "--rows", 60, "--seed", 3)
    assert done.returncode == 0, done.stderr
    return folder, done


def test_it_writes_the_table_and_its_truth(written):
    folder, _ = written
    assert sorted(path.name for path in folder.iterdir()) == ["data.parquet", "data.truth.json"]
    assert pq.read_metadata(folder / "data.parquet").num_rows == 60
    truth = json.loads((folder / "data.truth.json").read_text())
    assert (truth["rows"], truth["seed"]) == (60, 3)


def test_it_says_what_it_wrote_on_stderr_only(written):
    folder, done = written
    assert done.stdout == ""
    assert str(folder / "data.truth.json") in done.stderr


def test_existing_files_are_replaced_only_by_force(pidreg, tmp_path):
    (tmp_path / "data.parquet").write_text("old")
    refused = pidreg("synth", "null", "-o", tmp_path / "data.parquet", "--rows", 60)
    assert refused.returncode == 2
    assert "--force" in refused.stderr
    assert (tmp_path / "data.parquet").read_text() == "old"
    done = pidreg("synth", "null", "-o", tmp_path / "data.parquet", "--rows", 60, "--force", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert pq.read_metadata(tmp_path / "data.parquet").num_rows == 60


def test_the_systems_are_listed_on_stdout(pidreg):
    done = pidreg("synth", "--list")
    names = {line.split()[0] for line in done.stdout.splitlines()}
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
    assert done.stderr == ""


@pytest.mark.parametrize(
    ("arguments", "status"),
    [
        (["synergyy", "-o", "d.parquet"], 2),
        (["synergy"], 2),
        (["synergy", "-o", "d.parquet", "--rows", "0"], 2),
        (["synergy", "-o", "absent/d.parquet", "--rows", "60"], 6),
    ],
)
def test_what_it_cannot_do_leaves_nothing(pidreg, tmp_path, arguments, status):
    done = pidreg("synth", *arguments, cwd=tmp_path)
    assert done.returncode == status
    assert done.stdout == ""
    assert list(tmp_path.iterdir()) == []
