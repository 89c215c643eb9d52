"""A comparison in the format that was asked for."""

from __future__ import annotations

from pidreg_cli.reports.comparison.document import document
from pidreg_cli.reports.comparison.pairing import Comparison
from pidreg_cli.reports.comparison.sections import cautions, modalities, parts


def rendered(both: Comparison, page_format: str) -> str:
    """``text``, ``markdown`` or ``html``, with a closing newline."""
    match page_format:
        case "html":
            return to_html(both)
        case "markdown":
            from pidreg_cli.reports.markdown import document_markdown

            return document_markdown(document(both))
    from pidreg_cli.reports.text import document_text

    return document_text(document(both))


def to_html(both: Comparison) -> str:
    """The page of a comparison, with a figure of parts and one of modalities."""
    from pidreg_cli.reports.comparison.figure import differences
    from pidreg_cli.reports.html import Page, PagePart, render

    pictures = {
        section.title: differences(name, section.title, found, both)
        for name, section, found in (
            ("changes", parts(both), both.parts),
            ("modalities", modalities(both), both.modalities),
        )
        if section is not None
    }
    content, warned = document(both), cautions(both)
    page_parts = []
    for number, section in enumerate(content.sections, 1):
        picture = pictures.get(section.title)
        shown = () if picture is None else (picture,)
        page_parts.append(PagePart(f"part-{number}", section, shown, urgent=section == warned))
    made = tuple(
        f"{name}: pidreg {report.tool_version}, {report.created_at}."
        for name, report in zip("AB", (both.first, both.second), strict=True)
    )
    return render(Page(content.title, content.headline, tuple(page_parts), made))
