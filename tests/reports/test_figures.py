from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.evidence import Evidence
from pidreg_cli.reports.figures.amounts import amounts
from pidreg_cli.reports.figures.axes import (
    ROW,
    SHARED,
    TOGETHER,
    shortened,
    stacked,
    told_apart,
    unique_segment,
)
from pidreg_cli.reports.figures.canvas import Words, picture
from pidreg_cli.reports.figures.held_out import MOST_POINTS, held_out
from pidreg_cli.reports.figures.parts import parts, sensitivity
from pidreg_cli.reports.figures.subsets import subsets
from pidreg_cli.reports.figures.training import coloured, curves, training
from pidreg_cli.reports.traces import Epoch, HeldOut, Traces
from pidreg_cli.reports.wording import Wording, measured
from tests.reports.conftest import traces_of


def test_bars_and_descriptions_hold_the_numbers_of_the_report(two: Evidence) -> None:
    report = assemble(two)
    assert report.pid is not None
    wording, summary = Wording.of(report), report.pid.summary
    bars = parts(report)
    assert bars is not None
    for value in (summary.total, summary.unique["a"], summary.redundant, summary.synergistic):
        assert wording.with_units(value) in bars.svg
    others = sensitivity(report)
    assert others is not None
    for measure in ("broja (headline)", "dep", "ig"):
        assert f"{measure}: unique to a " in others.svg


def test_parts_below_nothing_stand_left_of_zero() -> None:
    spans: list[tuple[float, float]] = []

    def draw(figure: Figure) -> None:
        axes = figure.add_subplot()
        stacked(axes, [unique_segment(0, "own"), SHARED, TOGETHER], [[0.5, -0.2, 0.3]])
        spans.extend((bar.get_x(), bar.get_width()) for bar in axes.patches)
        assert axes.get_xlim() == pytest.approx((-0.2, 0.8))

    assert "-0.20</text>" in picture(Words("x", "x", "x", "x"), 2.0, draw).svg
    assert spans == [pytest.approx(span) for span in ((0, 0.5), (0, -0.2), (0.5, 0.3))]


def test_intervals_are_drawn_and_told(two: Evidence) -> None:
    report = assemble(two)
    assert report.information is not None
    found, bare = amounts(report), amounts(without_intervals(two))
    assert found is not None
    assert bare is not None
    whole = report.information.values[-1]
    assert f"({Wording.of(report).span(whole.ci)})" in found.svg
    assert "Lines are 95 % CIs." in found.caption
    assert "Lines" not in bare.caption
    assert found.svg.count("<path") > bare.svg.count("<path")


def without_intervals(evidence: Evidence):
    assert evidence.information is not None
    return assemble(replace(evidence, information=replace(evidence.information, jackknife=None)))


def test_the_front_is_told_with_its_errors(three: Evidence) -> None:
    report = assemble(three)
    assert report.selection is not None
    found, wording = subsets(report), Wording.of(report)
    assert found is not None
    for subset in report.selection.subsets:
        told = (
            f"{' + '.join(subset.modalities)} at {subset.cost:g}: RMSE {measured(subset.expected_rmse)}, "
            f"{wording.with_units(subset.information)} ({wording.span(subset.ci)})."
        )
        assert (told in found.svg) == (not subset.dominated)
    assert "Recommended: mri + fmri + age." in found.svg


def test_no_recommendation_among_many_sets_is_drawn(eight: Evidence) -> None:
    report = assemble(eight)
    assert report.selection is not None
    none = report.model_copy(update={"selection": report.selection.model_copy(update={"recommended": ()})})
    found, whole = subsets(none), subsets(report)
    assert found is not None
    assert whole is not None
    assert "Recommended: none of the modalities." in found.svg
    # A star in each panel, and one in the legend.
    assert found.svg.count("<use") == whole.svg.count("<use") - 2 - whole.svg.count(">recommended<")


def test_sets_are_drawn_by_error_and_by_information_with_intervals(three: Evidence) -> None:
    report = assemble(three)
    found = subsets(report)
    bare = subsets(without_intervals(three))
    alone = subsets(report.model_copy(update={"information": None}))
    assert found is not None
    assert bare is not None
    assert alone is not None
    for label in ("expected RMSE", "information (bits)", "number of modalities"):
        assert found.svg.count(f">{label}") == 1
    assert "information (bits)" not in alone.svg
    assert "bits" not in alone.svg
    assert found.svg.count("<use") > 1.5 * alone.svg.count("<use")
    assert "lines are 95 % CIs" in found.caption
    assert "lines are" not in bare.caption
    assert "High and left is good." in bare.caption


def test_hundreds_of_sets_stay_small_and_are_told_by_number(eight: Evidence) -> None:
    report = assemble(eight)
    assert report.selection is not None
    found = subsets(report)
    assert found is not None
    assert len(report.selection.subsets) == 255
    assert len(found.svg) < 100_000


