"""The report as plain text for a terminal: no colours, at most ``WIDTH`` columns of prose."""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Sequence
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pidreg_cli.harmless import marked
from pidreg_cli.reports.content import Bullets, Document, Table
from pidreg_cli.reports.document import document
from pidreg_cli.reports.model import Report
from pidreg_cli.resources import templates_folder

WIDTH = 92
GAP = "   "


def to_text(report: Report) -> str:
    """Plain text with a closing newline."""
    return document_text(document(report))


def document_text(content: Document) -> str:
    """Plain text of any document, with a closing newline."""
    return _environment().get_template("report.txt.j2").render(document=content)


@cache
def _environment() -> Environment:
    # Nothing here is markup: names are made printable, not escaped.
    environment = Environment(
        loader=FileSystemLoader(templates_folder() / "reports"),
        autoescape=False,  # noqa: S701
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters.update(heading=heading, wrapped=wrapped, aligned=aligned, listed=listed)
    return environment


def printable(text: str) -> str:
    """Control characters and line breaks as ``?``: a file or column name must not steer the terminal."""
    return marked(text)


def columns(text: str) -> int:
    """Columns that the text takes on a terminal."""
    wide = sum(unicodedata.east_asian_width(character) in "WF" for character in text)
    combining = sum(unicodedata.category(character) in ("Mn", "Me", "Cf") for character in text)
    return len(text) + wide - combining


def heading(title: str, rule: str) -> str:
    """The title, underlined."""
    return f"{printable(title)}\n{rule * columns(printable(title))}"


def wrapped(text: str) -> str:
    """A paragraph."""
    return filled(text, "", "")


def filled(text: str, first: str, others: str) -> str:
    """Lines of at most ``WIDTH`` columns, a number and its per cent sign on one."""
    kept = printable(text).replace(" %", "\u00a0%")
    return textwrap.fill(
        kept,
        WIDTH,
        initial_indent=first,
        subsequent_indent=others,
        break_long_words=False,
        break_on_hyphens=False,
    ).replace("\u00a0%", " %")


def listed(bullets: Bullets) -> str:
    """A list, wrapped and indented."""
    return "\n".join(filled(item, "  * ", "    ") for item in bullets.items)


def aligned(table: Table) -> str:
    """A table with its columns in line."""
    rows = [[printable(cell) for cell in row] for row in (table.header, *table.rows)]
    widths = [max(columns(row[place]) for row in rows) for place in range(len(table.header))]
    return "\n".join(_line(row, widths, table.numeric) for row in rows)


def _line(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    cells = (_cell(cell, width, end) for cell, width, end in zip(row, widths, right, strict=True))
    return f"  {GAP.join(cells)}".rstrip()


def _cell(text: str, width: int, right: bool) -> str:
    space = " " * (width - columns(text))
    return space + text if right else text + space
