from __future__ import annotations

import json
import re
from dataclasses import replace
from xml.etree.ElementTree import Element

import matplotlib as mpl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.document import document
from pidreg_cli.reports.evidence import Evidence, ModalityFacts
from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.html import to_html, unbroken
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.serialise import from_json, to_json
from pidreg_cli.reports.text import printable
from pidreg_cli.reports.traces import Traces
from tests.reports.conftest import traces_of
from tests.reports.page_checks import check_page, text_of

HOSTILE = (
    "<script>alert(1)</script>",
    "$\\frac10$ & 'x'",
    '"><img src=x onerror=alert(1)>',
    "脳 🧠 \u202eesrever",
)


@pytest.fixture(scope="module", params=["one", "two", "three", "eight", "nothing"])
def report(request: pytest.FixtureRequest) -> Report:
    return assemble(request.getfixturevalue(request.param))


@pytest.fixture(scope="module")
def page(report: Report) -> str:
    return to_html(report, traces_of(report.names))


def renamed(evidence: Evidence, names: tuple[str, ...], target: str) -> Report:
    modalities = tuple(ModalityFacts(name, 1, 0.0, 0.0) for name in names)
    table = replace(evidence.table, target=target, files=(f"{target}.parquet",))
    return assemble(replace(evidence, modalities=modalities, table=table))


def test_the_page_keeps_its_promises(page: str) -> None:
    root = check_page(page)
    assert len(page.encode()) < 1_000_000
    assert page.endswith("</html>\n")
    policy = next(e for e in root.iter("meta") if e.get("http-equiv") == "Content-Security-Policy")
    assert (policy.get("content") or "").startswith("default-src 'none';")


def test_eight_modalities_a_thousand_epochs_and_a_million_rows_fit_into_a_megabyte(eight: Evidence) -> None:
    names = tuple(f"modality with a long name {one.name}" for one in eight.modalities)
    facts = tuple(replace(one, name=name) for one, name in zip(eight.modalities, names, strict=True))
    page = to_html(assemble(replace(eight, modalities=facts)), traces_of(names, rows=1_000_000, epochs=1_000))
    check_page(page)
    assert 200_000 < len(page.encode()) < 1_000_000


def test_the_page_says_what_the_document_says(page: str, report: Report) -> None:
    root, content = check_page(page), document(report)
    assert [text_of(e) for e in root.iter("h1")] == [content.title]
    assert [text_of(e) for e in root.iter("h2")] == [section.title for section in content.sections]
    blocks = [block for section in content.sections for block in section.blocks]
    items = [text_of(e) for e in root.iter("li") if e.find("a") is None]
    assert items == [item for block in blocks if block.block == "bullets" for item in block.items]
    rows = [
        [text_of(cell) for cell in row] for table in root.iter("table") for row in table.iterfind("tbody/tr")
    ]
    assert rows == [list(row) for block in blocks if block.block == "table" for row in block.rows]


def test_links_of_the_contents_lead_to_sections(page: str) -> None:
    root = check_page(page)
    links = {(e.get("href") or "").removeprefix("#"): text_of(e) for e in root.iter("a")}
    assert links == {e.get("id"): text_of(e.find("h2")) for e in root.iter("section")}


def test_equal_reports_make_equal_pages_whatever_matplotlib_was_told(two: Evidence) -> None:
    report, traces = assemble(two), traces_of(("a", "b"))
    first = to_html(report, traces)
    with mpl.rc_context({"font.size": 30, "svg.fonttype": "path", "text.usetex": True, "lines.linewidth": 9}):
        before = dict(mpl.rcParams)
        assert to_html(report, traces) == first
        assert dict(mpl.rcParams) == before
    assert to_html(from_json(to_json(report)), traces) == first


def figures(page: str) -> set[str | None]:
    return {
        (e.get("aria-labelledby") or "").removesuffix("-title")
        for e in check_page(page).iter()
        if e.get("role") == "img"
    }


def test_what_scrolls_is_reached_by_the_keyboard_and_named(two: Evidence) -> None:
    page = check_page(to_html(assemble(two), traces_of(("a", "b"))))
    scrolled = [e for e in page.iter() if e.get("class") == "scrolled"]
    assert all((e.get("tabindex"), e.get("role")) == ("0", "region") for e in scrolled)
    named = [str(e.get("aria-label")) for e in scrolled]
    assert sum(name.startswith("Figure: ") for name in named) == len(figures_of(page)) == 6
    assert all(any(e.get("role") == "img" for e in figure.iter()) for figure in figures_of(page))


