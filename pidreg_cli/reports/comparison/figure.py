"""Amounts of two reports as points side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pidreg_cli.reports.comparison.differences import Difference, Known
from pidreg_cli.reports.comparison.pairing import Comparison
from pidreg_cli.reports.comparison.sections import cell
from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.figures.axes import name_rows, points
from pidreg_cli.reports.figures.canvas import Picture, Words, picture

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def differences(name: str, title: str, found: Sequence[Difference], both: Comparison) -> Picture | None:
    """A row for each amount, A above B; None without any."""
    if not found:
        return None

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        marks(axes, [d.first for d in found], -0.14, palette.UNIQUE, "o", "A")
        marks(axes, [d.second for d in found], 0.14, palette.TOGETHER, "D", "B")
        name_rows(axes, [d.name for d in found])
        axes.set_xlabel("bits")
        figure.legend(loc="outside upper left", ncols=2)

    told = [f"{d.name}: A {cell(both, d.first)}, B {cell(both, d.second)} bits." for d in found]
    lines = f" Lines are {both.wording.interval_name()}s." if both.alike else ""
    words = Words(
        name, title, " ".join(told), f"A (circle) is {both.names[0]}, B (diamond) {both.names[1]}.{lines}"
    )
    return picture(words, 0.9 + 0.36 * len(found), draw)


def marks(
    axes: Axes, found: Sequence[Known | None], first: float, colour: str, marker: str, label: str
) -> None:
    """A mark for each amount that there is."""
    for row, known in enumerate(found):
        if known is not None:
            points(axes, [(known.value, known.ci)], first + row, colour, marker, label if label else "")
            label = ""
