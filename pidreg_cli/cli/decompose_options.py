"""Arguments and options of ``pidreg decompose`` alone."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from pidreg_cli.cli.options import ReportFormat, device_name, thread_count, whole_number


class MeasureName(StrEnum):
    """Measures of unique, redundant and synergistic information."""

    BROJA = "broja"
    MMI = "mmi"
    DEP = "dep"
    IG = "ig"
    CCS = "ccs"


class EstimatorName(StrEnum):
    """How information is estimated."""

    HELDOUT = "heldout"
    DEBIASED = "debiased"
    PLUGIN = "plugin"


class InteractionsName(StrEnum):
    """What readouts hold beside codes or features."""

    PRODUCTS = "products"
    NONE = "none"


class UnitsName(StrEnum):
    """Units of information."""

    BITS = "bits"
    NATS = "nats"


def number(text: str) -> float:
    """The number that ``text`` writes out.

    Raises:
        typer.BadParameter: it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is not a number") from None


Inputs: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN [DATA...]",
        help="A run folder; labelled rows after it are read by its model. With --no-model: DATA alone.",
    ),
]
NoModel: TypeAlias = Annotated[
    bool,
    typer.Option("--no-model", help="Decompose the features of DATA themselves: in seconds, without a fit."),
]
Measure: TypeAlias = Annotated[
    MeasureName | None,
    typer.Option(
        help="Of the headline. dep, ig and ccs take two modalities, or one and the rest. Default: as the run, or broja."
    ),
]
Estimator: TypeAlias = Annotated[
    EstimatorName,
    typer.Option(help="heldout: a lower bound; debiased: covariances less their bias; plugin: as published."),
]
Interactions: TypeAlias = Annotated[
    InteractionsName | None,
    typer.Option(
        help="products: of codes or leading scores, too; none: straight lines. Default: as the run, or products."
    ),
]
Confidence: TypeAlias = Annotated[
    float | None,
    typer.Option(
        "--ci", parser=number, metavar="C", help="Confidence of intervals. Default: 0.95, or the run's."
    ),
]
Units: TypeAlias = Annotated[UnitsName, typer.Option(help="Of every information in the report.")]
Covariates: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="Columns that are known anyway: everything is told beyond them. Needs DATA. '\"b,c\",d' where a name "
        "holds a comma.",
    ),
]
PerRow: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--per-row", metavar="FILE", help="Write the information of each row, Parquet or CSV by suffix."
    ),
]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option("--output", "-o", metavar="FILE", help="Write the report here instead of printing it."),
]
Format: TypeAlias = Annotated[
    ReportFormat | None,
    typer.Option("--format", help="Default: by the suffix of -o (.json, .md, .txt), else text."),
]
Device: TypeAlias = Annotated[
    str | None,
    typer.Option(
        parser=device_name, metavar="auto|cpu|cuda[:I]", help="Where the model reads DATA. Default: auto."
    ),
]
Seed: TypeAlias = Annotated[
    int | None,
    typer.Option(parser=whole_number, metavar="N", help="Seed of folds and draws. Default: the run's, or 0."),
]
Threads: TypeAlias = Annotated[
    int | None,
    typer.Option(
        parser=thread_count, metavar="N", help="CPU threads. Default: the run's; all cores with DATA."
    ),
]
Verbose: TypeAlias = Annotated[bool, typer.Option("--verbose", "-v", help="Print a line per pass.")]
