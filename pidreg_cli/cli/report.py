"""``pidreg report``: a saved report in another format, or two of them side by side."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.rendering import rendered
from pidreg_cli.errors import UsageError

if TYPE_CHECKING:
    from pidreg_cli.reports.traces import Traces

STDIN = "-"


class PageFormat(StrEnum):
    """How a saved report is rendered."""

    HTML = "html"
    MARKDOWN = "markdown"
    TEXT = "text"
    JSON = "json"


SUFFIXES = {
    ".html": PageFormat.HTML,
    ".htm": PageFormat.HTML,
    ".md": PageFormat.MARKDOWN,
    ".markdown": PageFormat.MARKDOWN,
    ".txt": PageFormat.TEXT,
    ".json": PageFormat.JSON,
}


def report(
    context: typer.Context,
    reports: Annotated[
        list[str],
        typer.Argument(
            metavar="REPORT|RUN|-...",
            help="A report.json, a run folder, or standard input; two of them are compared.",
        ),
    ],
    page_format: Annotated[
        PageFormat | None,
        typer.Option("--format", help="Default: by the suffix of -o (.html, .md, .txt, .json), else text."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write there instead of stdout.")
    ] = None,
    force: options.Force = False,
    quiet: options.Quiet = False,
    debug: options.Debug = False,
) -> None:
    """Render a saved report again, or compare two.

    Examples: pidreg report data.pidreg -o report.html; pidreg report old.pidreg new.pidreg
    """
    from pidreg_cli.cli.outputs import check_result, write_result

    console: Console = context.obj
    console.listen(quiet=quiet, debug=debug)
    _check_places(reports)
    chosen = page_format or _format_of(output)
    if len(reports) == 2 and chosen is PageFormat.JSON:
        raise UsageError(
            "report.format",
            "a comparison has no JSON form",
            "choose html, markdown or text; pidreg check --baseline OLD --format json judges differences",
        )
    check_result(console, output, reports, force=force)
    text = _one(reports[0], chosen) if len(reports) == 1 else _two(reports[0], reports[1], chosen)
    write_result(console, text, output)


def _check_places(places: list[str]) -> None:
    if len(places) > 2:
        raise UsageError(
            "report.too_many", f"{len(places)} reports, but at most two are compared", "give two"
        )
    if places.count(STDIN) > 1:
        raise UsageError("report.stdin", "both reports cannot be standard input", "give a file")


def _format_of(output: Path | None) -> PageFormat:
    if output is None:
        return PageFormat.TEXT
    found = SUFFIXES.get(output.suffix.lower())
    if found is None:
        raise UsageError(
            "report.suffix",
            f"the suffix of {output} names no format",
            f"add --format, or use one of {', '.join(SUFFIXES)}",
        )
    return found


def _one(place: str, chosen: PageFormat) -> str:
    from pidreg_cli.reports.opening import read_report

    found = read_report(place)
    if chosen is not PageFormat.HTML:
        return rendered(found, options.ReportFormat(chosen.value))
    from pidreg_cli.reports.html import to_html

    return to_html(found, _traces(place))


def _traces(place: str) -> Traces | None:
    from pidreg_cli.run_traces import read_traces

    folder = Path(place)
    return read_traces(folder) if place != STDIN and folder.is_dir() else None


def _two(first: str, second: str, chosen: PageFormat) -> str:
    from pidreg_cli.reports.comparison.pairing import compared
    from pidreg_cli.reports.comparison.rendering import rendered as side_by_side
    from pidreg_cli.reports.opening import read_report

    found = [read_report(place) for place in (first, second)]
    return side_by_side(compared(found[0], found[1], (first, second)), chosen.value)
