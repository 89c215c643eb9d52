"""The headline, and what to know before reading on."""

from __future__ import annotations

from pidreg_cli.reports.content import Bullets, Section
from pidreg_cli.reports.model import Diagnostic, Information, Report
from pidreg_cli.reports.wording import Wording, explained, listing, percent

NOTHING = "information.indistinguishable_from_zero"
TOO_HIGH = "information.plugin"


def title(report: Report) -> str:
    """What the report is about."""
    names = report.names
    who = listing(names) if len(names) <= 3 else f"{len(names)} modalities"
    return f"What {who} {'tells' if len(names) == 1 else 'tell'} about {report.data.target}{beyond(report)}"


def beyond(report: Report) -> str:
    """`` beyond age and sex``: the covariates that everything is beyond; empty without them."""
    known = () if report.information is None else report.information.covariates
    return f" beyond {listing(known)}" if known else ""


def headline(report: Report) -> tuple[str, ...]:
    """Two sentences: how much can be predicted, and what to keep."""
    sentences = []
    if report.information is not None:
        sentences.append(total_sentence(report, report.information))
    if report.selection is not None:
        sentences.append(f"Recommended: {report.selection.reason}.")
    return tuple(sentences)


def total_sentence(report: Report, information: Information) -> str:
    """How much of the target all modalities together predict."""
    wording = Wording.of(report)
    whole = information.values[-1]
    amount = wording.with_units(whole.value)
    if whole.ci is not None:
        amount += f" ({wording.interval_name()} {wording.span(whole.ci)})"
    who = subject(report)
    about = f"'{report.data.target}'{beyond(report)}"
    codes = {diagnostic.code for diagnostic in report.diagnostics}
    if NOTHING in codes:
        return f"{who} nothing about {about} that can be told from zero: {amount}."
    if TOO_HIGH in codes:
        return f"{who} {amount} about {about} by the plug-in estimate, which is too high with so few rows."
    share = percent(explained(whole.value, information.units))
    return f"{who} {amount} about {about}: {share} of {variance(report)} can be predicted."


def variance(report: Report) -> str:
    """What of the target's variance is to be predicted."""
    known = () if report.information is None else report.information.covariates
    return f"the variance that {listing(known)} leave{'s' * (len(known) == 1)}" if known else "its variance"


def subject(report: Report) -> str:
    """``a tells``, ``a and b together tell``, ``The 5 modalities together tell``."""
    names = report.names
    if len(names) == 1:
        return f"'{names[0]}' tells"
    return f"{listing(names) if len(names) <= 3 else f'All {len(names)} modalities'} together tell"


def diagnosed(diagnostic: Diagnostic) -> str:
    """A finding and its remedy."""
    return f"{diagnostic.message} {diagnostic.hint}".strip()


def cautions(report: Report) -> Section | None:
    """Errors and warnings with their remedies."""
    found = tuple(diagnosed(d) for d in report.diagnostics if d.severity != "info")
    return Section("Before you rely on this", (Bullets(found),)) if found else None


def notes(report: Report) -> Section | None:
    """Findings that change no conclusion."""
    found = tuple(diagnosed(d) for d in report.diagnostics if d.severity == "info")
    return Section("Notes", (Bullets(found),)) if found else None
