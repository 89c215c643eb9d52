"""Figures of the pages show all that was drawn: marks within their axes, texts within the figure and apart."""

from __future__ import annotations

from functools import cache
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from benchmarks import experiments, training_speed
from benchmarks.experiments.experiment import Experiment, Results
from benchmarks.experiments.page import DOCS, Page
from pidreg_cli.reports.figures.canvas import svg_document

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

CASES = [
    pytest.param(page, one, id=f"{page.name}-{one.name}")
    for page in (experiments.PAGE, training_speed.PAGE)
    for one in page.experiments
    if (page.folder(DOCS) / f"{one.name}.json").exists()
]
SLACK = 1e-6  # of an axis or a pixel


@cache
def drawn(page: Page, experiment: Experiment) -> Figure:
    """The figure of the saved numbers, laid out as its file is."""
    records = Results.load(page.folder(DOCS), experiment.name).records
    figures: list[Figure] = []

    def draw(figure: Figure) -> None:
        experiment.draw(records, figure)
        figures.append(figure)

    svg_document(experiment.name, experiment.height, draw)
    return figures[0]


def outside(axes: Axes) -> list[str]:
    """Points of lines and corners of bars that lie beyond the limits."""
    marks = [line.get_xydata() for line in axes.lines if line.get_transform() == axes.transData]
    marks += [patch.get_bbox().get_points() for patch in axes.patches if hasattr(patch, "get_width")]
    view = axes.viewLim.padded(SLACK)
    points = np.vstack([np.asarray(mark, dtype=float).reshape(-1, 2) for mark in marks])
    return [str(point) for point in points if np.isfinite(point).all() and not view.contains(*point)]


def boxes(figure: Figure) -> list[tuple[str, Bbox]]:
    """Every text that can be seen, and where it is in pixels."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.text import Text

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    hidden = [label for axes in figure.axes for label in beyond(axes)]
    return [
        (text.get_text(), text.get_window_extent(canvas.get_renderer()))
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and text not in hidden
    ]


def beyond(axes: Axes) -> list[object]:
    """Labels of ticks beyond the limits, which are not drawn."""
    found: list[object] = []
    for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
        for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
            found += [] if min(limits) <= tick.get_loc() <= max(limits) else [tick.label1, tick.label2]
    return found


@pytest.mark.parametrize("path", sorted(DOCS.rglob("*.svg")), ids=lambda path: path.name)
def test_no_figure_shows_marks_of_mathematics(path: Path) -> None:
    assert "$" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(("page", "experiment"), CASES)
def test_every_mark_lies_within_its_axes(page: Page, experiment: Experiment) -> None:
    assert {
        axes.get_title("left"): outside(axes) for axes in drawn(page, experiment).axes if outside(axes)
    } == {}


@pytest.mark.parametrize(("page", "experiment"), CASES)
def test_no_line_runs_through_a_text(page: Page, experiment: Experiment) -> None:
    figure = drawn(page, experiment)
    texts = boxes(figure)
    paths = [line.get_path().transformed(line.get_transform()) for axes in figure.axes for line in axes.lines]
    assert [text for text, box in texts for path in paths if path.intersects_bbox(box, filled=False)] == []


@pytest.mark.parametrize(("page", "experiment"), CASES)
def test_texts_lie_within_the_figure_and_apart(page: Page, experiment: Experiment) -> None:
    figure = drawn(page, experiment)
    texts = boxes(figure)
    whole = figure.bbox.padded(1)
    assert [text for text, box in texts if not (whole.contains(*box.min) and whole.contains(*box.max))] == []
    assert [
        (a, b) for (a, one), (b, other) in combinations(texts, 2) if one.padded(-1).overlaps(other.padded(-1))
    ] == []
