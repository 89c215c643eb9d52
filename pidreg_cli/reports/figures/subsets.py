"""What sets of modalities cost and how far their predictions err, with the front of those worth their cost."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.figures.axes import shortened
from pidreg_cli.reports.figures.canvas import Picture, Words, picture
from pidreg_cli.reports.model import Report, Selection, Subset
from pidreg_cli.reports.sections.choice import costs_given
from pidreg_cli.reports.wording import measured, together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 400
"""Sets shown, the best ones; twelve modalities have 4,095."""
FEW = 8
"""Sets up to which each is named; of more, the recommended one alone."""


def subsets(report: Report) -> Picture | None:
    """Expected RMSE against cost; None where there is no choice."""
    if report.selection is None:
        return None
    chosen = report.selection
    known = [s for s in chosen.subsets if s.cost is not None and s.expected_rmse is not None]
    if len(known) < 2:
        return None
    shown = sorted(known, key=lambda s: (s.dominated, error_of(s)))[:MOST]
    front = sorted((s for s in shown if not s.dominated), key=cost_of)
    cost = "cost" if costs_given(chosen) else "number of modalities"
    best = [s for s in known if s.modalities == chosen.recommended]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        beaten = [s for s in shown if s.dominated]
        scatter(axes, beaten, "x", palette.SHARED, 5, "beaten by another set")
        axes.plot(
            [cost_of(s) for s in front], [error_of(s) for s in front], color=palette.UNIQUE, linewidth=1.2
        )
        scatter(axes, front, "o", palette.UNIQUE, 6, "front: none is better for its cost")
        scatter(axes, best, "*", palette.TOGETHER, 14, "recommended")
        name_sets(axes, shown if len(shown) <= FEW else best)
        axes.margins(x=0.08, y=0.16)
        axes.grid(color=palette.GRID, linewidth=0.7)
        axes.set_xlabel(cost)
        axes.set_ylabel(f"expected RMSE of {shortened(report.data.target)}")
        if cost != "cost":
            axes.set_xticks(range(1, len(report.names) + 1))
        figure.legend(loc="outside upper left", ncols=3)

    return picture(words_of(chosen, known, front, cost), 3.3, draw)


def words_of(chosen: Selection, known: Sequence[Subset], front: Sequence[Subset], cost: str) -> Words:
    """The figure in words: the front and what is recommended."""
    told = [f"{together(s.modalities)} at {cost_of(s):g}: RMSE {measured(s.expected_rmse)}." for s in front]
    kept = together(chosen.recommended) if chosen.recommended else "none of the modalities"
    left = len(known) - MOST
    more = f" The {MOST} best of {len(known):,} sets." if left > 0 else ""
    return Words(
        "subsets",
        "Error and cost of sets of modalities",
        f"The front, by {cost}: {' '.join(told)} Recommended: {kept}.",
        f"Expected error of sets of modalities against their {cost}. Low and left is good.{more}",
    )


def scatter(axes: Axes, shown: Sequence[Subset], marker: str, colour: str, size: float, label: str) -> None:
    """A mark for each set."""
    if shown:
        x, y = [cost_of(s) for s in shown], [error_of(s) for s in shown]
        edge = palette.PAGE if marker in "o*" else colour
        axes.plot(x, y, marker, color=colour, markersize=size, markeredgecolor=edge, label=label)


def name_sets(axes: Axes, shown: Sequence[Subset]) -> None:
    """Names of beaten sets beside their marks, those of the front below it, where there is nothing."""
    for subset in shown:
        right = cost_of(subset) > sum(axes.get_xlim()) / 2
        below = not subset.dominated
        axes.annotate(
            shortened(together(subset.modalities)),
            (cost_of(subset), error_of(subset)),
            xytext=(0, -14) if below else (-9 if right else 9, -3),
            textcoords="offset points",
            ha="right" if right else "left",
            fontsize=8,
            zorder=1.5,
            bbox={"facecolor": palette.PAGE, "edgecolor": "none", "alpha": 0.8, "pad": 0.6},
        )


def cost_of(subset: Subset) -> float:
    """The cost of a set that has one."""
    return subset.cost or 0.0


def error_of(subset: Subset) -> float:
    """The expected RMSE of a set that has one."""
    return subset.expected_rmse or 0.0
