from __future__ import annotations

import io
import re

import pytest

from pidreg_cli.cli.console import Console
from pidreg_cli.cli.progress import open_progress, summary
from pidreg_cli.training.progress import EpochRecord

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def record(epoch: int, **changes) -> EpochRecord:
    values = {"model": "fold 1 of 2", "stage": 1, "epoch": epoch, "train_loss": 0.51234, "valid_loss": 0.4}
    return EpochRecord(**{**values, **changes})


def fit(console: Console) -> str:
    with open_progress(console) as progress:
        progress.begin("fold 1 of 2, stage 1", 3)
        progress.notice("target: y [bold]")
        progress.epoch(record(1, atoms={"unique.a": 0.25, "redundant": 0.0}))
        progress.warning("weights did not settle")
        progress.finish()
    return console.stderr.getvalue()


def test_in_a_pipe_there_are_notices_and_warnings_only():
    console = Console(io.StringIO(), io.StringIO())
    assert fit(console) == "note: target: y [bold]\nwarning: weights did not settle\n"
    assert console.stdout.getvalue() == ""


def test_verbose_has_a_line_per_epoch():
    console = Console(io.StringIO(), io.StringIO(), verbose=True)
    lines = fit(console).splitlines()
    assert lines[0] == "fold 1 of 2, stage 1: at most 3 epochs"
    expected = "loss 0.5123, validation 0.4000; bits: unique.a 0.25, redundant 0.00"
    assert lines[2] == f"fold 1 of 2, stage 1, epoch 1: {expected}"


def test_losses_stand_alone_where_no_atoms_were_computed():
    assert summary(record(2, stage=2)) == "loss 0.5123, validation 0.4000"


@pytest.mark.parametrize("no_color", [False, True])
def test_on_a_terminal_a_bar_shows_where_the_fit_is(monkeypatch, no_color):
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    console = Console(io.StringIO(), Terminal())
    text = fit(console)
    plain = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", text)
    assert "note: target: y [bold]" in plain
    assert "warning: weights did not settle" in plain
    assert "fold 1 of 2, stage 1" in plain
    coloured = [code for code in COLOUR.findall(text) if re.search(r"\b[349]\d\b|\b38;|\b48;", code)]
    assert bool(coloured) is not no_color
