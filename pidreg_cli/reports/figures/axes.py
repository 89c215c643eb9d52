"""What figures have in common: rows of names, points with intervals, stacked bars."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.numbers import Interval
from pidreg_cli.reports.text import printable

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LONGEST = 28
"""Characters of a name beside an axis; longer ones lose their middle."""
ROW = 36
"""Of the name of a row: what "added to the others" adds still tells of what."""
NARROW = 0.055
"""Share of the axis below which a segment of a bar is too narrow for its number."""


def shortened(name: str, longest: int = LONGEST) -> str:
    """The name as it fits beside an axis."""
    name = printable(name)
    if len(name) <= longest:
        return name
    kept = longest - 3
    return f"{name[: kept - kept // 2]}...{name[len(name) - kept // 2 :]}"


def told_apart(names: Sequence[str], longest: int = LONGEST) -> list[str]:
    """The names as they fit beside an axis, but no two that differ alike."""
    for most in (longest, 2 * longest):
        short = [shortened(name, most) for name in names]
        if len(set(short)) == len(set(names)):
            return short
    return [printable(name) for name in names]


def name_rows(axes: Axes, names: Sequence[str]) -> None:
    """Rows from the top down, named."""
    axes.set_yticks(range(len(names)), told_apart(names, ROW))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color=palette.GRID, linewidth=0.7)


def points(
    axes: Axes, rows: Sequence[tuple[float, Interval]], first: float, colour: str, marker: str, label: str
) -> None:
    """A mark in each row from ``first`` on, and its interval as a line."""
    places = [first + row for row in range(len(rows))]
    for place, (_, ci) in zip(places, rows, strict=True):
        if ci is not None and ci[0] is not None and ci[1] is not None:
            axes.plot([ci[0], ci[1]], [place, place], color=colour, linewidth=1.8, solid_capstyle="butt")
    values = [value for value, _ in rows]
    axes.plot(
        values,
        places,
        marker,
        color=colour,
        markersize=6,
        markeredgecolor=palette.PAGE,
        label=printable(label) or None,
    )


@dataclass(frozen=True)
class Segment:
    """A part of a stacked bar: how it is told from others."""

    label: str
    colour: str
    hatch: str
    edge: str = palette.PAGE


def unique_segment(position: int, label: str) -> Segment:
    """The unique part of a modality: of one colour for all, of a pattern each."""
    return Segment(label, palette.UNIQUE, palette.HATCHES[position % len(palette.HATCHES)])


SHARED = Segment("shared", palette.SHARED, "")
TOGETHER = Segment("only together", palette.TOGETHER, "///")
REST = Segment("unique to the rest", palette.PAGE, "|||", palette.SHARED)


def stacked(
    axes: Axes, segments: Sequence[Segment], bars: Sequence[Sequence[float]], number: str = "{:.2f}"
) -> None:
    """Horizontal bars, ``bars[row][segment]``, with the numbers of segments that are wide enough."""
    widest = max((sum(map(abs, bar)) for bar in bars), default=0.0) or 1.0
    # What a measure calls less than nothing stands left of zero.
    ends = {True: [0.0] * len(bars), False: [0.0] * len(bars)}
    for place, segment in enumerate(segments):
        widths = [bar[place] for bar in bars]
        lefts = [ends[width >= 0][row] for row, width in enumerate(widths)]
        drawn = axes.barh(
            range(len(bars)),
            widths,
            left=lefts,
            height=0.62,
            color=segment.colour,
            hatch=segment.hatch,
            edgecolor=segment.edge,
            linewidth=0.8,
            label=printable(segment.label),
        )
        texts = [number.format(width) if abs(width) > NARROW * widest else "" for width in widths]
        shown = axes.bar_label(drawn, texts, label_type="center", color=palette.INK, fontsize=8)
        for text in shown:
            text.set_bbox({"facecolor": palette.PAGE, "edgecolor": "none", "pad": 1.2})
        for row, width in enumerate(widths):
            ends[width >= 0][row] += width
    lowest, highest = min(ends[False], default=0.0), max(ends[True], default=0.0)
    axes.set_xlim(lowest, highest if highest > lowest else 1.0)
    if lowest < 0:
        axes.axvline(0, color=palette.INK, linewidth=0.8)
