"""Predictions of rows that trained nothing, against the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.figures.axes import shortened
from pidreg_cli.reports.figures.canvas import Picture, Words, picture
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.traces import Floats, Traces
from pidreg_cli.reports.wording import decimal, measured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_POINTS = 700
"""Rows up to which each is a point; of more, hexagons are darker where more rows fall."""
HEXAGONS = 30


def held_out(report: Report, traces: Traces) -> Picture | None:
    """Predicted against true, and what is left; None where the rows are not known."""
    rows = traces.held_out
    if rows is None or len(rows.y) == 0:
        return None
    residual = rows.y - rows.prediction
    target = shortened(report.data.target)

    def draw(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        cloud(left, rows.prediction, rows.y)
        ends = [
            float(min(rows.y.min(), rows.prediction.min())),
            float(max(rows.y.max(), rows.prediction.max())),
        ]
        left.plot(
            ends, ends, color=palette.TOGETHER, linewidth=1.2, linestyle="--", label="perfect prediction"
        )
        left.set(title="Predicted and true", xlabel=f"predicted {target}", ylabel=f"true {target}")
        cloud(right, rows.prediction, residual)
        right.axhline(0, color=palette.TOGETHER, linewidth=1.2, linestyle="--")
        right.set(title="Residuals", xlabel=f"predicted {target}", ylabel="true less predicted")
        figure.legend(loc="outside lower left")

    return picture(words_of(report, rows.y, rows.prediction), 3.3, draw)


def cloud(axes: Axes, x: Floats, y: Floats) -> None:
    """Points, or hexagons where they are too many to tell apart."""
    if len(x) <= MOST_POINTS:
        axes.plot(x, y, "o", color=palette.UNIQUE, markersize=3.2, markeredgewidth=0, alpha=palette.CLOUD)
    else:
        from matplotlib.colors import LinearSegmentedColormap

        shades = LinearSegmentedColormap.from_list("rows", [palette.FEWEST_ROWS, palette.MOST_ROWS])
        axes.hexbin(x, y, gridsize=HEXAGONS, mincnt=1, bins="log", cmap=shades, linewidths=0.2)
    axes.grid(color=palette.GRID, linewidth=0.7)


def words_of(report: Report, y: Floats, prediction: Floats) -> Words:
    """The figure in words: how close, and how residuals lie."""
    residual = y - prediction
    low, middle, high = (float(value) for value in np.quantile(residual, (0.05, 0.5, 0.95)))
    varied = np.ptp(y) > 0 and np.ptp(prediction) > 0
    along = f" Correlation {decimal(float(np.corrcoef(y, prediction)[0, 1]), 3)}." if varied else ""
    many = " Darker hexagons hold more rows." if len(y) > MOST_POINTS else ""
    return Words(
        "heldout",
        "Predicted and true values, and residuals",
        f"{len(y):,} rows.{along} Median residual {measured(middle)}; nine in ten lie between "
        f"{measured(low)} and {measured(high)}.",
        f"Predictions of '{report.data.target}' on {len(y):,} held-out rows.{many}",
    )
