"""Figures of experiments: files of their own, of the report's looks, that say in words what they show."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.experiments.experiment import Experiment, Records
from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.figures.canvas import svg_document

if TYPE_CHECKING:
    from matplotlib.axes import Axes

PART_COLOURS = (palette.UNIQUE, palette.SHARED, palette.TOGETHER)


def svg_of(experiment: Experiment, records: Records) -> bytes:
    """The figure of an experiment; the same bytes for the same records and library versions."""
    return svg_document(
        experiment.name, experiment.height, lambda figure: experiment.draw(records, figure), palette.PAGE
    )


def save_figure(experiment: Experiment, records: Records, folder: Path) -> None:
    """As ``NAME.svg``."""
    (folder / f"{experiment.name}.svg").write_bytes(svg_of(experiment, records))


def grid(axes: Axes, axis: str = "both") -> None:
    """Light lines behind the marks."""
    axes.grid(axis=axis, color=palette.GRID, linewidth=0.7)  # type: ignore[arg-type]


def plain(value: float, place: int | None = None) -> str:
    """A number at a tick, with separators of thousands; matplotlib's own at logarithmic ticks is mathematics."""
    return f"{value:,.10g}"


def name_lines(axes: Axes, names: Sequence[str]) -> None:
    """Lines from the top down, named."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    grid(axes, "x")


def part_bars(axes: Axes, rows: Sequence[Sequence[float]], shift: float, *, true: bool) -> None:
    """Bars of unique, shared and only together, one in each line: true ones pale above, found ones full below."""
    lefts = [0.0] * len(rows)
    places = [row + shift for row in range(len(rows))]
    for number, colour in enumerate(PART_COLOURS):
        widths = [row[number] for row in rows]
        axes.barh(
            places,
            widths,
            left=lefts,
            height=0.36,
            color=colour,
            alpha=0.4 if true else 1.0,
            linewidth=0,
        )
        lefts = [left + width for left, width in zip(lefts, widths, strict=True)]


def true_and_found_bars(
    axes: Axes, names: Sequence[str], true: Sequence[Sequence[float]], found: Sequence[Sequence[float]]
) -> None:
    """Pairs of bars in named lines, with a key."""
    from matplotlib.patches import Patch

    part_bars(axes, true, -0.19, true=True)
    part_bars(axes, found, 0.19, true=False)
    name_lines(axes, names)
    axes.set_xlabel("information about the target (bits)")
    axes.set_xlim(left=0)
    labels = ("in one modality alone", "in several alike (shared)", "only in combination")
    handles = [Patch(color=colour, label=label) for colour, label in zip(PART_COLOURS, labels, strict=True)]
    handles += [
        Patch(color=palette.INK, alpha=0.4, label="pale: the truth"),
        Patch(color=palette.INK, label="full: found"),
    ]
    axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=3)
