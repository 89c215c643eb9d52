"""Arguments and options of ``pidreg select-modalities`` alone."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from pidreg_cli.cli.decompose_options import number
from pidreg_cli.errors import UsageError


class RuleName(StrEnum):
    """When a smaller set is good enough."""

    TOLERANCE = "tolerance"
    ONE_SE = "one-se"


def named_costs(texts: Sequence[str]) -> dict[str, float]:
    """``name=value`` of each text.

    Raises:
        UsageError: no such pair, a value that is no number, or a name given twice.
    """
    costs: dict[str, float] = {}
    for text in texts:
        # Names may hold no equals sign, so the first one ends the name.
        name, _, value = text.partition("=")
        try:
            cost = float(value)
        except ValueError:
            raise UsageError(
                "usage.cost", f"--cost {text!r}: not NAME=NUMBER", "write --cost mri=1200"
            ) from None
        if name.strip() in costs:
            raise UsageError("usage.cost", f"--cost gives {name.strip()!r} twice", "give one cost a modality")
        costs[name.strip()] = cost
    return costs


Inputs: TypeAlias = Annotated[
    list[str],
    typer.Argument(
        metavar="RUN|DATA...",
        help="A run folder, with --verify or --covariates a table after it; or a table, which is fitted first "
        "(not with --no-model).",
    ),
]
Tolerance: TypeAlias = Annotated[
    float | None,
    typer.Option(
        parser=number, metavar="SHARE", help="Share of RMSE that a smaller set may lose. Default: 0.01."
    ),
]
Rule: TypeAlias = Annotated[
    RuleName | None,
    typer.Option(help="tolerance (default), or one-se: within one standard error of the best set."),
]
Budget: TypeAlias = Annotated[
    float | None,
    typer.Option(parser=number, metavar="X", help="Recommend no set that costs more than this."),
]
Cost: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(metavar="NAME=VALUE", help="What a modality costs. Default: 1 each. Repeatable."),
]
Verify: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verify",
        help="Retrain the recommended set, compare it with all: on test rows, or with folds on the rows that chose.",
    ),
]
NoModel: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--no-model", help="Choose by readouts of the features, without a fit; up to 30 modalities."
    ),
]
Covariates: TypeAlias = Annotated[
    str | None,
    typer.Option(
        metavar="A,B,...",
        help="Columns that are always known and cost nothing: modalities are judged beyond "
        "them. Of a run, give its table too. '\"b,c\",d' where a name holds a comma.",
    ),
]
KeepRun: TypeAlias = Annotated[
    Path | None, typer.Option("--run", metavar="RUN", help="Keep the fit of DATA in this run folder.")
]
Resume: TypeAlias = Annotated[
    bool, typer.Option("--resume", help="Continue the unfinished run of --run, if there is one.")
]
