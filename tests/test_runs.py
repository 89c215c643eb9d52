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
from pidreg_cli.errors import DataError, OutputError, RunError, UsageError
from pidreg_cli.information.errors import ConstantTargetError
from pidreg_cli.runs import RunBuilder

CONFIG = "seed: 0\nstage1:\n  max_epochs: 5\n"
DATA = "sha256:00"
NOBODY = 65534


def complete(folder, text="report", **options):
    with RunBuilder(folder, **options) as run:
        run.begin(CONFIG, DATA)
        run.checkpoints.write("fold1/state.safetensors", b"state")
        run.write_text("report.json", text)
        run.commit()


def interrupted(folder, **options):
    with pytest.raises(ZeroDivisionError) as caught, RunBuilder(folder, **options) as run:
        begin_and_fail(run)
    return caught.value


def begin_and_fail(run):
    run.begin(CONFIG, DATA)
    run.checkpoints.write("state", b"epoch 3")
    1 / 0  # noqa: B018


def begin_and_refuse(run, error):
    run.begin(CONFIG, DATA)
    run.checkpoints.write("state", b"epoch 3")
    raise error


def fail_without_checkpoint(run):
    run.begin(CONFIG, DATA)
    1 / 0  # noqa: B018


def refusal(folder, **options):
    with pytest.raises(UsageError) as caught, RunBuilder(folder, **options):
        pytest.fail("entered")
    return caught.value


def names(folder):
    return sorted(path.name for path in folder.iterdir())


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


def test_an_interrupted_run_is_kept_and_says_how_to_go_on(folder):
    error = interrupted(folder)
    assert any("--resume" in note and "--force" in note for note in error.__notes__)
    refused = refusal(folder)
    assert refused.code == "run.partial"
    assert "--resume" in refused.hint
    assert "--force" in refused.hint


def test_what_fails_before_it_begins_leaves_nothing_behind(folder):
    with pytest.raises(ZeroDivisionError) as caught, RunBuilder(folder):
        1 / 0  # noqa: B018
    assert not hasattr(caught.value, "__notes__")
    assert names(folder.parent) == []


def test_what_fails_before_the_first_checkpoint_leaves_nothing_behind(folder):
    with pytest.raises(ZeroDivisionError) as caught, RunBuilder(folder) as run:
        fail_without_checkpoint(run)
    assert not hasattr(caught.value, "__notes__")
    assert names(folder.parent) == []


def test_what_fails_before_it_begins_leaves_an_earlier_one_alone(folder):
    interrupted(folder)
    with pytest.raises(ZeroDivisionError), RunBuilder(folder, resume=True):
        1 / 0  # noqa: B018
    assert (folder.parent / "first.pidreg.partial" / "checkpoints" / "state").exists()


@pytest.mark.parametrize("error", [DataError("data.refused", "no"), ConstantTargetError("no")])
def test_data_that_are_refused_leave_nothing_to_continue(folder, error):
    with pytest.raises(type(error)) as caught, RunBuilder(folder) as run:
        begin_and_refuse(run, error)
    assert not hasattr(caught.value, "__notes__")
    assert names(folder.parent) == []


def test_data_that_cannot_be_read_do_not_cost_an_interrupted_run(folder):
    interrupted(folder)
    with pytest.raises(DataError), RunBuilder(folder, resume=True):
        raise DataError("data.unreadable", "the disk is away")
    assert (folder.parent / "first.pidreg.partial" / "checkpoints" / "state").exists()


@pytest.mark.parametrize("error", [DataError("data.refused", "no"), ConstantTargetError("no")])
def test_no_error_costs_the_work_of_a_continued_run(folder, error):
    interrupted(folder)
    with pytest.raises(type(error)) as caught, RunBuilder(folder, resume=True) as run:
        begin_and_refuse(run, error)
    assert "--resume continues it" in caught.value.__notes__[0]
    assert (folder.parent / "first.pidreg.partial" / "checkpoints" / "state").exists()


