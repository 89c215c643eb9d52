"""Files that a command is to write: refused before any work where they cannot or must not be written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import combinations
from pathlib import Path

from pidreg_cli.atomic import atomic_write_text, refuse_odd_file
from pidreg_cli.cli.console import Console
from pidreg_cli.data.formats import PARQUET
from pidreg_cli.data.reading_again import RUNS, reads
from pidreg_cli.errors import OutputError, UsageError

STDOUT = "-"


def check_outputs(
    outputs: Iterable[Path | None], inputs: Sequence[str], *, force: bool, suffixes: tuple[str, ...] = PARQUET
) -> None:
    """Check every output that was asked for, None for those that were not. ``suffixes``: of files read in folders.

    Raises:
        UsageError: two are the same file, one is an input, or would be the next time, or is within a run that is read,
            a link or a folder, or exists and there is no ``force``.
        OutputError: there is no folder to write it to.
    """
    asked = [path for path in outputs if path is not None]
    for one, other in combinations(asked, 2):
        if one.resolve() == other.resolve():
            raise UsageError(
                "output.twice", f"{one} is asked for twice", "give each output a name of its own"
            )
    for path in asked:
        if str(path) == STDOUT:
            raise UsageError(
                "output.name",
                "'-' is no name for a file here",
                "give the name of a file, or leave the option out",
            )
        refuse_odd_file(path)
        for given in filter(None, inputs):
            # What cannot be looked at cannot be read: that is told where it is tried.
            with suppress(OSError):
                _refuse_input(path, given, suffixes)
        _check_free(path, force=force)


def _check_free(path: Path, *, force: bool) -> None:
    """Refuse a folder, what exists without ``force``, and what has no folder."""
    if path.is_dir():
        raise UsageError("output.is_folder", f"{path} is a folder", "give the name of a file")
    if path.exists() and not force:
        raise UsageError(
            "output.exists", f"{path} already exists", "give another name, or --force to replace it"
        )
    if not path.parent.is_dir():
        raise OutputError(
            "output.no_folder",
            f"There is no folder '{path.parent}' to write {path.name} to.",
            "Make it first.",
        )


def _refuse_input(path: Path, given: str, suffixes: tuple[str, ...]) -> None:
    """Refuse to replace what is read, and to write what would be read when the command is repeated."""
    from pidreg_cli.runs import holds_run

    if path.resolve() == Path(given).resolve():
        raise UsageError("output.is_input", f"{path} is an input", "give another name")
    if holds_run(Path(given)):
        if path.resolve().is_relative_to(Path(given).resolve()):
            raise UsageError(
                "output.in_run",
                f"{path} is within the run {given}, which is read",
                "write it outside the run",
            )
    elif reads(given, path, suffixes):
        what = "is an input" if path.exists() else "would be an input the next time"
        raise UsageError(
            "output.is_input",
            f"{path} {what}: {given} takes it in",
            "give another name, or another folder",
        )


def check_run_outside(run: Path, inputs: Sequence[str]) -> None:
    """Refuse a run folder whose rows would be taken in with the inputs the next time. Raises UsageError."""
    remedy = "put it elsewhere"
    if not run.name.endswith(RUNS[0]):
        remedy += f", or name it {run.name}{RUNS[0]}, which is passed over"
    for given in filter(None, inputs):
        with suppress(OSError):
            if reads(given, run / "rows.parquet", PARQUET):
                raise UsageError(
                    "output.is_input",
                    f"{run} lies in what {given} takes in, and would be an input the next time",
                    remedy,
                )


def check_result(
    console: Console, output: Path | None, inputs: Sequence[str], *, force: bool, beside: Path | None = None
) -> None:
    """Check where the result goes, and what is written beside it.

    Raises:
        UsageError: as of ``check_outputs``.
        OutputError: as of ``check_outputs``, or the result goes to stdout, which is closed.
    """
    check_outputs([output, beside], inputs, force=force)
    if output is None:
        console.check_stdout()


def write_result(console: Console, text: str, output: Path | None) -> None:
    """Print the result, or write it to the file and say so. Raises OutputError."""
    if output is None:
        console.result(text)
        return
    atomic_write_text(output, text)
    console.notice(f"wrote {output}")
