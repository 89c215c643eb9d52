"""The report as one HTML page that needs nothing else: no network, no script; figures are part of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from pidreg_cli.reports.content import Section
from pidreg_cli.reports.document import SECTIONS
from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.figures.amounts import amounts
from pidreg_cli.reports.figures.canvas import Picture
from pidreg_cli.reports.figures.held_out import held_out
from pidreg_cli.reports.figures.parts import parts, sensitivity
from pidreg_cli.reports.figures.subsets import subsets
from pidreg_cli.reports.figures.training import training
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.sections import atoms, choice, modalities, model_facts, overview
from pidreg_cli.reports.text import printable
from pidreg_cli.reports.traces import Traces
from pidreg_cli.resources import templates_folder

SectionOf = Callable[[Report], Section | None]
PictureOf = Callable[[Report, Traces], Picture | None]

FIGURES: dict[SectionOf, PictureOf] = {
    modalities.each: lambda report, _: amounts(report),
    modalities.parts: lambda report, _: parts(report),
    choice.selection: lambda report, _: subsets(report),
    model_facts.accuracy: held_out,
    atoms.sensitivity: lambda report, _: sensitivity(report),
    model_facts.fusion: training,
}


@dataclass(frozen=True)
class PagePart:
    """A section with its figures; ``mark`` is its id, ``urgent`` says that it is to be read first."""

    mark: str
    section: Section
    pictures: tuple[Picture, ...]
    urgent: bool = False


@dataclass(frozen=True)
class Page:
    """A page ready to be rendered."""

    title: str
    headline: tuple[str, ...]
    parts: tuple[PagePart, ...]
    closing: tuple[str, ...]


def to_html(report: Report, traces: Traces | None = None) -> str:
    """The page of a report with a closing newline; without ``traces`` it lacks the figures of its run folder."""
    known = traces or Traces()
    found = [(section_of, section_of(report)) for section_of in SECTIONS]
    present = [(section_of, section) for section_of, section in found if section is not None]
    page_parts = tuple(
        PagePart(
            f"part-{number}",
            section,
            pictures_of(section_of, report, known),
            urgent=section_of is overview.cautions,
        )
        for number, (section_of, section) in enumerate(present, 1)
    )
    closing = (*left_out(report, known), f"pidreg {report.tool_version}, {report.created_at}.")
    return render(Page(overview.title(report), overview.headline(report), page_parts, closing))


def pictures_of(section_of: SectionOf, report: Report, traces: Traces) -> tuple[Picture, ...]:
    """The figure of a section, where it has one."""
    draw = FIGURES.get(section_of)
    picture = None if draw is None else draw(report, traces)
    return () if picture is None else (picture,)


def left_out(report: Report, traces: Traces) -> Iterable[str]:
    """Figures that the page lacks for want of files of the run."""
    missing = []
    if report.fusion is not None and traces.training is None and len(report.names) > 1:
        missing.append("the course of training (history.jsonl)")
    if report.metrics is not None and report.metrics.test is not None and traces.held_out is None:
        missing.append("held-out predictions (heldout.parquet)")
    if missing:
        yield (
            f"Left out: the figure{'s' * (len(missing) > 1)} of {' and of '.join(missing)}. A run folder that keeps "
            "these files has them: pidreg report RUN --format html."
        )


def render(page: Page) -> str:
    """HTML of a page."""
    return _environment().get_template("report.html.j2").render(page=page, colours=palette)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(templates_folder() / "reports"),
        # select_autoescape would take the suffix .j2 for text that needs no escaping.
        autoescape=True,
        finalize=shown,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    environment.filters["unbroken"] = unbroken
    return environment


AMOUNT = re.compile(r"[-+]?\d[-+\d.,e%() to]*")
"""A number, with its share and interval: ``0.37  (38 %)  0.31 to 0.43``."""


def unbroken(cell: str) -> str:
    """A cell of a table; an amount on one line."""
    return cell.replace(" ", "\u00a0") if AMOUNT.fullmatch(cell) else cell


def shown(value: object) -> object:
    """Text without control characters, which HTML may not contain, a number and its per cent sign on one line.

    Figures are left as the markup that they are.
    """
    if not isinstance(value, str) or isinstance(value, Markup):
        return value
    return printable(value).replace(" %", "\u00a0%")
