"""The program ``pidreg``: its commands, and the process around them."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType
from typing import Annotated, NoReturn

import typer

from pidreg_cli.cli.check import check
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.decompose import decompose
from pidreg_cli.cli.fit import fit
from pidreg_cli.cli.outcome import Terminated, fail
from pidreg_cli.cli.predict import predict
from pidreg_cli.cli.prepare import prepare
from pidreg_cli.cli.report import report
from pidreg_cli.cli.schema import schema
from pidreg_cli.cli.select_modalities import select_modalities
from pidreg_cli.cli.synth import synth
from pidreg_cli.cli.together import fail_together
from pidreg_cli.errors import ExitStatus, UsageError
from pidreg_cli.place import Place
from pidreg_cli.version import __version__

# Without markup no help or error passes through rich, which writes escape codes into pipes where it sees CI.
app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.command()(prepare)
app.command()(fit)
app.command()(decompose)
app.command()(select_modalities)
app.command()(predict)
app.command()(check)
app.command()(report)
app.command()(synth)
app.command()(schema)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"pidreg {__version__}")
        raise typer.Exit


@app.callback()
def pidreg(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which of your data sources matter: partial information decomposition of multimodal tables."""
    place = Place.of_environment()
    if not (place.alone or context.invoked_subcommand == "fit"):
        raise UsageError(
            "usage.processes",
            f"{context.invoked_subcommand} is work for one process, and {place.size} were started",
            f"run pidreg {context.invoked_subcommand} without torchrun (or unset WORLD_SIZE)",
        )


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Run the program; its exit status. By default with the arguments and the streams of the process."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    console = heard = console or Console.of_process()
    place = Place()
    with _raising_on_sigterm():
        try:
            place = Place.of_environment()
            heard = console if place.first else console.silent()
            with warnings.catch_warnings():
                warnings.showwarning = _library_warnings(heard)
                status = _run(arguments, heard)
                heard.flush()
        # Every way to end becomes an exit status here, and nowhere else.
        except BaseException as error:
            if place.alone:
                return int(fail(console, error, arguments))
            return int(fail_together(place, replace(heard, stderr=console.stderr), error, arguments))
    return status


def _run(arguments: list[str], console: Console) -> int:
    command = typer.main.get_command(app)
    try:
        with command.make_context("pidreg", arguments, obj=console) as context:
            command.invoke(context)
    except typer.Exit as end:
        return end.exit_code
    return int(ExitStatus.DONE)


def _library_warnings(console: Console) -> Callable[..., None]:
    """Warnings of libraries speak to developers: details, not warnings about the user's data."""

    def show(message: Warning | str, category: type[Warning], *place: object) -> None:
        console.detail(f"{category.__name__}: {message}")

    return show


@contextmanager
def _raising_on_sigterm() -> Iterator[None]:
    """Let SIGTERM unwind the program as Ctrl-C does, so that files and locks are left in order."""
    previous = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    finally:
        # Not where it is ignored by now, to the end.
        if signal.getsignal(signal.SIGTERM) is _terminate:
            signal.signal(signal.SIGTERM, previous)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
