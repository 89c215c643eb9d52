"""What every page must keep, whatever it says: read by a parser of HTML5 that forgives nothing."""

from __future__ import annotations

import re
from itertools import pairwise
from xml.etree.ElementTree import Element

import html5lib

SCRIPTED = {
    "script",
    "iframe",
    "object",
    "embed",
    "base",
    "form",
    "img",
    "image",
    "audio",
    "video",
    "foreignObject",
}
ADDRESSES = {"href", "src", "srcset", "data", "action", "poster", "{http://www.w3.org/1999/xlink}href"}


def parsed(page: str) -> Element:
    """The page's root; raises where a browser would have to guess."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(page)


def tag(element: Element) -> str:
    return str(element.tag).partition("}")[2] or str(element.tag)


def text_of(element: Element) -> str:
    return "".join(element.itertext()).replace("\u00a0", " ")


def check_page(page: str) -> Element:
    """Every promise of the page but its words; its root."""
    root = parsed(page)
    assert root.get("lang") == "en"
    assert next(text_of(e).strip() for e in root.iter("title"))
    check_references(root)
    check_structure(root)
    check_figures(root)
    return root


def check_references(root: Element) -> None:
    """Nothing from elsewhere, nothing that runs; ids unique and found."""
    ids = [e.get("id") for e in root.iter() if e.get("id")]
    assert len(ids) == len(set(ids))
    for element in root.iter():
        assert tag(element) not in SCRIPTED
        for name, value in element.attrib.items():
            assert not name.lower().startswith("on")
            targets = re.findall(r"url\(([^)]*)\)", value) + ([value] if name in ADDRESSES else [])
            for target in targets:
                assert target == "data:," or target.removeprefix("#") in ids, target
            for label in value.split() if name in ("aria-labelledby", "aria-describedby") else []:
                assert label in ids
    style = "".join(text_of(e) for e in root.iter("style"))
    assert "url(" not in style
    assert "@import" not in style


def check_structure(root: Element) -> None:
    """One h1, no level of headings left out, tables whose every header has a scope and whose rows are full."""
    levels = [int(tag(e)[1]) for e in root.iter() if re.fullmatch("h[1-6]", tag(e))]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(later <= earlier + 1 for earlier, later in pairwise(levels))
    for table in root.iter("table"):
        header = list(table.iterfind("thead/tr/th"))
        assert {cell.get("scope") for cell in header} == {"col"}
        for row in table.iterfind("tbody/tr"):
            assert len(row) == len(header)
            assert (row[0].tag, row[0].get("scope")) == ("th", "row")


def check_figures(root: Element) -> None:
    """Every figure has a name, a description and a caption."""
    figures = list(root.iter("figure"))
    pictures = [e for e in root.iter() if tag(e) == "svg"]
    assert len(figures) == len(pictures)
    texts = {e.get("id"): text_of(e) for e in root.iter() if e.get("id")}
    for picture in pictures:
        assert picture.get("role") == "img"
        assert len(texts[picture.get("aria-labelledby")]) > 8
        assert len(texts[picture.get("aria-describedby")]) > 20
    for figure in figures:
        assert len(text_of(next(figure.iter("figcaption")))) > 20
