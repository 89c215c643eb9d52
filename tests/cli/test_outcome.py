from __future__ import annotations

import errno
import io
import json
import threading

import duckdb
import pyarrow as pa
import pytest
import torch

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.outcome import Terminated, asks_for_json, fail, failure_of
from pidreg_cli.errors import (
    DataError,
    ExitStatus,
    OutputError,
    RunError,
    TrainingError,
    UsageError,
)
from pidreg_cli.information.errors import ShapeError


@pytest.fixture
def console():
    return Console(io.StringIO(), io.StringIO())


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (UsageError("u.x", "m", "h"), 2, "u.x"),
        (DataError("data.x", "m", "h"), 3, "data.x"),
        (ShapeError("m", "h"), 3, "information.shape"),
        (RunError("run.x", "m", "h"), 4, "run.x"),
        (TrainingError("training.x", "m", "h"), 5, "training.x"),
        (OutputError("output.x", "m", "h"), 6, "output.x"),
        (OSError(errno.ENOSPC, "No space left on device"), 6, "output.not_written"),
        (PermissionError(errno.EACCES, "Permission denied", "run"), 6, "output.not_written"),
        (OSError(errno.EROFS, "Read-only file system"), 6, "output.not_written"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, "output.closed_pipe"),
        (Terminated(), 143, "terminated"),
        (MemoryError(), 3, "data.memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried"), 3, "data.memory"),
        (ImportError("libx.so: failed to map segment from shared object"), 3, "data.memory"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), 3, "data.memory"),
        (torch.OutOfMemoryError("CUDA out of memory."), 3, "data.memory"),
        (pa.ArrowMemoryError("malloc of size 64 failed"), 3, "data.memory"),
        (duckdb.OutOfMemoryException("failed to pin block"), 3, "data.memory"),
        (RuntimeError("lost"), 70, "bug"),
        (KeyError("lost"), 70, "bug"),
        (ValueError("lost"), 70, "bug"),
        (OSError(errno.EBADF, "Bad file descriptor"), 70, "bug"),
        (RecursionError(), 70, "bug"),
    ],
)
def test_every_end_has_its_status_and_code(error, status, code):
    failure = failure_of(error)
    assert failure.status == ExitStatus(status)
    assert failure.code == code
    assert failure.message


class Signalled(threading.Condition):
    """A signal arrives between the steps of a wait, when the lock is free and nothing restores it yet."""

    def __init__(self, signal):
        super().__init__()
        self.signal = signal

    def wait(self, timeout=None):
        self.release()
        raise self.signal


@pytest.mark.parametrize(("signal", "status"), [(KeyboardInterrupt(), 130), (Terminated(), 143)])
def test_a_lock_that_a_signal_left_released_is_no_bug(signal, status):
    condition = Signalled(signal)
    with pytest.raises(RuntimeError) as caught, condition:
        condition.wait()
    assert caught.value.__context__ is signal
    assert failure_of(caught.value).status == ExitStatus(status)


def test_errors_without_a_signal_before_them_stay_bugs():
    error, other = RuntimeError("lost"), ValueError("before")
    error.__context__, other.__context__ = other, error
    assert failure_of(error).code == "bug"


def test_a_message_is_the_error_then_its_hints(console):
    error = DataError("data.target", "no column 'y'", "use --target")
    error.add_note("x.partial keeps what was done")
    assert fail(console, error, []) is ExitStatus.DATA
    assert console.stderr.getvalue() == (
        "error: no column 'y'\nhint: use --target\nhint: x.partial keeps what was done\n"
    )
    assert console.stdout.getvalue() == ""


def test_a_bug_says_so_and_how_to_report_it(console):
    fail(console, KeyError("lost"), [])
    text = console.stderr.getvalue()
    assert "this is a bug in pidreg" in text
    assert "KeyError: 'lost'" in text
    assert "--debug" in text
    assert "Traceback" not in text


def test_the_traceback_is_there_for_debug_only(console):
    console.debug = True
    try:
        raise DataError("data.x", "broken")
    except DataError as error:
        fail(console, error, [])
    text = console.stderr.getvalue()
    assert text.startswith("Traceback")
    assert text.endswith("error: broken\n")


def test_the_object_on_stderr_is_one_line_with_the_same_texts(console):
    fail(console, DataError("data.x", "two\nlines é", "do this"), ["fit", "x", "--format", "json"])
    last = console.stderr.getvalue().splitlines()[-1]
    assert json.loads(last) == {"error": {"code": "data.x", "message": "two\nlines é", "hint": "do this"}}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--format", "json"], True),
        (["x", "--format=json", "y"], True),
        (["--format", "text"], False),
        (["json", "--format"], False),
        ([], False),
    ],
)
def test_format_json_is_found_in_arguments_that_may_not_parse(arguments, expected):
    assert asks_for_json(arguments) is expected


class Full(io.StringIO):
    """A stream on a full disk."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_an_error_that_cannot_be_told_still_has_its_status():
    assert fail(Console(io.StringIO(), Full()), DataError("data.x", "m"), []) is ExitStatus.DATA


def test_the_program_runs_on_any_console(console):
    assert main(["schema", "config"], console) == 0
    assert json.loads(console.stdout.getvalue())["title"] == "pidreg configuration"
    assert console.stderr.getvalue() == ""


def test_the_program_returns_the_status_of_a_failure(console):
    assert main(["schema", "nonsense"], console) == 2
    assert console.stdout.getvalue() == ""
    assert "nonsense" in console.stderr.getvalue()
