"""Options of ``prepare`` alone, and what their texts mean."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from glob import glob
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli.modalities import column_names
from pidreg_cli.errors import UsageError


class JoinKind(StrEnum):
    """Which rows a join keeps."""

    LEFT = "left"
    INNER = "inner"
    OUTER = "outer"


class Duplicates(StrEnum):
    """What to do with rows whose key occurred before."""

    ERROR = "error"
    FIRST = "first"


class Split(StrEnum):
    """How rows are split."""

    AUTO = "auto"
    RANDOM = "random"
    GROUP = "group"
    TIME = "time"
    STRATIFIED = "stratified"
    NONE = "none"


Inputs: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="INPUT...",
        help="Parquet, CSV, TSV (also .gz), Feather; files, a folder, a glob or an address (s3://...). NAME=INPUT: "
        "the columns of the input are modality NAME.",
    ),
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Parquet file; a sidecar goes to FILE's .pidreg.json."
    ),
]
Key: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN[,COLUMN...]",
        help="Join the inputs by these columns, which all have; '\"b,c\",d' where a name holds a comma.",
    ),
]
Join: TypeAlias = Annotated[
    JoinKind, typer.Option("--join", help="Rows to keep: those of the first input, of all inputs, of any.")
]
DuplicateKeys: TypeAlias = Annotated[
    Duplicates, typer.Option("--duplicates", help="Keys that occur twice: refuse, or take the first row.")
]
OneHot: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="GLOB[,GLOB...]", help="Features that are categories, a column each. Texts are so unasked."
    ),
]
Ordinal: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN[=A,B,...]",
        help="A feature by its place in an order. Default: the alphabet's. Repeatable.",
    ),
]
CategoryLimit: TypeAlias = Annotated[
    int,
    typer.Option(
        parser=options.whole_number,
        metavar="N",
        help="Columns of a category; rarer values share the last one.",
    ),
]
Date: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN[=FORMAT]|NEW=YEAR,MONTH,DAY[,HOUR...]",
        help="A column of dates (ISO 8601, or as of strptime), or one put together. Repeatable.",
    ),
]
SplitKind: TypeAlias = Annotated[
    Split,
    typer.Option(
        "--split",
        help="70/10/20. Default auto: the table's split column, else by --group, else random.",
    ),
]
Time: TypeAlias = Annotated[
    str | None, typer.Option(metavar="COLUMN", help="Order of --split time. Default: the one --date.")
]
Keep: TypeAlias = Annotated[
    list[str] | None, typer.Option(metavar="GLOB[,GLOB...]", help="Keep columns without a role, too.")
]
NoDrop: TypeAlias = Annotated[
    bool, typer.Option("--no-drop", help="Keep constant, nearly empty and repeated columns.")
]
Delimiter: TypeAlias = Annotated[
    str | None, typer.Option(metavar="CHAR|tab", help="Of text files. Default: found out.")
]
Decimal: TypeAlias = Annotated[
    str | None, typer.Option(metavar=".|,", help="Decimal mark of text files. Default: found out.")
]
Missing: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="TEXT", help="A further spelling of a missing value in text files. Repeatable."),
]
Encoding: TypeAlias = Annotated[
    str | None, typer.Option(metavar="NAME", help="Of text files. Default: UTF-8, else found out.")
]
Like: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="Apply the recipe of a prepared table (or its sidecar) to these rows; no target needed.",
    ),
]
Verbose: TypeAlias = Annotated[
    bool, typer.Option("--verbose", "-v", help="Print a line for each pass over the rows.")
]
DryRun: TypeAlias = Annotated[bool, typer.Option("--dry-run", help="Print the plan, write nothing.")]


def named_input(text: str) -> tuple[str, str | None]:
    """Path and modality of ``NAME=INPUT``; of a text that names files as it stands, the text."""
    name, sign, path = text.partition("=")
    # '=' also is in the names of partitioned folders.
    if not sign or "/" in name or Path(text).exists() or glob(text):  # noqa: PTH207
        return text, None
    if not name or not path:
        raise UsageError("usage.input", f"input {text!r}: not NAME=INPUT", "write labs=labs.csv")
    return path, name


def parts_of(texts: Iterable[str] | None, option: str) -> tuple[str, ...]:
    """Parts of ``A,B`` of a repeatable option. Raises UsageError for an empty one, or quotes that do not pair."""
    return tuple(part for text in texts or () for part in column_names(f"--{option}", text))


def ordinal_columns(texts: Iterable[str] | None) -> dict[str, tuple[str, ...]]:
    """Columns with their values in order, or none. Raises UsageError for a repeated column or value."""
    orders: dict[str, tuple[str, ...]] = {}
    for text in texts or ():
        column, sign, values = text.partition("=")
        order = tuple(value.strip() for value in values.split(",")) if sign else ()
        if not column or column in orders or not all(order) or len(set(order)) < len(order):
            raise UsageError(
                "usage.ordinal",
                f"--ordinal {text!r}: not COLUMN or COLUMN=A,B,..., each once",
                "write --ordinal size=small,medium,large",
            )
        orders[column] = order
    return orders


def date_columns(texts: Iterable[str] | None) -> list[tuple[str, str | None, tuple[str, ...]]]:
    """Column, format and parts of each ``--date``. Raises UsageError for a repeated column or an empty text."""
    dates: list[tuple[str, str | None, tuple[str, ...]]] = []
    for text in texts or ():
        column, sign, rest = text.partition("=")
        if not column or (sign and not rest) or column in (name for name, _, _ in dates):
            raise UsageError(
                "usage.date",
                f"--date {text!r}: not COLUMN, COLUMN=FORMAT or NEW=YEAR,MONTH,DAY, each once",
                "write --date visit, --date 'visit=%d.%m.%Y' or --date when=year,month,day",
            )
        if "%" in rest or not sign:
            dates.append((column, rest or None, ()))
        else:
            dates.append((column, None, parts_of([rest], "date")))
    return dates
