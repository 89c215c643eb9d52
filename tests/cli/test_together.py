"""How several processes of one command end: what each of them says."""

from __future__ import annotations

import io
import signal

import pytest

from pidreg_cli.cli.console import Console
from pidreg_cli.cli.outcome import Terminated
from pidreg_cli.cli.together import fail_together
from pidreg_cli.errors import ExitStatus, ProcessError
from pidreg_cli.place import Place
from pidreg_cli.training import torchrun

RESUME = "--resume continues from the last finished epoch"


def told(monkeypatch: pytest.MonkeyPatch, place: Place, error: BaseException, *, first: bool = True) -> str:
    monkeypatch.setattr(torchrun, "tell", lambda place, status: (status, first))
    console = Console(io.StringIO(), io.StringIO())
    before = signal.getsignal(signal.SIGTERM)
    try:
        status = fail_together(place, console, error, [])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert status == (
        ExitStatus.INTERRUPTED if isinstance(error, KeyboardInterrupt) else ProcessError("", "", "").status
    )
    assert isinstance(console.stderr, io.StringIO)
    return console.stderr.getvalue()


def test_whichever_is_interrupted_first_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    follower = told(monkeypatch, Place(1, 2, 1, 2), KeyboardInterrupt())
    assert "interrupted" in follower
    assert RESUME in follower
    # The first has a note of the run itself, where there is something to go on from.
    assert RESUME not in told(monkeypatch, Place(0, 2, 0, 2), KeyboardInterrupt())


def test_who_is_ended_by_torchrun_says_so_unless_another_has_spoken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ended by torchrun" in told(monkeypatch, Place(1, 2, 1, 2), Terminated())
    assert told(monkeypatch, Place(1, 2, 1, 2), Terminated(), first=False) == ""
