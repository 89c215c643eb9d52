"""How several processes of one command end: with one status, and explained once."""

from __future__ import annotations

import signal
from collections.abc import Sequence

from pidreg_cli.cli.console import Console
from pidreg_cli.cli.outcome import Terminated, fail, failure_of
from pidreg_cli.errors import ExitStatus, ProcessError
from pidreg_cli.place import Place


def fail_together(
    place: Place, console: Console, error: BaseException, arguments: Sequence[str]
) -> ExitStatus:
    """Tell the user about ``error`` unless another process has told of its own; the status of all processes."""
    # torchrun ends the others as soon as one has failed: that must not keep this one from saying why.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if isinstance(error, Terminated):
        error = _ended(error)
    elif isinstance(error, KeyboardInterrupt) and not place.first:
        error.add_note("--resume continues from the last finished epoch, if there is one")
    from pidreg_cli.training.torchrun import tell

    status, explains = tell(place, failure_of(error).status)
    if explains:
        fail(console, error, arguments)
    return status


def _ended(error: Terminated) -> ProcessError:
    """SIGTERM, as torchrun sends it."""
    found = ProcessError(
        "processes.ended",
        "ended by torchrun: another process of this fit ended before its time, or the whole was stopped",
        "--resume continues from the last finished epoch, with as many processes as you like",
    )
    for note in getattr(error, "__notes__", []):
        found.add_note(note)
    return found
