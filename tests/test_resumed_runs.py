"""Runs that broke off: what is kept of them, and how they go on."""

from __future__ import annotations

import pytest

from pidreg_cli.errors import DataError, RunError, UsageError
from pidreg_cli.information.errors import ConstantTargetError
from pidreg_cli.runs import RunBuilder
from tests.run_folders import (
    CONFIG,
    DATA,
    begin_and_refuse,
    complete,
    fail_without_checkpoint,
    interrupted,
    names,
    refusal,
)


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "first.pidreg"


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
