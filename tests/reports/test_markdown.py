from __future__ import annotations

from dataclasses import replace
from html import unescape
from re import findall, sub

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.document import document
from pidreg_cli.reports.evidence import Evidence, ModalityFacts
from pidreg_cli.reports.markdown import escaped, to_markdown
from pidreg_cli.reports.model import Report

RENDERER = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
NASTY = ("p`i`pe<b>x</b>", "_em_ [l](u) ~s~ #🧠", "1. &amp;-x", "- d <script>")


@pytest.fixture(scope="module", params=["one", "two", "three", "eight", "nothing"])
def report(request: pytest.FixtureRequest) -> Report:
    return assemble(request.getfixturevalue(request.param))


def shown(html: str) -> str:
    """What a reader sees."""
    return unescape(sub(r"<[^>]+>", "", html)).strip()


def test_headings_are_the_sections(report: Report) -> None:
    html = RENDERER.render(to_markdown(report))
    assert [shown(title) for title in findall(r"<h2>(.*?)</h2>", html)] == [
        s.title for s in document(report).sections
    ]
    assert len(findall(r"<h1>", html)) == 1


def test_tables_have_all_their_cells(report: Report) -> None:
    html = RENDERER.render(to_markdown(report))
    tables = [block for s in document(report).sections for block in s.blocks if block.block == "table"]
    found = findall(r"<table>(.*?)</table>", html.replace("\n", ""))
    assert len(found) == len(tables)
    for table, rendered in zip(tables, found, strict=True):
        assert [shown(cell) for cell in findall(r"<th[^>]*>(.*?)</th>", rendered)] == list(table.header)
        cells = [shown(cell) for cell in findall(r"<td[^>]*>(.*?)</td>", rendered)]
        assert cells == [" ".join(cell.split()) for row in table.rows for cell in row]


def test_bullets_and_headline_are_all_there(report: Report) -> None:
    html = RENDERER.render(to_markdown(report))
    items = [
        item for s in document(report).sections for b in s.blocks if b.block == "bullets" for item in b.items
    ]
    assert [shown(item) for item in findall(r"<li>(.*?)</li>", html)] == items
    for sentence in document(report).headline:
        assert sentence in shown(html)


def test_nasty_names_stay_text(eight: Evidence) -> None:
    names = (*NASTY, "e", "f", "g", "h")
    modalities = tuple(ModalityFacts(name, 1, 0.0, 0.0) for name in names)
    table = replace(eight.table, target="<img src=x onerror=alert(1)>|`", files=("1. a*b*|c.parquet",))
    report = assemble(replace(eight, modalities=modalities, table=table))
    html = RENDERER.render(to_markdown(report))
    for tag in ("<b>", "<em>", "<a ", "<s>", "<script>", "<img", "<code>", "<ol>", "<li>\n<ul>"):
        assert tag not in html
    for name in names:
        assert name in shown(html)
    assert "<img src=x onerror=alert(1)>|`" in shown(html)


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("www.x.com", r"www\.x.com"),
        ("WWW.x.com/a", r"WWW\.x.com/a"),
        ("http://x.com", r"http\://x.com"),
        ("https://www.x.com", r"https\://www\.x.com"),
        ("@user", "@<!-- -->user"),
        ("me@x.com", "me@<!-- -->x.com"),
        ("lab #12", r"lab \#<!-- -->12"),
        ("3 @ 5", "3 @ 5"),
    ],
)
def test_github_makes_no_links_of_names_and_tells_nobody(name: str, written: str) -> None:
    assert escaped(name) == written
    assert shown(RENDERER.render(escaped(name))) == name


def test_no_blank_runs_and_one_closing_newline(report: Report) -> None:
    text = to_markdown(report)
    assert "\n\n\n" not in text
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert not any(line != line.rstrip() for line in text.splitlines())


@given(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), max_size=30))
def test_escaped_text_is_shown_as_it_is(text: str) -> None:
    html = RENDERER.render(escaped(text))
    assert set(findall(r"<(\w+)", html)) <= {"p"}
    assert shown(html).split(" ") == " ".join(text.split()).split(" ")
