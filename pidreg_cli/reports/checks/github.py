"""Verdicts as workflow commands of GitHub Actions: an annotation for each check that does not hold."""

from __future__ import annotations

from pidreg_cli.harmless import marked
from pidreg_cli.reports.checks.outcome import Outcome, message

# These would end a property of a workflow command early, or stand for another character. Line ends, which would end
# the command itself, are marked like all that steers.
_IN_TEXT = {"%": "%25"}
_IN_PROPERTY = {**_IN_TEXT, ":": "%3A", ",": "%2C"}


def to_github(outcome: Outcome) -> str:
    """An error for each check that does not hold, and a notice that counts them."""
    errors = [
        f"::error title={_escaped(verdict.title, _IN_PROPERTY)}::{_escaped(message(verdict), _IN_TEXT)}"
        for verdict in outcome.verdicts
        if not verdict.held
    ]
    notice = f"::notice title=pidreg check::{_escaped(outcome.summary, _IN_TEXT)}"
    return "\n".join([*errors, notice]) + "\n"


def _escaped(text: str, replacements: dict[str, str]) -> str:
    return "".join(replacements.get(character, character) for character in marked(text))