@pytest.mark.parametrize("code", ["data.unreadable_file", "data.missing_input"])
def test_files_that_cannot_be_read_again_cost_no_work(folder, code):
    with pytest.raises(DataError), RunBuilder(folder) as run:
        begin_and_refuse(run, DataError(code, "the disk is away"))
    assert (folder.parent / "first.pidreg.partial" / "checkpoints" / "state").exists()


def test_a_run_goes_on_with_another_number_of_threads(folder):
    interrupted(folder)
    saved = folder.with_name("first.pidreg.partial") / "config.yaml"
    saved.write_text(f"{CONFIG}threads: 2\n")
    with RunBuilder(folder, resume=True) as run:
        run.begin(f"{CONFIG}threads: 1\n", DATA)
        assert run.checkpoints.path("state") is not None
        run.write_text("report.json", "done")
        run.commit()
    assert (folder / "config.yaml").read_text() == f"{CONFIG}threads: 1\n"


def test_resume_continues_with_the_checkpoints(folder):
    interrupted(folder)
    with RunBuilder(folder, resume=True) as run:
        assert run.resumed
        run.begin(CONFIG, DATA)
        state = run.checkpoints.path("state")
        assert state is not None
        assert state.read_bytes() == b"epoch 3"
        run.checkpoints.remove("state")
        run.checkpoints.remove("state")
        assert run.checkpoints.path("state") is None
        run.write_text("report.json", "done")
        run.commit()
    assert names(folder) == ["config.yaml", "report.json"]


def test_resume_without_an_unfinished_run_starts_one(folder):
    with RunBuilder(folder, resume=True) as run:
        assert not run.resumed
        run.begin(CONFIG, DATA)
        assert not run.resumed
        run.commit()
    assert names(folder) == ["config.yaml"]


def test_force_drops_the_unfinished_run_once_the_new_one_begins(folder):
    interrupted(folder)
    with pytest.raises(ZeroDivisionError), RunBuilder(folder, force=True):
        1 / 0  # noqa: B018
    with RunBuilder(folder, force=True) as run:
        assert run.checkpoints.path("state") is not None
        run.begin("seed: 1\n", "sha256:01")
        assert run.checkpoints.path("state") is None
        run.commit()
    assert (folder / "config.yaml").read_text() == "seed: 1\n"


def test_resume_and_force_continue_the_unfinished_and_replace_the_old(folder):
    complete(folder, "old")
    interrupted(folder, force=True)
    with RunBuilder(folder, resume=True, force=True) as run:
        assert run.resumed
        run.begin(CONFIG, DATA)
        run.write_text("report.json", "new")
        run.commit()
    assert (folder / "report.json").read_text() == "new"


def test_resume_with_other_settings_names_the_keys(folder):
    interrupted(folder)
    with pytest.raises(UsageError) as caught, RunBuilder(folder, resume=True) as run:
        run.begin("seed: 3\nstage1:\n  max_epochs: 6\n", DATA)
    assert caught.value.code == "run.other_configuration"
    assert "seed was 0, now 3; stage1.max_epochs was 5, now 6" in caught.value.message
    with RunBuilder(folder, resume=True) as run:
        assert run.checkpoints.path("state") is not None


def test_resume_with_other_data_is_refused(folder):
    interrupted(folder)
    with pytest.raises(UsageError) as caught, RunBuilder(folder, resume=True) as run:
        run.begin(CONFIG, "sha256:01")
    assert caught.value.code == "run.other_data"


def test_a_broken_unfinished_run_is_a_run_error(folder):
    interrupted(folder)
    (folder.parent / "first.pidreg.partial" / "config.yaml").write_bytes(b"\xff")
    with pytest.raises(RunError, match=r"config\.yaml"), RunBuilder(folder, resume=True) as run:
        run.begin(CONFIG, DATA)


def test_a_foreign_partial_folder_is_left_alone(folder):
    partial = folder.parent / "first.pidreg.partial"
    partial.mkdir()
    (partial / "mine.txt").write_text("mine")
    assert refusal(folder, force=True).code == "run.not_a_run"
    assert refusal(folder, resume=True).code == "run.not_a_run"


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
