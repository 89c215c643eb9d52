"""What each modality tells on its own and adds to the others, with intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.figures.axes import name_rows, points
from pidreg_cli.reports.figures.canvas import Picture, Words, picture
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.numbers import Interval
from pidreg_cli.reports.wording import Wording

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Row = tuple[float, Interval]


def amounts(report: Report) -> Picture | None:
    """A row per modality; None where there is nothing to compare."""
    if report.information is None or len(report.names) < 2:
        return None
    wording = Wording.of(report)
    alone = {v.modalities[0]: (v.value, v.ci) for v in report.information.values if len(v.modalities) == 1}
    added = {row.modality: (row.added, row.added_ci) for row in report.one_versus_rest}
    whole = report.information.values[-1]
    names = [name for name in report.names if name in alone and name in added]

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        points(axes, [alone[name] for name in names], -0.14, palette.UNIQUE, "o", "on its own")
        points(axes, [added[name] for name in names], 0.14, palette.TOGETHER, "D", "adds to the others")
        last = len(names)
        points(axes, [(whole.value, whole.ci)], last, palette.INK, "s", "all together")
        name_rows(axes, [*names, "all together"])
        axes.set_xlim(left=min(0.0, axes.get_xlim()[0]))
        axes.set_xlabel(f"information about the target ({wording.units})")
        figure.legend(loc="outside upper left", ncols=3)

    told = [
        f"{name}: {said(wording, alone[name])} on its own, adds {said(wording, added[name])} to the others."
        for name in names
    ]
    bars = f" Lines are {wording.interval_name()}s." if whole.ci is not None else ""
    words = Words(
        "amounts",
        "Information of each modality",
        f"{' '.join(told)} All together: {said(wording, (whole.value, whole.ci))}.",
        f"What each modality tells on its own (circle) and what it adds to all the others (diamond).{bars}",
    )
    return picture(words, 1.0 + 0.36 * (len(names) + 1), draw)


def said(wording: Wording, row: Row) -> str:
    """``0.37 bits (0.31 to 0.43)``."""
    value, ci = row
    return wording.with_units(value) + (f" ({wording.span(ci)})" if ci is not None else "")
