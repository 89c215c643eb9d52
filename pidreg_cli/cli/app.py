"""The program ``pidreg``: its commands, and the process around them."""

from __future__ import annotations

import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Annotated, NoReturn

import typer

from pidreg_cli.cli.check import check
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.decompose import decompose
from pidreg_cli.cli.fit import fit
from pidreg_cli.cli.outcome import Terminated, fail
from pidreg_cli.cli.prepare import prepare
from pidreg_cli.cli.schema import schema
from pidreg_cli.cli.synth import synth
from pidreg_cli.errors import ExitStatus
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
app.command()(check)
app.command()(synth)
app.command()(schema)


def _version(asked: bool) -> None:
    if asked:
        typer.echo(f"pidreg {__version__}")
        raise typer.Exit


@app.callback()
def pidreg(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Which of your data sources matter: partial information decomposition of multimodal tables."""


def main(arguments: Sequence[str] | None = None, console: Console | None = None) -> int:
    """Run the program; its exit status. By default with the arguments and the streams of the process."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    console = console or Console.of_process()
    try:
        with _raising_on_sigterm(), warnings.catch_warnings():
            warnings.showwarning = _library_warnings(console)
            status = _run(arguments, console)
            console.flush()
    # Every way to end becomes an exit status here, and nowhere else.
    except BaseException as error:
        return int(fail(console, error, arguments))
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
        signal.signal(signal.SIGTERM, previous)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    raise Terminated
