"""A saved report from where people have it: a file, a run folder, or standard input."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from pidreg_cli.errors import RunError
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.serialise import from_json

REPORT = "report.json"
STDIN = "-"


def read_report(place: str, stdin: BinaryIO) -> Report:
    """The report at ``place``: the path of a report or of a run folder, or ``-`` for what ``stdin`` holds.

    Raises RunError where there is none, or it cannot be read.
    """
    return from_json(_content(place, stdin), source_name(place))


def source_name(place: str) -> str:
    """How messages call the report."""
    return "standard input" if place == STDIN else str(_file(place))


def _file(place: str) -> Path:
    path = Path(place)
    return path / REPORT if path.is_dir() else path


def _content(place: str, stdin: BinaryIO) -> bytes:
    try:
        return stdin.read() if place == STDIN else _file(place).read_bytes()
    except OSError as error:
        raise RunError(
            "report.missing",
            f"{source_name(place)} cannot be read: {error.strerror or error}",
            "give a report.json, a run folder, or - for standard input",
        ) from error
