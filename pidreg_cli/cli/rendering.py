"""A report in the format that was asked for."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pidreg_cli.cli.options import ReportFormat
from pidreg_cli.errors import UsageError

if TYPE_CHECKING:
    from pidreg_cli.reports.model import Report


SUFFIXES = {
    ".json": ReportFormat.JSON,
    ".md": ReportFormat.MARKDOWN,
    ".markdown": ReportFormat.MARKDOWN,
    ".txt": ReportFormat.TEXT,
}
PAGES = (".html", ".htm")
# Programs that open these by their suffix would not understand text.
OTHERS = (
    *(".csv", ".tsv", ".parquet", ".pq", ".feather", ".xlsx"),
    *(".jsonl", ".ndjson", ".yaml", ".yml", ".xml", ".pdf", ".docx", ".gz", ".zip"),
)


def format_of(output: Path | None, given: ReportFormat | None) -> ReportFormat:
    """The format that was given, else that of the suffix of ``output``, else text.

    Raises:
        UsageError: none was given, and the suffix promises a format that there is not.
    """
    if given is not None or output is None:
        return given or ReportFormat.TEXT
    suffix = output.suffix.lower()
    if suffix not in (*PAGES, *OTHERS):
        return SUFFIXES.get(suffix, ReportFormat.TEXT)
    remedy = "add --format"
    if suffix in PAGES:
        remedy = f"write {output.with_suffix('.json')}, and make a page of it with pidreg report"
    raise UsageError(
        "usage.format",
        f"-o {output}: without --format the suffix says what is written, and {suffix} is none of "
        f"{', '.join(SUFFIXES)}",
        f"{remedy}, or give another name",
    )


def rendered(report: Report, report_format: ReportFormat) -> str:
    """The report as text with a closing newline."""
    match report_format:
        case ReportFormat.JSON:
            from pidreg_cli.reports.serialise import to_json

            return to_json(report)
        case ReportFormat.MARKDOWN:
            from pidreg_cli.reports.markdown import to_markdown

            return to_markdown(report)
        case ReportFormat.TEXT:
            from pidreg_cli.reports.text import to_text

            return to_text(report)