def figures_of(page: Element) -> list[Element]:
    return [e for e in page.iter() if (e.get("aria-label") or "").startswith("Figure: ")]


def test_figures_that_need_the_run_are_left_out_and_missed(two: Evidence) -> None:
    report = assemble(two)
    of_report = {"amounts", "parts", "subsets", "sensitivity"}
    alone, whole = to_html(report), to_html(report, traces_of(report.names))
    assert figures(alone) == of_report
    assert figures(whole) == of_report | {"training", "heldout"}
    assert "Left out: the figures of the course of training" in alone
    assert "Left out" not in whole
    half = to_html(report, Traces(held_out=traces_of(report.names).held_out))
    assert "Left out: the figure of the course of training (history.jsonl)." in half


def test_a_measure_without_a_summary_has_a_page(three: Evidence) -> None:
    report = assemble(three).model_copy(update={"pid": None})
    found = figures(to_html(report))
    assert "subsets" in found
    assert "parts" not in found


def test_one_modality_needs_no_comparison(one: Evidence) -> None:
    report = assemble(one)
    assert figures(to_html(report, traces_of(report.names))) == {"heldout"}


def test_nats_are_named_in_figures_too(two: Evidence) -> None:
    content = json.loads(to_json(assemble(two)))
    content["information"]["units"] = "nats"
    described = text_of(
        next(
            e
            for e in check_page(to_html(from_json(json.dumps(content)))).iter()
            if e.get("id") == "amounts-desc"
        )
    )
    assert " nats " in described
    assert " bits " not in described


def test_hostile_names_stay_text(two: Evidence) -> None:
    for first, second in (HOSTILE[:2], HOSTILE[2:]):
        report = renamed(two, (first, second), second)
        root = check_page(to_html(report, traces_of(report.names)))
        words = text_of(root)
        assert first in words
        labels = [text_of(e) for e in root.iter() if str(e.tag).endswith("}text") or e.tag == "text"]
        assert any(label.startswith(first[:8]) for label in labels)


NAME = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters='{},*=+|/\\"'), min_size=1, max_size=40
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(names=st.lists(NAME, min_size=2, max_size=2, unique_by=lambda name: printable(name)), target=NAME)
def test_any_name_makes_a_page(two: Evidence, names: list[str], target: str) -> None:
    report = renamed(two, tuple(names), target)
    words = text_of(check_page(to_html(report)))
    for name in (*names, target):
        assert " ".join(printable(name).split()) in " ".join(words.split())


def test_colours_are_told_apart() -> None:
    assert palette.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert palette.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)
    for ground in (palette.PAGE, palette.PANEL):
        for colour in palette.TEXT_COLOURS:
            assert palette.contrast(colour, ground) >= 4.5
    parts = (int(palette.UNIQUE[k : k + 2], 16) for k in (1, 3, 5))
    cloud = "#" + "".join(f"{round(255 - palette.CLOUD * (255 - part)):02x}" for part in parts)
    for colour in (*palette.MARK_COLOURS, *palette.LINES, cloud, palette.FEWEST_ROWS):
        assert palette.contrast(colour, palette.PAGE) >= 3
    assert len(set(palette.LINES)) == len(palette.LINES) == len(palette.MARKERS) == len(palette.HATCHES)


def test_the_page_uses_the_palette_alone(three: Evidence) -> None:
    report = assemble(three)
    page = to_html(report, traces_of(report.names))
    known = {v for v in vars(palette).values() if isinstance(v, str) and v.startswith("#")}
    style = page.partition("<style>")[2].partition("</style>")[0]
    assert set(re.findall(r"#[0-9a-f]{6}\b", style)) <= known


def test_amounts_stay_on_one_line_and_texts_do_not() -> None:
    assert " " not in unbroken("0.37  (38 %)  0.31 to 0.43")
    assert " " not in unbroken("-1.2e+03 -1.3e+03 to 0")
    for text in ("100 files, a.parquet to b.parquet", "broja", "12,000 rows, folds", "a to b"):
        assert unbroken(text) == text
