"""Files that a command is to write: refused before any work where they cannot or must not be written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from pathlib import Path

from pidreg_cli.atomic import atomic_write_text, refuse_odd_file
from pidreg_cli.cli.console import Console
from pidreg_cli.errors import OutputError, UsageError


def check_outputs(outputs: Iterable[Path | None], inputs: Sequence[str], *, force: bool) -> None:
    """Check every output that was asked for, None for those that were not.

    Raises:
        UsageError: two are the same file, one is an input, a link or a folder, or exists and there is no ``force``.
        OutputError: there is no folder to write it to.
    """
    asked = [path for path in outputs if path is not None]
    for one, other in combinations(asked, 2):
        if one.resolve() == other.resolve():
            raise UsageError(
                "output.twice", f"{one} is asked for twice", "give each output a name of its own"
            )
    read = {Path(one).resolve() for one in inputs}
    for path in asked:
        refuse_odd_file(path)
        if path.resolve() in read:
            raise UsageError("output.is_input", f"{path} is an input", "give another name")
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


def write_result(console: Console, text: str, output: Path | None) -> None:
    """Print the result, or write it to the file and say so. Raises OutputError."""
    if output is None:
        console.result(text)
        return
    atomic_write_text(output, text)
    console.notice(f"wrote {output}")
