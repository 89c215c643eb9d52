"""The report as Markdown (CommonMark with tables)."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pidreg_cli.reports.content import Document
from pidreg_cli.reports.document import document
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.text import printable
from pidreg_cli.resources import templates_folder

LIST_START = re.compile(r"^(\d*)([.)]|[-+])(?=\s|$)")
SPECIAL = re.compile(r"([\\`*_{}\[\]#|~$])")
ADDRESS = re.compile(r"(?<=www)(?=\.)|(?=://)", re.IGNORECASE)
REFERENCE = re.compile(r"(?<=@)(?=\w)|(?<=#)(?=\d)")
"""Within what GitHub makes links of: addresses, and those of people (whom it tells) and of issues."""
NOTHING = "<!-- -->"
ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def to_markdown(report: Report) -> str:
    """Markdown with a closing newline."""
    return document_markdown(document(report))


def document_markdown(content: Document) -> str:
    """Markdown of any document, with a closing newline."""
    return _environment().get_template("report.md.j2").render(document=content)


@cache
def _environment() -> Environment:
    # The escaping is Markdown's, not HTML's: ``finalize`` applies it to all that the template inserts.
    return Environment(
        loader=FileSystemLoader(templates_folder() / "reports"),
        autoescape=False,  # noqa: S701
        finalize=escaped,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )


def escaped(value: object) -> str:
    """Text in which Markdown, GitHub's too, and HTML see nothing but text; runs of spaces, which it ignores, as one."""
    text = re.sub(r"\s+", " ", printable(str(value))).strip()
    text = "".join(ENTITIES.get(character, character) for character in text)
    text = LIST_START.sub(r"\1\\\2", SPECIAL.sub(r"\\\1", text))
    return REFERENCE.sub(NOTHING, ADDRESS.sub(r"\\", text))
