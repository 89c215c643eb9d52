from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.comparison.differences import Difference, Known, difference_interval
from pidreg_cli.reports.comparison.document import document
from pidreg_cli.reports.comparison.pairing import compared
from pidreg_cli.reports.comparison.rendering import rendered
from pidreg_cli.reports.evidence import Evidence
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.serialise import from_json, to_json
from pidreg_cli.reports.units import in_nats
from tests.reports.conftest import drawn
from tests.reports.page_checks import check_page, text_of

PLACES = ("old.pidreg", "runs/new.pidreg")
NUMBER = st.floats(-5, 5)


def text(first: Report, second: Report, page_format: str = "text") -> str:
    return " ".join(rendered(compared(first, second, PLACES), page_format).split())


@pytest.fixture(scope="module")
def old(two: Evidence) -> Report:
    return assemble(two)


@pytest.fixture(scope="module")
def new() -> Report:
    """The same system, but b is hardly noisy and so tells much more."""
    return assemble(drawn(("a", "b"), np.array([[1.0, 0.0, 0, 1], [1, 0, 0.2, 0], [1, 0.5, 0, 0.7]]), seed=1))


def changed(report: Report, change: Callable[[Any], None]) -> Report:
    content = json.loads(to_json(report))
    change(content)
    return from_json(json.dumps(content))


@given(NUMBER, NUMBER, st.floats(0, 3), st.floats(0, 3))
def test_symmetric_intervals_add_as_squares(a: float, b: float, half_a: float, half_b: float) -> None:
    span = difference_interval(Known(a, (a - half_a, a + half_a)), Known(b, (b - half_b, b + half_b)))
    half = np.hypot(half_a, half_b)
    assert span == pytest.approx((b - a - half, b - a + half), abs=1e-9)


@given(st.lists(st.floats(0, 3), min_size=4, max_size=4), NUMBER, NUMBER)
def test_exchanging_the_reports_turns_the_interval_over(ends: list[float], a: float, b: float) -> None:
    one, other = Known(a, (a - ends[0], a + ends[1])), Known(b, (b - ends[2], b + ends[3]))
    forth, back = difference_interval(one, other), difference_interval(other, one)
    assert forth is not None
    assert back is not None
    assert forth == pytest.approx((-back[1], -back[0]), abs=1e-12)
    assert forth[0] <= b - a <= forth[1]


def test_intervals_of_independent_estimates_cover_as_often_as_they_say() -> None:
    rng, covered, trials = np.random.default_rng(0), 0, 4000
    for a, b in rng.normal((1.0, 1.3), (0.1, 0.3), (trials, 2)):
        span = difference_interval(Known(a, (a - 0.196, a + 0.196)), Known(b, (b - 0.588, b + 0.588)))
        assert span is not None
        covered += span[0] <= 0.3 <= span[1]
    assert covered / trials == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize(
    ("first", "second", "reading"),
    [
        (Known(1, (0.9, 1.1)), Known(2, (1.8, 2.2)), "more"),
        (Known(2, (1.8, 2.2)), Known(1, (0.9, 1.1)), "less"),
        (Known(1, (0.5, 1.5)), Known(1.1, (1, 1.2)), "may be chance"),
        (Known(1, (0.5, 1.5)), Known(1, (0.5, 1.5)), "same"),
        (Known(1, None), Known(2, (1.8, 2.2)), "-"),
        (None, Known(1, None), "-"),
    ],
)
def test_readings(first: Known | None, second: Known | None, reading: str) -> None:
    assert Difference("x", first, second).reading == reading


def test_a_report_and_itself_do_not_differ(old: Report) -> None:
    said = text(old, old)
    assert "Both tell the same in total" in said
    assert "No amount changed." in said
    assert "Nothing of the table's content" in said
    assert "may be chance" not in said
    assert "Before you compare" not in said
    assert "Both saw the same table" in said


def test_what_changed_is_said_with_its_interval(old: Report, new: Report) -> None:
    said = text(old, new)
    assert "A is old.pidreg, B is new.pidreg: what a and b tell about y." in said
    assert "b on its own (+" in said.partition("Changed beyond their intervals: ")[2].partition(").")[0] + ")"
    turned = text(new, old)
    assert "b on its own (-" in turned
    more, less = (part.partition(" bits")[0][-4:] for part in (said, turned))
    assert more == less
    assert "more than A" in said
    assert "less than A" in turned


