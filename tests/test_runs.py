"""Run folders: what is written, replaced, refused and left alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from pidreg_cli import runs
from pidreg_cli.errors import OutputError, UsageError
from pidreg_cli.runs import RunBuilder
from tests.run_folders import (
    CONFIG,
    DATA,
    NOBODY,
    complete,
    interrupted,
    names,
    refusal,
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "first.pidreg"


def test_a_complete_run_has_its_files_and_nothing_else(folder):
    complete(folder)
    assert names(folder) == ["config.yaml", "report.json"]
    assert (folder / "config.yaml").read_text() == CONFIG
    assert names(folder.parent) == ["first.pidreg"]


def test_files_appear_in_the_partial_folder_and_only_whole(folder):
    with RunBuilder(folder) as run:
        run.begin(CONFIG, DATA)
        with run.replacing("heldout.parquet") as part:
            part.write_bytes(b"rows")
            assert not (run.partial / "heldout.parquet").exists()
        assert (run.partial / "heldout.parquet").read_bytes() == b"rows"
        assert not folder.exists()


def test_an_existing_run_is_refused_and_untouched(folder):
    complete(folder, "old")
    error = refusal(folder)
    assert error.code == "run.exists"
    assert "--force" in error.hint
    assert refusal(folder, resume=True).code == "run.exists"
    assert (folder / "report.json").read_text() == "old"
    assert names(folder.parent) == ["first.pidreg"]


def test_force_replaces_an_old_run_only_at_the_end(folder):
    complete(folder, "old")
    with RunBuilder(folder, force=True) as run:
        run.begin(CONFIG, DATA)
        run.write_text("report.json", "new")
        assert (folder / "report.json").read_text() == "old"
        run.commit()
    assert (folder / "report.json").read_text() == "new"
    assert names(folder.parent) == ["first.pidreg"]


def test_a_failed_replacement_leaves_the_old_run(folder):
    complete(folder, "old")
    interrupted(folder, force=True)
    assert (folder / "report.json").read_text() == "old"


@pytest.mark.parametrize("place", ["", ".replaced", ".partial"])
@pytest.mark.parametrize("mark", ["config.yaml", "model.json", "report.json", "both", ".lock"])
def test_force_never_replaces_a_folder_that_holds_more_than_a_run(folder, place, mark):
    if place == ".replaced":
        complete(folder)
    mine = folder.with_name(folder.name + place)
    mine.mkdir(exist_ok=True)
    for name in ["config.yaml", "report.json"] if mark == "both" else [mark]:
        (mine / name).write_text("mine")
    (mine / "thesis.tex").write_text("mine")
    before = names(mine)
    error = refusal(folder, force=True)
    assert error.code == "run.not_a_run"
    assert names(mine) == before
    assert not folder.with_name(folder.name + ".partial").exists() or place == ".partial"


@pytest.mark.parametrize("mark", ["config.yaml", "model.json", "report.json"])
def test_force_does_not_take_a_single_file_for_a_run(folder, mark):
    folder.mkdir()
    (folder / mark).write_text("mine")
    error = refusal(folder, force=True)
    assert "lacks files" in error.message
    assert names(folder) == [mark]


def test_what_file_managers_leave_does_not_make_a_run_another_thing(folder):
    complete(folder, "old")
    (folder / ".DS_Store").touch()
    complete(folder, "new", force=True)
    assert names(folder) == ["config.yaml", "report.json"]


@pytest.mark.parametrize("ends", [KeyboardInterrupt, PermissionError])
def test_a_run_is_complete_where_the_old_one_cannot_be_removed(folder, ends, monkeypatch):
    complete(folder, "old")
    original = runs.shutil.rmtree

    def ending(path, *arguments, **options):
        if str(path).endswith(".replaced"):
            if ends is KeyboardInterrupt:
                raise ends
            return
        original(path, *arguments, **options)

    monkeypatch.setattr(runs.shutil, "rmtree", ending)
    if ends is KeyboardInterrupt:
        with pytest.raises(KeyboardInterrupt) as caught:
            complete(folder, "new", force=True)
        assert not hasattr(caught.value, "__notes__")
    else:
        complete(folder, "new", force=True)
    monkeypatch.undo()
    assert (folder / "report.json").read_text() == "new"
    complete(folder, "newer", force=True)
    assert names(folder.parent) == ["first.pidreg"]
    assert names(folder) == ["config.yaml", "report.json"]


def test_who_loses_a_race_leaves_the_unfinished_run_of_the_other_alone(folder):
    first = RunBuilder(folder).__enter__()
    first.begin(CONFIG, DATA)
    first.write_text("report.json", "first")
    first.partial.rename(folder)  # as commit does, and there it ends
    with RunBuilder(folder, force=True) as second:
        second.begin(CONFIG, DATA)
        second.checkpoints.write("state", b"epoch 3")
        first.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
        assert second.checkpoints.path("state") is not None
        second.write_text("report.json", "second")
        second.commit()
    assert (folder / "report.json").read_text() == "second"


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_force_never_replaces_what_is_no_run(folder, kind):
    if kind == "file":
        folder.write_text("mine")
    else:
        target = folder if kind == "folder" else folder.parent / "elsewhere"
        target.mkdir()
        (target / "thesis.tex").write_text("mine")
        if kind == "link":
            folder.symlink_to(target)
    assert refusal(folder, force=True).code == "run.not_a_run"
    assert refusal(folder).code == "run.exists"


def test_a_linked_run_is_not_replaced(folder):
    complete(folder.parent / "elsewhere", "mine")
    folder.symlink_to(folder.parent / "elsewhere")
    assert refusal(folder, force=True).code == "output.is_link"
    assert (folder / "report.json").read_text() == "mine"
    assert folder.is_symlink()


@pytest.mark.parametrize("inner", ["", "checkpoints", "report.json"])
def test_an_unfinished_run_with_links_in_it_is_refused(folder, inner):
    partial, elsewhere = folder.parent / "first.pidreg.partial", folder.parent / "elsewhere"
    interrupted(elsewhere)
    elsewhere = folder.parent / "elsewhere.partial"
    if inner:
        partial.mkdir()
        (partial / "config.yaml").write_text(CONFIG)
        (partial / inner).symlink_to(elsewhere / inner)
    else:
        partial.symlink_to(elsewhere)
    for options in ({"resume": True}, {"force": True}):
        assert refusal(folder, **options).code == "output.is_link"
    assert (elsewhere / "checkpoints" / "state").read_bytes() == b"epoch 3"


def test_temporary_files_of_a_killed_process_do_not_get_into_the_run(folder):
    interrupted(folder)
    partial = folder.parent / "first.pidreg.partial"
    for place in (partial, partial / "checkpoints"):
        (place / ".report.json.0123456789ab.part").write_text("half")
    with RunBuilder(folder, resume=True) as run:
        run.begin(CONFIG, DATA)
        assert not list(partial.rglob("*.part"))
        run.commit()
    assert names(folder) == ["config.yaml"]


@pytest.mark.parametrize("left", [["checkpoints", ".lock"], [".lock"]])
def test_a_run_that_was_killed_after_its_rename_is_complete_and_tidied(folder, left):
    complete(folder)
    (folder / "model.json").write_text("{}")
    if "checkpoints" in left:
        (folder / "checkpoints").mkdir()
        (folder / "checkpoints" / "state").write_bytes(b"state")
    (folder / ".lock").touch()
    assert refusal(folder, resume=True).code == "run.exists"
    assert names(folder) == ["config.yaml", "model.json", "report.json"]


def test_a_folder_of_others_with_such_names_is_not_tidied(folder):
    folder.mkdir()
    for name in (".lock", "report.json"):
        (folder / name).touch()
    (folder / "checkpoints").mkdir()
    assert refusal(folder).code == "run.exists"
    assert names(folder) == [".lock", "checkpoints", "report.json"]


@pytest.mark.parametrize("name", [".", "..", "/", "a/.."])
def test_a_folder_without_a_name_is_refused(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no name for a run"):
        RunBuilder(Path(name))


def test_two_processes_cannot_write_one_run(folder):
    with RunBuilder(folder) as run:
        run.begin(CONFIG, DATA)
        assert refusal(folder, resume=True).code == "run.locked"
        assert refusal(folder, force=True).code == "run.locked"
        run.write_text("report.json", "mine")
        run.commit()
    assert (folder / "report.json").read_text() == "mine"


def test_a_run_that_appears_meanwhile_is_not_replaced(folder):
    with RunBuilder(folder) as run:
        run.begin(CONFIG, DATA)
        run.checkpoints.write("state", b"epoch 3")
        run.write_text("report.json", "late")
        folder.mkdir()
        (folder / "config.yaml").write_text(CONFIG)
        (folder / "report.json").write_text("early")
        with pytest.raises(UsageError, match="already exists"):
            run.commit()
    assert (folder / "report.json").read_text() == "early"
    with RunBuilder(folder, resume=True, force=True) as run:
        assert run.resumed
        assert (run.partial / "report.json").read_text() == "late"


@pytest.mark.parametrize("state", ["between the renames", "before the old one is deleted"])
def test_a_replacement_that_was_killed_loses_nothing(folder, state):
    complete(folder, "old")
    folder.rename(folder.parent / "first.pidreg.replaced")
    if state == "before the old one is deleted":
        complete_beside = folder.parent / "first.pidreg"
        complete_beside.mkdir()
        (complete_beside / "config.yaml").write_text(CONFIG)
        (complete_beside / "report.json").write_text("new")
    assert refusal(folder).code == "run.exists"
    expected = "old" if state == "between the renames" else "new"
    assert (folder / "report.json").read_text() == expected
    complete(folder, "newer", force=True)
    assert names(folder.parent) == ["first.pidreg"]


@pytest.mark.parametrize("parent", ["absent", "file"])
def test_a_parent_that_takes_no_folder_is_an_output_error(tmp_path, parent):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="could not be written"), RunBuilder(tmp_path / parent / "run"):
        pytest.fail("entered")


@pytest.fixture
def read_only():
    """A folder in which this process, which for that is not root, may not write."""
    user = os.geteuid()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o555)
        try:
            if user == 0:
                os.seteuid(NOBODY)
            yield Path(name)
        finally:
            os.seteuid(user)
            Path(name).chmod(0o755)


def test_a_read_only_parent_is_an_output_error(read_only):
    with pytest.raises(OutputError, match="Permission denied"), RunBuilder(read_only / "run"):
        pytest.fail("entered")


KILLED = """
import sys, time
from pathlib import Path
from pidreg_cli.runs import RunBuilder
with RunBuilder(Path(sys.argv[1])) as run:
    run.begin(sys.argv[2], sys.argv[3])
    run.checkpoints.write("state", b"epoch 3")
    print("ready", flush=True)
    time.sleep(60)
"""


def test_a_killed_process_leaves_a_run_that_can_be_continued(folder):
    command = [sys.executable, "-c", KILLED, str(folder), CONFIG, DATA]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert refusal(folder, resume=True).code == "run.locked"
        process.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 10
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    with RunBuilder(folder, resume=True) as run:
        run.begin(CONFIG, DATA)
        assert run.checkpoints.path("state") is not None
