from __future__ import annotations

import io

import pytest

from pidreg_cli.cli.console import Console


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def console():
    return Console(io.StringIO(), io.StringIO())


def said(console):
    console.result("result")
    console.notice("notice")
    console.detail("detail")
    console.warning("warning")
    return console.stdout.getvalue(), console.stderr.getvalue()


def test_only_the_result_goes_to_stdout(console):
    assert said(console) == ("result\n", "note: notice\nwarning: warning\n")


def test_quiet_leaves_warnings_only(console):
    console.listen(quiet=True, verbose=True)
    assert said(console) == ("", "warning: warning\n")


def test_verbose_adds_details(console):
    console.listen(verbose=True)
    assert said(console) == ("result\n", "note: notice\ndetail\nwarning: warning\n")


def test_a_result_ends_in_one_line_break(console):
    console.result("a\n")
    console.result("b")
    assert console.stdout.getvalue() == "a\nb\n"


@pytest.mark.parametrize(
    ("stream", "term", "options", "shown"),
    [
        (Terminal, "xterm", {}, True),
        (Terminal, "xterm", {"quiet": True}, False),
        (Terminal, "xterm", {"animated": False}, False),
        (Terminal, "dumb", {}, False),
        (Terminal, "", {}, False),
        (io.StringIO, "xterm", {}, False),
    ],
)
def test_progress_is_drawn_on_terminals_unless_told_not_to(stream, term, options, shown, monkeypatch):
    monkeypatch.setenv("TERM", term)
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    console = Console(io.StringIO(), stream())
    console.listen(**options)
    assert console.shows_progress is shown