def test_units_and_intervals_are_made_comparable(old: Report, new: Report) -> None:
    def to_nats(content: Any) -> None:
        content["information"]["units"] = "nats"
        for part in [*content["information"]["values"]]:
            part["value"] *= np.log(2)
            part["ci"] = [end * np.log(2) for end in part["ci"]]

    both = compared(old, changed(old, to_nats), PLACES)
    totals = next(d for d in both.parts if d.name == "total")
    assert totals.first is not None
    assert totals.second is not None
    assert totals.second.value == pytest.approx(totals.first.value)
    assert totals.second.ci == pytest.approx(totals.first.ci)

    def wider(content: Any) -> None:
        content["information"]["confidence"] = 0.99

    said = text(old, changed(new, wider))
    assert "The intervals have different confidences (95 % and 99 %)" in said
    assert "Without comparable intervals" in said
    assert said.count("may be chance") == 1


@pytest.mark.parametrize("page_format", ["text", "markdown", "html"])
def test_both_questions_are_named_and_the_caution_comes_before_any_difference(
    old: Report, three: Evidence, page_format: str
) -> None:
    said = text(old, assemble(three), page_format)
    lead = "A is old.pidreg: what a and b tell about y. B is new.pidreg: what mri, fmri and age tell about y."
    order = [lead, "The modalities differ", "B tells ", "Changed beyond their intervals"]
    places = [said.index(part) for part in order]
    assert places == sorted(places)
    assert all(said.count(part) == 1 for part in order[2:])


def test_differences_of_kind_are_cautions(old: Report, new: Report, three: Evidence) -> None:
    def other(content: Any) -> None:
        content["data"]["target"] = "z"
        content["pid"]["measure"] = "mmi"
        content["information"]["estimator"] = "plugin"

    said = text(old, changed(new, other))
    assert "The targets differ: 'y' and 'z'." in said
    assert "The measures differ (broja and mmi)" in said
    assert "estimated differently" in said
    assert "unique to" not in said
    assert "How well they predict" not in said
    assert "The modalities differ: A has a and b, B has mri, fmri and age." in text(old, assemble(three))
    assert "only in B" in text(old, assemble(three))


def test_measures_of_two_sources_are_cautioned_of_where_there_are_more(three: Evidence) -> None:
    first = assemble(three)

    def by_pairs(content: Any) -> None:
        content["pid"] = None
        for row in content["one_versus_rest"]:
            row["measure"] = "ig"

    said = text(first, changed(first, by_pairs))
    assert "The measures differ (broja and ig), so parts are left out" in said
    assert "unique to" not in said
    assert said.endswith(" measure broja ig")


def test_other_covariates_are_cautioned_of(old: Report) -> None:
    def beyond(*columns: str) -> Callable[[Any], None]:
        return lambda content: content["information"].update(covariates=list(columns))

    known = changed(old, beyond("age", "sex"))
    said = text(old, known)
    assert "The covariates differ (A: none; B: age and sex), so amounts" in said
    assert " covariates - age, sex" in said
    same = text(known, changed(old, beyond("sex", "age")))
    assert "The covariates differ" not in same
    assert " covariates age" not in same


def test_groups_and_what_informations_are_of_are_told(old: Report) -> None:
    def grouped(content: Any) -> None:
        content["data"]["group"] = "subject"

    def of_features(content: Any) -> None:
        content["information"]["protocol"] = "features"

    assert " group - subject" in text(old, changed(old, grouped))
    assert "the other of the features themselves" not in text(old, changed(old, grouped))
    assert "the other of the features themselves" in text(old, changed(old, of_features))


def test_the_same_amounts_in_other_units_are_the_same(two: Evidence) -> None:
    nats = in_nats(assemble(two))
    both = compared(assemble(two), nats, PLACES)
    assert {d.reading for d in (*both.parts, *both.modalities)} == {"same"}
    assert "No amount changed." in text(assemble(two), nats)


def test_reports_without_decomposition_compare_too(one: Evidence, old: Report) -> None:
    said = text(assemble(one), old)
    assert "unique to" not in said
    assert "only on its own" in said
    nothing = {"information": None, "pid": None, "shapley": None, "selection": None}
    nothing |= {"one_versus_rest": [], "sensitivity": []}
    bare = changed(old, lambda content: content.update(nothing))
    assert "compared" in text(bare, bare)


def test_the_page_keeps_its_promises_and_says_the_same(old: Report, new: Report) -> None:
    both = compared(old, new, PLACES)
    root, content = check_page(rendered(both, "html")), document(both)
    assert [text_of(e) for e in root.iter("h2")] == [section.title for section in content.sections]
    assert len([e for e in root.iter() if e.get("role") == "img"]) == 2
    rows = [[text_of(cell) for cell in row] for row in root.iterfind(".//tbody/tr")]
    assert rows == [
        list(r) for s in content.sections for block in s.blocks if block.block == "table" for r in block.rows
    ]
    assert "| part | A | B | B less A | reading |" in rendered(both, "markdown")


def test_paths_of_the_same_name_are_named_in_full(old: Report, new: Report) -> None:
    both = compared(old, new, ("x/run", "y/run"))
    assert both.names == ("x/run", "y/run")
    assert compared(old, new, ("-", "y/run")).names == ("standard input", "run")
