"""Arguments and options of ``pidreg predict`` alone."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from pidreg_cli.cli.options import device_name


def share(text: str) -> float:
    """The number that ``text`` writes out, between 0 and 1.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        found = float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None
    if not 0 < found < 1:
        raise typer.BadParameter(
            f"{text} is not between 0 and 1; 0.9 means that nine rows in ten are covered"
        )
    return found


Run: TypeAlias = Annotated[Path, typer.Argument(metavar="RUN", help="A run folder that pidreg fit wrote.")]
Inputs: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="DATA...", help="Parquet or CSV/TSV (.gz) files of one table, a folder or a glob."
    ),
]
Output: TypeAlias = Annotated[
    str | None,
    typer.Option("--output", "-o", metavar="FILE", help="Parquet or CSV, by suffix; - is CSV on stdout."),
]
Interval: TypeAlias = Annotated[
    float,
    typer.Option(parser=share, metavar="LEVEL", help="Share of rows that intervals cover. Default: 0.9."),
]
Explain: TypeAlias = Annotated[
    bool, typer.Option("--explain", help="Add what each modality does to the prediction of each row.")
]
Use: TypeAlias = Annotated[
    str | None, typer.Option(metavar="A,B,...", help="Predict from these modalities alone.")
]
Identifier: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="COLUMN", help="Row identifier. Default: that of the run, else the row number."
    ),
]
Report: TypeAlias = Annotated[
    Path | None,
    typer.Option("--report", metavar="FILE", help="Write counts, drift and, with a target, metrics as JSON."),
]
Device: TypeAlias = Annotated[
    str,
    typer.Option(parser=device_name, metavar="auto|cpu|cuda[:I]", help="Where to predict. Default: auto."),
]
Verbose: TypeAlias = Annotated[bool, typer.Option("--verbose", "-v", help="Print more on stderr.")]
