"""Broken input: nothing is half written, nothing ends in a traceback, and every kind has its status and words."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.data.preparation import joins
from tests.cli.broken_inputs import CASES, GOOD, labs, lines, made, parquet, people, run, run_case
from tests.cli.broken_inputs_page import PAGE, line_of


def test_the_table_is_long():
    assert len(CASES) >= 100
    told = [
        line.split(" | ")[0].removeprefix("| ") for line in PAGE.read_text(encoding="utf-8").splitlines()[9:]
    ]
    assert told == list(CASES)


@pytest.mark.parametrize("name", CASES)
def test_broken_input_ends_with_its_status_and_words(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = CASES[name]
    arguments = made(chosen)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    status, out, err = run_case(chosen, arguments)
    assert (status, out) == (chosen.status, ""), err
    assert chosen.words in err
    assert line_of(name, chosen, status, err) in PAGE.read_text(encoding="utf-8").splitlines()
    left = {path: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    if chosen.status == 0:
        assert {path.name for path in left.keys() - before} == {"prepared.parquet", "prepared.pidreg.json"}
        return
    assert left == before
    assert re.search(r"^error: .+", err, re.MULTILINE)
    assert re.search(r"^hint: .+", err, re.MULTILINE)
    assert "Traceback" not in err
    for path in before:
        path.chmod(0o700)


@pytest.mark.parametrize(("method", "words"), [("iterdir", "cannot be opened"), ("open", "cannot be read")])
def test_what_may_not_be_read_is_named_also_to_users_who_may_read_everything(
    tmp_path, monkeypatch, method, words
):
    monkeypatch.chdir(tmp_path)
    given = Path("folder") if method == "iterdir" else Path(lines())
    given.mkdir(exist_ok=True) if method == "iterdir" else None
    original = getattr(Path, method)

    def refused(self: Path, *arguments: object, **named: object) -> object:
        if self == given:
            raise PermissionError(13, "Permission denied", str(self))
        return original(self, *arguments, **named)

    monkeypatch.setattr(Path, method, refused)
    status, out, err = run([str(given), "-o", "out.parquet"])
    assert (status, out) == (3, "")
    assert f"'{given}' {words}: Permission denied" in err


def test_a_full_disk_leaves_nothing(tmp_path, monkeypatch):
    class FullDisk:
        def write_batch(self, _: object) -> None:
            raise OSError(28, "No space left on device")

    from contextlib import contextmanager

    @contextmanager
    def full(*_: object):
        yield FullDisk()

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pidreg_cli.data.preparation.output.open_writer", full)
    parquet(GOOD)
    status, out, err = run(["in.parquet", "-o", "out.parquet"])
    assert (status, out) == (6, "")
    assert "out.parquet could not be written: No space left on device" in err
    assert [path.name for path in tmp_path.iterdir()] == ["in.parquet"]


@pytest.mark.slow
@pytest.mark.parametrize("size", [64, 256])
def test_a_disk_that_is_full_in_earnest_leaves_nothing(tmp_path, environment, size):
    """On a file system of ``size`` KB, mounted in a name space of its own: too small for the start, or for the end."""
    small = tmp_path / "small"
    small.mkdir()
    table = pa.table(
        {name: np.random.default_rng(0).normal(size=20_000) for name in ("a__x", "b__y", "target")}
    )
    pq.write_table(table, tmp_path / "in.parquet")
    command = f"{sys.executable} -m pidreg_cli prepare {tmp_path}/in.parquet -o {small}/out.parquet"
    script = (
        f"mount -t tmpfs -o size={size}k tmpfs {small} && {{ {command}; echo status $?; ls -A {small}; }}"
    )
    done = subprocess.run(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    assert done.stdout == "status 6\n"
    assert f"error: {small}/out.parquet could not be written: No space left on device" in done.stderr
    assert "hint: " in done.stderr
    assert "Traceback" not in done.stderr


def test_a_join_without_room_for_its_files_says_so(tmp_path, monkeypatch):
    import duckdb

    def no_room(*_: object) -> None:
        raise duckdb.IOException("Could not write file: No space left on device")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(joins, "_run", no_room)
    status, _, err = run([people(), "labs=" + labs(), "--key", "k", "-o", "out.parquet"])
    assert status == 6
    assert "let TMPDIR name a folder on a larger disk" in err


def test_errors_are_json_too_where_json_is_asked_for(pidreg, tmp_path):
    done = pidreg("prepare", "gone.csv", "-o", "out.parquet", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith("error: There is no file or folder 'gone.csv'")
