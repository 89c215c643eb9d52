"""How to read the report, in a few lines."""

from __future__ import annotations

from pidreg_cli.reports.content import Bullets, Section
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.wording import explained, percent


def glossary(report: Report) -> Section | None:
    """The words used above."""
    if report.information is None:
        return None
    units = report.information.units
    scale = ", ".join(
        f"{value:.1f} {units} = {percent(explained(value, units))}" for value in (0.5, 1.0, 2.0)
    )
    words = [
        f"{units}: how much is known of the target; as share of its variance predicted: {scale}. Computed on "
        "its normal scores (ranks turned into a normal distribution), so outliers do not rule."
    ]
    if report.pid is not None:
        words += [
            "unique: only this modality tells it. shared (redundant): it can be had from more than one "
            "source. only together (synergistic): it shows only when modalities are combined.",
            "adds to the others: the total less what all the others tell together. It decides what to keep.",
        ]
    return Section("How to read this", (Bullets(tuple(words)),))
