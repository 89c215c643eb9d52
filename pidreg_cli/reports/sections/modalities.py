"""What each modality tells, what is shared, what shows only together."""

from __future__ import annotations

from pidreg_cli.reports.content import Bullets, Paragraph, Section, Table
from pidreg_cli.reports.model import Decomposition, Report
from pidreg_cli.reports.reading import Reading, meaning, readings
from pidreg_cli.reports.wording import Wording, listing

FEW = 3
"""Modalities whose unique information is listed even where it is zero."""


def single(report: Report) -> Section | None:
    """Instead of a decomposition where there is one modality."""
    if report.information is None or len(report.names) > 1:
        return None
    text = (
        f"'{report.names[0]}' is the only modality, so there is nothing to decompose: unique, shared and "
        "only-together information need two. Give further modalities to see what they would add."
    )
    return Section("One modality", (Paragraph(text),))


def each(report: Report) -> Section | None:
    """A row and a verdict for every modality."""
    found = readings(report)
    if not found:
        return None
    wording = Wording.of(report)
    interval = f", {wording.interval_name()}" if found[0].alone.ci is not None else ""
    intro = f"In {wording.units}, per cent of the total of {wording.with_units(wording.total)}{interval}."
    header = ("modality", "on its own", "unique to it", "adds to the others")
    rows = tuple(amounts(reading, wording) for reading in found)
    verdicts = tuple(verdict(report, reading, wording) for reading in found)
    return Section("What each modality tells", (Paragraph(intro), Table(header, rows), Bullets(verdicts)))


def amounts(reading: Reading, wording: Wording) -> tuple[str, ...]:
    """Cells of a modality."""
    parts = (reading.alone, reading.unique, reading.added)
    return (reading.modality, *(wording.cell(part.value, part.ci) for part in parts))


def verdict(report: Report, reading: Reading, wording: Wording) -> str:
    """``mri (keep) adds its own: ...``."""
    text = meaning(reading, wording)
    if report.selection is None:
        return f"{reading.modality} - {text}."
    kept = "keep" if reading.modality in report.selection.recommended else "drop"
    return f"{reading.modality} ({kept}) - {text}."


def parts(report: Report) -> Section | None:
    """Unique, shared and only-together information, adding up to the total."""
    if report.pid is None:
        return None
    wording = Wording.of(report)
    texts = (balance(report, wording), credit(report, wording), unbiased(report, wording))
    blocks = [Table(("part", "amount", "what it is"), part_rows(report.pid, wording))]
    prose = [Paragraph(text) for text in texts if text]
    return Section("How the total is made up", (*blocks, *prose))


def part_rows(pid: Decomposition, wording: Wording) -> tuple[tuple[str, ...], ...]:
    """The parts and their sum; of many modalities only those with something unique."""
    summary, spans = pid.summary, pid.summary_ci
    few = len(summary.unique) <= FEW
    unique = [
        (f"unique to {name}", wording.cell(value, spans.unique[name] if spans else None), "only it has this")
        for name, value in summary.unique.items()
        if few or wording.visible(value)
    ]
    shared = wording.cell(summary.redundant, spans.redundant if spans else None)
    joint = wording.cell(summary.synergistic, spans.synergistic if spans else None)
    total = wording.cell(summary.total, spans.total if spans else None)
    return (
        *unique,
        ("shared", shared, "more than one source tells this"),
        ("only together", joint, "shows when modalities are combined"),
        ("total", total, "all modalities"),
    )


def balance(report: Report, wording: Wording) -> str:
    """Co-information of two modalities: what no choice of measure changes."""
    if report.information is None or len(report.names) != 2 or report.information.co_information is None:
        return ""
    value = report.information.co_information
    a, b = report.names
    more = "overlap outweighs interplay" if value > 0 else "interplay outweighs overlap"
    said = more if wording.visible(value) else "overlap and interplay balance"
    return (
        f"Shared less only-together is {wording.with_units(value)}: {said}. This co-information, "
        f"I({a}) + I({b}) - I({a}, {b}), is the same for every measure."
    )


def credit(report: Report, wording: Wording) -> str:
    """Shapley values."""
    if not report.shapley:
        return ""
    shares = [f"{name} {wording.amount(v)} ({wording.share(v)})" for name, v in report.shapley.items()]
    return f"Split fairly among the modalities (Shapley values): {listing(shares)} {wording.units}."


def unbiased(report: Report, wording: Wording) -> str:
    """The debiased estimate of each modality and the whole, where rows allow it and it is not the headline."""
    if report.information is None or report.information.estimator == "debiased":
        return ""
    sizes = (1, len(report.names))
    shown = [v for v in report.information.values if v.debiased is not None and len(v.modalities) in sizes]
    if not shown:
        return ""
    amounts = [
        f"{'all' if len(v.modalities) > 1 else v.modalities[0]} {wording.amount(v.debiased)}" for v in shown
    ]
    bounds = "The amounts above are lower bounds. " * (report.information.estimator == "heldout")
    return (
        f"{bounds}The debiased estimate, which may also be too high, is {listing(amounts)} {wording.units}."
    )
