"""``pidreg synth``: tables whose atoms are known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli.console import Console
from pidreg_cli.errors import UsageError


class _Request(NamedTuple):
    rows: int
    seed: int
    mixing: str


def synth(
    context: typer.Context,
    system: Annotated[str | None, typer.Argument(metavar="SYSTEM", help="Which system; see --list.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", "-o", metavar="FILE", help="Parquet file; its truth goes to FILE's .truth.json."
        ),
    ] = None,
    rows: Annotated[
        int, typer.Option(parser=options.whole_number, metavar="N", help="Number of rows.")
    ] = 2000,
    seed: Annotated[
        int, typer.Option(parser=options.whole_number, metavar="N", help="Seed of the rows.")
    ] = 0,
    mixing: Annotated[
        str,
        typer.Option(
            metavar="mild|medium|strong",
            help="How far the features fold the latents over each other. The truth stays the same.",
        ),
    ] = "mild",
    listing: Annotated[bool, typer.Option("--list", help="Describe the systems.")] = False,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Write a table with known atoms, and the truth about it.

    Example: pidreg synth synergy -o synergy.parquet --rows 5000 --seed 1
    """
    console: Console = context.obj
    console.listen(quiet=quiet, debug=debug)
    if listing:
        console.result(_descriptions())
        return
    if system is None or output is None:
        raise UsageError(
            "synth.arguments", "synth needs a SYSTEM and -o FILE", "pidreg synth --list describes the systems"
        )
    _write(console, system, output, _Request(rows, seed, mixing), force)


def _descriptions() -> str:
    from pidreg_cli.data.synthetic import SYSTEMS

    width = max(map(len, SYSTEMS))
    return "\n".join(f"{name:<{width}}  {system.description}" for name, system in SYSTEMS.items())


def _write(console: Console, system: str, output: Path, request: _Request, force: bool) -> None:
    from pidreg_cli.data.synthetic import (
        generate,
        refuse_existing,
        refuse_suffix,
        truth_path,
        write_synthetic,
    )

    refuse_suffix(output)
    if not force:
        refuse_existing(output)
    write_synthetic(generate(system, *request), output, force)
    console.notice(f"wrote {output} ({request.rows} rows) and {truth_path(output)}")
