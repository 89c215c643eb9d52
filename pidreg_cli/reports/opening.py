"""A saved report from where people have it: a file, a run folder, or standard input."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO

from pidreg_cli.errors import RunError
from pidreg_cli.limited_reading import limited_bytes, limited_stream
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.serialise import from_json

REPORT = "report.json"
STDIN = "-"
MOST_BYTES = 2**25  # of five modalities, with the most atoms, a report has two megabytes


def read_report(place: str, stdin: BinaryIO | None = None) -> Report:
    """The report at ``place``: the path of a report or of a run folder, or ``-`` for what ``stdin`` holds.

    ``stdin``: standard input of the process, if not given. Raises RunError where there is no report, or it cannot be
    read.
    """
    return from_json(_content(place, stdin), source_name(place))


def source_name(place: str) -> str:
    """How messages call the report."""
    return "standard input" if place == STDIN else str(_file(place))


def _file(place: str) -> Path:
    path = Path(place)
    return path / REPORT if path.is_dir() else path


def _content(place: str, stdin: BinaryIO | None) -> bytes:
    try:
        if place == STDIN:
            return limited_stream(stdin or _stdin(), MOST_BYTES)
        return limited_bytes(_file(place), MOST_BYTES)
    except (OSError, ValueError) as error:
        raise RunError(
            "report.missing",
            f"{source_name(place)} cannot be read: {getattr(error, 'strerror', None) or error}",
            "give a report.json, a run folder, or - for standard input",
        ) from error


def _stdin() -> BinaryIO:
    """Standard input. Raises ValueError where it was closed before the start."""
    if sys.stdin is None:
        raise ValueError("it is closed")
    return sys.stdin.buffer