def test_many_rows_become_hexagons(two: Evidence) -> None:
    report = assemble(two)
    y = np.random.default_rng(0).standard_normal(20 * MOST_POINTS)
    few, many = (
        held_out(report, Traces(held_out=HeldOut(y[:n], 0.5 * y[:n]))) for n in (MOST_POINTS, len(y))
    )
    assert few is not None
    assert many is not None
    assert few.svg.count("<use") > MOST_POINTS
    assert "Darker hexagons" in many.caption
    assert len(many.svg) < 150_000
    assert "14,000 rows. Correlation 1.000. Median residual" in many.svg


@pytest.mark.parametrize("y", [np.zeros(5), np.full(3, 1e300), np.array([1.0]), np.full(900, 2.0)])
def test_targets_without_spread_are_drawn(two: Evidence, y: np.ndarray) -> None:
    found = held_out(assemble(two), Traces(held_out=HeldOut(y, y)))
    assert found is not None
    assert "nan" not in found.svg.lower()


def test_stage_two_is_marked_and_ends_are_told(two: Evidence) -> None:
    report = assemble(two)
    traces = traces_of(("a", "b"))
    found = training(report, traces)
    assert found is not None
    assert "2 epochs of stage 1, 2 of stage 2. Weights: a from 50 % to 50 %" in found.svg
    assert "unique to a from 0.00 to 0.10" in found.svg
    assert " stage 2</text>" in found.svg
    assert traces.training is not None
    first = training(report, Traces(training=traces.training[:2]))
    assert first is not None
    assert " stage 2</text>" not in first.svg


def test_what_is_shared_and_what_shows_together_are_always_drawn(eight: Evidence) -> None:
    report = assemble(eight)
    atoms = {f"unique.{name}": 1.0 for name in report.names} | {"redundant": 0.0, "synergistic": 0.1}
    weights = dict.fromkeys(report.names, 1 / 8)
    course = tuple(Epoch(1, atoms, weights) for _ in range(3))
    found = training(report, Traces(training=course))
    assert found is not None
    assert "shared from 0.00 to 0.00" in found.svg
    assert "only together from 0.10 to 0.10" in found.svg
    assert "At most 6 of each are drawn" in found.caption
    assert "of atoms always what is shared" in found.caption
    assert list(curves([atoms], ("redundant",)))[-1] == "redundant"


def test_names_that_differ_are_told_apart_however_long() -> None:
    names = [f"imaging_mri_{name} added to the others" for name in ("t1", "t2")]
    assert len(set(told_apart(names))) == 2
    ends = [f"imaging_mri_sequence_{name}_weighted_lefthem" for name in ("t1", "t2")]
    assert shortened(ends[0]) == shortened(ends[1])
    assert len(set(told_apart(ends))) == 2
    long = ["a" * 40 + middle + "b" * 60 for middle in "xy"]
    assert told_apart(long) == long
    assert told_apart(["c" * 40, "d"], ROW) == [shortened("c" * 40, ROW), "d"]


def test_curves_of_parts_have_the_colours_of_the_bars() -> None:
    names = ["unique to a", "shared", "only together", *(f"unique to {name}" for name in "bcdefg")]
    found = coloured(names)
    assert list(found) == names
    assert (found["shared"], found["only together"]) == (SHARED.colour, TOGETHER.colour)
    others = [found[name] for name in names if name.startswith("unique")]
    assert not {SHARED.colour, TOGETHER.colour}.intersection(others)
    assert len(set(others[:4])) == 4


def test_no_figure_of_nothing(one: Evidence, two: Evidence) -> None:
    single, pair = assemble(one), assemble(two)
    for figure in (amounts, parts, sensitivity, subsets):
        assert figure(single) is None
    assert training(pair, Traces()) is None
    assert training(pair, Traces(training=())) is None
    assert held_out(pair, Traces()) is None
    assert held_out(pair, Traces(held_out=HeldOut(np.array([]), np.array([])))) is None
    assert subsets(pair.model_copy(update={"selection": None})) is None
    assert amounts(pair.model_copy(update={"information": None})) is None


def test_ids_belong_to_their_figure_and_texts_are_no_markup() -> None:
    words = Words("own", "A <title>", 'id="x" & url(#y) and $x^2$', "caption")
    drawn = picture(words, 2.0, lambda figure: figure.suptitle('id="x" & <b>url(#y) $x^2$ <script>'))
    assert drawn.svg.count("&lt;script&gt;") == 1
    assert 'id="x" &amp; &lt;b&gt;url(#y) $x^2$' in drawn.svg
    assert drawn.svg.startswith("<svg")
    assert 'id="own-title">A &lt;title&gt;</title>' in drawn.svg
    assert "xmlns" not in drawn.svg


@pytest.mark.parametrize(
    ("name", "shown"),
    [("short", "short"), ("a" * 28, "a" * 28), ("begin" + "-" * 40 + "end", "begin--------...---------end")],
)
def test_long_names_lose_their_middle(name: str, shown: str) -> None:
    assert shortened(name) == shown
    assert len(shortened(name)) <= 28
