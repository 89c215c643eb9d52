"""The report as a document: its sections in the order in which an analyst asks."""

from __future__ import annotations

from pidreg_cli.reports.content import Document
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.sections import atoms, choice, glossary, modalities, model_facts, overview

SECTIONS = (
    overview.cautions,
    modalities.single,
    modalities.each,
    modalities.parts,
    choice.selection,
    model_facts.accuracy,
    atoms.sensitivity,
    atoms.lattice,
    model_facts.fusion,
    model_facts.rows,
    overview.notes,
    glossary.glossary,
)


def document(report: Report) -> Document:
    """The report's document; sections without content are left out."""
    found = (section(report) for section in SECTIONS)
    return Document(
        overview.title(report),
        overview.headline(report),
        tuple(section for section in found if section is not None),
    )
