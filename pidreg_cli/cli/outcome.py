"""The one place that turns how a command ended into an exit status and a message."""

from __future__ import annotations

import errno
import json
import re
import traceback
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise

import typer

from pidreg_cli.cli.console import Console
from pidreg_cli.errors import ExitStatus, PidregError
from pidreg_cli.information.errors import InformationError
from pidreg_cli.version import __version__

_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EFBIG, errno.EIO)

_NO_MEMORY = re.compile(
    r"can(no|')t allocate memory|out of memory|bad_alloc|failed to map segment", re.IGNORECASE
)


class Terminated(BaseException):
    """SIGTERM arrived."""


@dataclass(frozen=True)
class Failure:
    """How a command failed, ready to print."""

    status: ExitStatus
    code: str
    message: str
    hint: str = ""


def fail(console: Console, error: BaseException, arguments: Sequence[str]) -> ExitStatus:
    """Tell the user about ``error`` and return the exit status of the process."""
    failure = failure_of(error)
    if failure.status is not ExitStatus.CLOSED_PIPE:
        # Nobody is left to tell where stderr cannot be written either; the status still says it.
        with suppress(OSError):
            _tell(console, failure, error, json_too=asks_for_json(arguments))
    console.abandon_stdout()
    return failure.status


def failure_of(error: BaseException) -> Failure:
    """Exit status, code and texts of an error; the notes an error collected on its way belong to the hint."""
    failure = _failure(error)
    notes = getattr(error, "__notes__", [])
    hint = "\n".join(text for text in (failure.hint, *notes) if text)
    return Failure(failure.status, failure.code, failure.message, hint)


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether ``--format json`` is among the arguments, also where these could not be parsed."""
    return "--format=json" in arguments or ("--format", "json") in pairwise(arguments)


def _failure(error: BaseException) -> Failure:
    match error:
        case PidregError():
            return Failure(error.status, error.code, error.message, error.hint)
        case typer.TyperException():
            return _misused(error)
        case KeyboardInterrupt():
            return Failure(ExitStatus.INTERRUPTED, "interrupted", "interrupted")
        case Terminated():
            return Failure(ExitStatus.TERMINATED, "terminated", "terminated")
        case BrokenPipeError():
            return Failure(ExitStatus.CLOSED_PIPE, "output.closed_pipe", "the reader closed the pipe")
        case OSError() if error.errno in _OUTPUT_ERRORS:
            return _not_written(error)
        case _ if _lacks_memory(error):
            return _memory(error)
        case InformationError():
            return Failure(ExitStatus.DATA, error.code, error.message, error.hint)
    signalled = _signal_before(error)
    return _bug(error) if signalled is None else _failure(signalled)


def _signal_before(error: BaseException) -> BaseException | None:
    """The signal in whose wake an error was raised, if any.

    A signal is raised between any two steps. Between those of a wait for another thread it leaves a lock released that
    is released once more on the way out, and that error takes its place.
    """
    seen: set[int] = set()
    before = error.__context__
    while before is not None and id(before) not in seen:
        if isinstance(before, (KeyboardInterrupt, Terminated)):
            return before
        seen.add(id(before))
        before = before.__context__
    return None


def _misused(error: typer.TyperException) -> Failure:
    context = getattr(error, "ctx", None)
    command = "pidreg" if context is None else context.command_path
    # Typer checks values with pydantic and lets its prefix through.
    message = error.format_message().replace("Value error, ", "").rstrip(".")
    return Failure(ExitStatus.USAGE, "usage.arguments", message, f"{command} --help shows the usage")


def _not_written(error: OSError) -> Failure:
    message = f"{error.filename or 'the output'} could not be written: {error.strerror}"
    return Failure(ExitStatus.OUTPUT, "output.not_written", message, "free some space, or write elsewhere")


def _lacks_memory(error: BaseException) -> bool:
    """Whether memory ran out; every library says so in its own way, and is not imported to ask."""
    if isinstance(error, MemoryError) or getattr(error, "errno", None) == errno.ENOMEM:
        return True
    known = type(error).__name__ in ("OutOfMemoryError", "OutOfMemoryException")
    return known or (isinstance(error, (RuntimeError, ImportError)) and bool(_NO_MEMORY.search(str(error))))


def _memory(error: BaseException) -> Failure:
    what = str(error).strip().partition("\n")[0] or type(error).__name__
    hint = "give it more memory, fewer rows or columns, or a smaller network (--preset fast)"
    return Failure(ExitStatus.DATA, "data.memory", f"the data need more memory than there is: {what}", hint)


def _bug(error: BaseException) -> Failure:
    what = "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]
    return Failure(
        ExitStatus.BUG,
        "bug",
        f"this is a bug in pidreg {__version__}: {what}",
        "report it to the maintainers with the command line and the traceback that --debug prints",
    )


def _tell(console: Console, failure: Failure, error: BaseException, *, json_too: bool) -> None:
    if console.debug:
        console.error("".join(traceback.format_exception(error)).rstrip())
    console.error(f"error: {failure.message}")
    for line in failure.hint.splitlines():
        console.error(f"hint: {line}")
    if json_too:
        content = {"code": failure.code, "message": failure.message, "hint": failure.hint}
        console.error(json.dumps({"error": content}, ensure_ascii=False))
