"""The outcome of all checks of a report, and how a machine reads it."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

from pidreg_cli.decisions.requirements.judging import Span, Verdict, shown
from pidreg_cli.harmless import harmless_json, marked

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Outcome:
    """Verdicts on a report; ``source`` names it, ``target`` is what it decomposes the information about."""

    source: str
    target: str
    verdicts: tuple[Verdict, ...]

    @property
    def held(self) -> bool:
        """Whether every check held."""
        return all(verdict.held for verdict in self.verdicts)

    @property
    def summary(self) -> str:
        """How many held, in a sentence."""
        count = sum(verdict.held for verdict in self.verdicts)
        return f"{count} of {len(self.verdicts)} checks hold for {self.source} (target {self.target!r})"


def to_json(outcome: Outcome) -> str:
    """One object: whether all held, and every verdict with its numbers."""
    document = {
        "schema_version": SCHEMA_VERSION,
        "source": outcome.source,
        "target": outcome.target,
        "held": outcome.held,
        "checks": [asdict(verdict) for verdict in outcome.verdicts],
    }
    return harmless_json(json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2)) + "\n"


def to_text(outcome: Outcome) -> str:
    """A line for each check, those that do not hold with their reason; no name can begin another line."""
    lines = [marked(_line(verdict)) for verdict in outcome.verdicts]
    return "\n".join([*lines, marked(outcome.summary)]) + "\n"


def _line(verdict: Verdict) -> str:
    mark = "holds" if verdict.held else "FAILS"
    title = (
        verdict.title if verdict.title == verdict.requirement else f"{verdict.title} ({verdict.requirement})"
    )
    facts = "; ".join(part for part in (said(verdict), verdict.reason) if part)
    return f"{mark}  {title}: {facts}"


def said(verdict: Verdict) -> str:
    """What the report says there."""
    if verdict.kind == "drift":
        return f"moved {shown(verdict.judged)}" if verdict.held else ""
    return f"{shown(verdict.value)}{_interval(verdict.ci)}"


def _interval(ci: Span) -> str:
    if ci is None or None in ci:
        return ""
    return f" ({shown(ci[0])} to {shown(ci[1])})"


def message(verdict: Verdict) -> str:
    """Why a check does not hold, in a sentence for a log."""
    facts = said(verdict)
    found = f"; the report says {facts}" if facts and verdict.kind == "requirement" else ""
    return f"{verdict.requirement} does not hold: {verdict.reason}{found}"
