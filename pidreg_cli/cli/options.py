"""Arguments and options that commands share: one name, one meaning, one help text each."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from pidreg_cli.devices import RULE, is_device


class ReportFormat(StrEnum):
    """How a report is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def whole_number(text: str) -> int:
    """The number that ``text`` writes out.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a whole number") from None


def thread_count(text: str) -> int:
    """The number of threads that ``text`` writes out.

    Raises:
        typer.BadParameter: it is none, or below 1.
    """
    found = whole_number(text)
    if found < 1:
        raise typer.BadParameter(f"{text} is not a number of threads; it must be at least 1")
    return found


def device_name(text: str) -> str:
    """The device that ``text`` names.

    Raises:
        typer.BadParameter: it can be none.
    """
    if not is_device(text):
        raise typer.BadParameter(f"{text!r} is no device; it must be {RULE}")
    return text


def number_or_word(text: str | None) -> int | str | None:
    """A whole number as such, anything else as it is."""
    return int(text) if text is not None and text.isdecimal() else text


Data: TypeAlias = Annotated[
    list[str],
    typer.Argument(metavar="DATA", help="Parquet files, a folder of them (plain or hive) or a glob."),
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="RUN", help="Run folder. Default: <stem>.pidreg in this folder."),
]
Modalities: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="Modalities by the naming convention: column a (a list), else columns a__*, a.*, a_*.",
    ),
]
Modality: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=GLOB[,GLOB...]",
        help="A modality by its columns; '\"b,c\",d' where a name holds a comma. Repeatable.",
    ),
]
Target: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column to predict. Default: target.")
]
Identifier: TypeAlias = Annotated[
    str | None,
    typer.Option("--id", metavar="COLUMN", help="Row identifier. Default: id, else the row number."),
]
Group: TypeAlias = Annotated[
    str | None,
    typer.Option(metavar="COLUMN", help="Rows that belong together stay on one side of any split."),
]
SplitColumn: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Column with train, valid, test. Default: split.")
]
Preset: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="fast, balanced (default), thorough, or paper (the published setting)."
    ),
]
Config: TypeAlias = Annotated[
    Path | None, typer.Option(metavar="FILE", help="YAML with any keys of the configuration.")
]
Assignments: TypeAlias = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Set one key, such as stage1.max_epochs=20. Repeatable."),
]
Folds: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="auto|K",
        help="Score every row by a model that did not see it. Default auto: 5 folds under 2,000 rows.",
    ),
]
Seed: TypeAlias = Annotated[
    int | None, typer.Option(parser=whole_number, metavar="N", help="Seed of everything random. Default: 0.")
]
Threads: TypeAlias = Annotated[
    int | None,
    typer.Option(parser=thread_count, metavar="N", help="CPU threads, of each process. Default: all cores."),
]
Device: TypeAlias = Annotated[
    str | None,
    typer.Option(parser=device_name, metavar="auto|cpu|cuda[:I]", help="Where to train. Default: auto."),
]
Memory: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="LIMIT",
        help="Most memory, such as 2GB: a table that needs more is read in parts. Default: what the machine has.",
    ),
]
Format: TypeAlias = Annotated[
    ReportFormat, typer.Option("--format", help="How the report is printed on stdout.")
]
Resume: TypeAlias = Annotated[
    bool, typer.Option("--resume", help="Continue the unfinished run, if there is one.")
]
Force: TypeAlias = Annotated[
    bool, typer.Option("--force", help="Replace what exists, once the new one is complete.")
]
NoHeldout: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-heldout",
        help="Leave what is kept of single rows (heldout.parquet, evidence.safetensors) out of the run.",
    ),
]
NoProgress: TypeAlias = Annotated[bool, typer.Option("--no-progress", help="Draw no progress.")]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option("--quiet", "-q", help="Print no result, notices or progress; warnings and errors stay."),
]
Verbose: TypeAlias = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print the resolved settings and a line per epoch.")
]
Debug: TypeAlias = Annotated[bool, typer.Option("--debug", help="Print the traceback of an error.")]
