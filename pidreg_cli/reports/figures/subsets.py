"""What sets of modalities cost, how far their predictions err and what they tell, with the front of those worth it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import nan
from typing import TYPE_CHECKING

from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.figures.axes import told_apart
from pidreg_cli.reports.figures.canvas import Picture, Words, picture
from pidreg_cli.reports.model import Report, Selection, Subset
from pidreg_cli.reports.sections.choice import costs_given
from pidreg_cli.reports.wording import Wording, measured, together

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 400
"""Sets shown, the best ones; twelve modalities have 4,095."""
FEW = 8
"""Sets up to which each is named; of more, the recommended one alone."""
TITLE = "Error, information and cost of sets of modalities"

Height = Callable[[Subset], float | None]


def subsets(report: Report) -> Picture | None:
    """Expected RMSE, and information, against cost; None where there is no choice."""
    if report.selection is None:
        return None
    chosen = report.selection
    known = [s for s in chosen.subsets if s.cost is not None and s.expected_rmse is not None]
    if len(known) < 2:
        return None
    sets = ShownSets.of(chosen, known)
    cost = "cost" if costs_given(chosen) else "number of modalities"
    wording = Wording.of(report) if report.information is not None else None

    def draw(figure: Figure) -> None:
        count = 1 if wording is None else 2
        panels = figure.subplots(count, 1, sharex=True, squeeze=False)[:, 0]
        panel(panels[0], sets, error_of, "expected RMSE")
        if wording is not None:
            spans(panels[1], sets.shown)
            panel(panels[1], sets, told_of, f"information ({wording.units})")
        panels[-1].set_xlabel(cost)
        if cost != "cost":
            panels[-1].set_xticks(range(1, len(report.names) + 1))
        handles, labels = panels[0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside upper left", ncols=3)

    return picture(words_of(chosen, known, sets, cost, wording), 3.3 if wording is None else 5.6, draw)


@dataclass(frozen=True)
class ShownSets:
    """Sets that are drawn: all, the front by cost, the recommended one, and those that are named."""

    shown: Sequence[Subset]
    front: Sequence[Subset]
    best: Sequence[Subset]
    named: Sequence[Subset]

    @classmethod
    def of(cls, chosen: Selection, known: Sequence[Subset]) -> ShownSets:
        """Of those ``known``, whose cost and error are given, the best."""
        shown = sorted(known, key=lambda s: (s.dominated, error_of(s)))[:MOST]
        best = [s for s in known if s.modalities == chosen.recommended]
        front = sorted((s for s in shown if not s.dominated), key=cost_of)
        return cls(shown, front, best, shown if len(shown) <= FEW else best)


def panel(axes: Axes, sets: ShownSets, height: Height, label: str) -> None:
    """Marks of all sets at this ``height`` above their cost, the front as a line."""
    beaten = [s for s in sets.shown if s.dominated]
    scatter(axes, beaten, height, "x", palette.SHARED, 5, "beaten by another set")
    axes.plot(*places(sets.front, height), color=palette.UNIQUE, linewidth=1.2)
    scatter(axes, sets.front, height, "o", palette.UNIQUE, 6, "front: none is better for its cost")
    scatter(axes, sets.best, height, "*", palette.TOGETHER, 14, "recommended")
    name_sets(axes, sets.named, height)
    axes.margins(x=0.08, y=0.16)
    axes.grid(color=palette.GRID, linewidth=0.7)
    axes.set_ylabel(label)


def spans(axes: Axes, shown: Sequence[Subset]) -> None:
    """Intervals of the information, as one path: a few hundred of their own would be most of the figure."""
    x: list[float] = []
    y: list[float] = []
    for subset in shown:
        low, high = subset.ci or (None, None)
        if low is not None and high is not None:
            x += [cost_of(subset), cost_of(subset), nan]
            y += [low, high, nan]
    axes.plot(x, y, color=palette.SHARED, linewidth=1.2, solid_capstyle="butt")


def words_of(
    chosen: Selection, known: Sequence[Subset], sets: ShownSets, cost: str, wording: Wording | None
) -> Words:
    """The figure in words: the front and what is recommended."""
    told = [f"{together(s.modalities)} at {cost_of(s):g}: {said(s, wording)}." for s in sets.front]
    kept = together(chosen.recommended) if chosen.recommended else "none of the modalities"
    left = len(known) - MOST
    more = f" The {MOST} best of {len(known):,} sets." if left > 0 else ""
    caption = f"Expected error of sets of modalities against their {cost}. Low and left is good."
    if wording is not None:
        lines = f"; lines are {wording.interval_name()}s" if any(s.ci for s in sets.shown) else ""
        caption += f" Below, their information{lines}. High and left is good."
    return Words(
        "subsets",
        "Error and cost of sets of modalities" if wording is None else TITLE,
        f"The front, by {cost}: {' '.join(told)} Recommended: {kept}.",
        f"{caption}{more}",
    )


def said(subset: Subset, wording: Wording | None) -> str:
    """``RMSE 2.13, 0.37 bits (0.31 to 0.43)``."""
    error = f"RMSE {measured(subset.expected_rmse)}"
    if wording is None or subset.information is None:
        return error
    span = f" ({wording.span(subset.ci)})" if subset.ci is not None else ""
    return f"{error}, {wording.with_units(subset.information)}{span}"


def places(shown: Sequence[Subset], height: Height) -> tuple[list[float], list[float]]:
    """Costs and heights of the sets whose height is known."""
    known = [(cost_of(s), value) for s in shown if (value := height(s)) is not None]
    return [cost for cost, _ in known], [value for _, value in known]


def scatter(
    axes: Axes, shown: Sequence[Subset], height: Height, marker: str, colour: str, size: float, label: str
) -> None:
    """A mark for each set."""
    x, y = places(shown, height)
    if x:
        edge = palette.PAGE if marker in "o*" else colour
        axes.plot(x, y, marker, color=colour, markersize=size, markeredgecolor=edge, label=label)


def name_sets(axes: Axes, shown: Sequence[Subset], height: Height) -> None:
    """Names of beaten sets beside their marks, those of the front where nothing is: below errors, above the line."""
    names = told_apart([together(subset.modalities) for subset in shown])
    for name, subset in zip(names, shown, strict=True):
        value = height(subset)
        if value is None:
            continue
        right = cost_of(subset) > sum(axes.get_xlim()) / 2
        aside = -9 if right else 9
        free = (0, -14) if height is error_of else (aside, 6)
        axes.annotate(
            name,
            (cost_of(subset), value),
            xytext=(aside, -3) if subset.dominated else free,
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


def told_of(subset: Subset) -> float | None:
    """The information of a set, where it is known."""
    return subset.information
