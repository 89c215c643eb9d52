"""Verdicts as JUnit XML, which CI servers show as tests."""

from __future__ import annotations

import re
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from pidreg_cli.decisions.requirements.judging import Verdict
from pidreg_cli.harmless import marked
from pidreg_cli.reports.checks.outcome import Outcome, message, said

# What XML 1.0 cannot hold, also escaped, beside what steers.
_FORBIDDEN = re.compile("[^\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
SUITE = "pidreg check"


def to_junit(outcome: Outcome) -> str:
    """A suite with a case for each check."""
    failures = sum(not verdict.held for verdict in outcome.verdicts)
    counts = {"tests": str(len(outcome.verdicts)), "failures": str(failures)}
    root = Element("testsuites", counts)
    suite = SubElement(root, "testsuite", {"name": SUITE, **counts, "errors": "0", "skipped": "0"})
    for verdict in outcome.verdicts:
        _add_case(suite, verdict, outcome.source)
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _add_case(suite: Element, verdict: Verdict, source: str) -> None:
    case = SubElement(suite, "testcase", {"classname": _clean(source), "name": _clean(verdict.title)})
    if verdict.held:
        SubElement(case, "system-out").text = _clean(f"{verdict.requirement}: {said(verdict)}")
    else:
        text = _clean(message(verdict))
        SubElement(case, "failure", {"type": verdict.kind, "message": text}).text = text


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\ufffd", marked(text))
