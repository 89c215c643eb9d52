"""Where a prepared table and its sidecar go."""

from __future__ import annotations

from pathlib import Path

from pidreg_cli.atomic import refuse_odd_file
from pidreg_cli.errors import OutputError, UsageError

SUFFIXES = (".parquet", ".pq")


def sidecar_path(path: Path) -> Path:
    """``data.pidreg.json`` beside ``data.parquet``."""
    return path.with_name(f"{path.stem}.pidreg.json")


def check_output(path: Path, *, force: bool) -> None:
    """Raise UsageError for a name that promises another format, and for files that exist, without ``force``.

    Raises OutputError where there is no such folder: that must not show only when all is read.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "usage.output",
            f"{path} would hold Parquet; its name must end in {' or '.join(SUFFIXES)}",
            f"give -o {path.stem or 'data'}.parquet",
        )
    for file in (path, sidecar_path(path)):
        refuse_odd_file(file)
        if file.exists() and not force:
            raise UsageError(
                "output.exists", f"{file} already exists", "give another name, or --force to replace it"
            )
    if not path.parent.is_dir():
        raise OutputError(
            "output.no_folder",
            f"There is no folder '{path.parent}' to write {path.name} to.",
            "Make it first.",
        )
