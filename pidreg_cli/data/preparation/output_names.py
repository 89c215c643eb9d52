"""Where a prepared table and its sidecar go."""

from __future__ import annotations

from pathlib import Path

from pidreg_cli.errors import UsageError

SUFFIXES = (".parquet", ".pq")


def sidecar_path(path: Path) -> Path:
    """``data.pidreg.json`` beside ``data.parquet``."""
    return path.with_name(f"{path.stem}.pidreg.json")


def check_suffix(path: Path) -> None:
    """Raise UsageError for a name that promises another format."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "usage.output",
            f"{path} would hold Parquet; its name must end in {' or '.join(SUFFIXES)}",
            f"give -o {path.stem or 'data'}.parquet",
        )
