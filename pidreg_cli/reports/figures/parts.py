"""What the total is made up of, and what other measures make of it: stacked bars."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pidreg_cli.reports.figures.axes import (
    REST,
    SHARED,
    TOGETHER,
    Segment,
    name_rows,
    stacked,
    unique_segment,
)
from pidreg_cli.reports.figures.canvas import Picture, Words, picture
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.sections.atoms import against_rest, four, rest_rows, summaries
from pidreg_cli.reports.wording import Wording, listing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Bars = Sequence[Sequence[float]]
MOST_ROWS = 36
"""Bars of one figure: three measures of twelve modalities."""


def parts(report: Report) -> Picture | None:
    """The total as one bar of its parts; None where it has none, or is zero."""
    if report.pid is None or report.pid.summary.total <= 0:
        return None
    wording, summary = Wording.of(report), report.pid.summary
    own = [
        (unique_segment(place, f"unique to {name}"), value)
        for place, (name, value) in enumerate(summary.unique.items())
        if wording.visible(value)
    ]
    entries = [*own, (SHARED, summary.redundant), (TOGETHER, summary.synergistic)]
    told = [f"{segment.label} {wording.with_units(v)} ({wording.share(v)})" for segment, v in entries]
    words = Words(
        "parts",
        "What the total is made up of",
        f"Of {wording.with_units(summary.total)}: {listing(told)}.",
        f"The total of {wording.with_units(summary.total)} by its parts ({report.pid.measure}).",
    )
    segments, values = zip(*entries, strict=True)
    return bars_picture(words, segments, [values], ["total"], wording)


def sensitivity(report: Report) -> Picture | None:
    """A bar for each measure; of three modalities or more, for each of them against the rest."""
    if report.information is None or not report.sensitivity or Wording.of(report).total <= 0:
        return None
    wording = Wording.of(report)
    return _of_two(report, wording) if len(report.names) == 2 else _of_more(report, wording)


def _of_two(report: Report, wording: Wording) -> Picture | None:
    found = summaries(report)
    if not found:
        return None
    uniques = [unique_segment(place, f"unique to {name}") for place, name in enumerate(report.names)]
    segments = (*uniques, SHARED, TOGETHER)
    rows, bars = [measure for measure, _ in found], [four(summary) for _, summary in found]
    words = sensitivity_words(rows, segments, bars, wording, "")
    return bars_picture(words, segments, bars, rows, wording)


def _of_more(report: Report, wording: Wording) -> Picture | None:
    found = rest_rows(report)[:MOST_ROWS]
    segments = (unique_segment(0, "unique to it"), REST, SHARED, TOGETHER)
    rows, bars = (
        [f"{row.modality}, {row.measure}" for row in found],
        [against_rest(row) for row in found],
    )
    if not rows:
        return None
    words = sensitivity_words(rows, segments, bars, wording, " Each modality against all the others.")
    return bars_picture(words, segments, bars, rows, wording)


def sensitivity_words(
    rows: Sequence[str], segments: Sequence[Segment], bars: Bars, wording: Wording, how: str
) -> Words:
    """The figure in words: every number of every bar."""
    told = [
        f"{row}: {listing([f'{s.label} {wording.amount(v)}' for s, v in zip(segments, bar, strict=True)])}."
        for row, bar in zip(rows, bars, strict=True)
    ]
    return Words(
        "sensitivity",
        "The parts by other measures",
        f"In {wording.units}. {' '.join(told)}",
        f"The same information in parts by each measure.{how}",
    )


def bars_picture(
    words: Words, segments: Sequence[Segment], bars: Bars, rows: Sequence[str], wording: Wording
) -> Picture:
    """Stacked bars under a legend."""

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        stacked(axes, segments, bars, f"{{:.{wording.places}f}}")
        name_rows(axes, rows)
        axes.set_xlabel(wording.units)
        figure.legend(loc="outside upper left", ncols=min(4, len(segments)))

    lines = (len(segments) + 3) // 4
    return picture(words, 0.65 + 0.2 * lines + 0.34 * len(rows), draw)
