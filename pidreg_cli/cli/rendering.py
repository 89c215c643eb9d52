"""A report in the format that was asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pidreg_cli.cli.options import ReportFormat

if TYPE_CHECKING:
    from pidreg_cli.reports.model import Report


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
