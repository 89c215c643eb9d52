"""A comparison as a document: its headline, and its sections in the order in which one asks."""

from __future__ import annotations

from pidreg_cli.reports.comparison import sections
from pidreg_cli.reports.comparison.differences import Difference, Known
from pidreg_cli.reports.comparison.pairing import Comparison, signed
from pidreg_cli.reports.content import Document, Paragraph, Section
from pidreg_cli.reports.sections.overview import title as title_of
from pidreg_cli.reports.wording import listing

SECTIONS = (
    sections.cautions,
    sections.parts,
    sections.modalities,
    sections.accuracy,
    sections.choice,
    sections.settings,
)


def document(both: Comparison) -> Document:
    """The comparison's document; sections without content are left out.

    Where something makes the two less comparable, that comes before any difference of them.
    """
    told = {section: section(both) for section in SECTIONS}
    changes, parts = headline(both), told[sections.parts]
    lead = (questions(both), *changes)
    if told[sections.cautions] is not None and parts is not None:
        lead, told[sections.parts] = lead[:1], after(changes, parts)
    found = tuple(section for section in told.values() if section is not None)
    return Document(f"{both.names[0]} and {both.names[1]} compared", lead, found)


def after(sentences: tuple[str, ...], section: Section) -> Section:
    """The section with these sentences before its content."""
    return Section(section.title, (*map(Paragraph, sentences), *section.blocks))


def questions(both: Comparison) -> str:
    """What A and B are, and what each of them is about, once where it is the same."""
    first, second = (lowered(title_of(report)) for report in (both.first, both.second))
    one, other = both.names
    if first == second:
        return f"A is {one}, B is {other}: {first}."
    return f"A is {one}: {first}. B is {other}: {second}."


def lowered(title: str) -> str:
    """The title within a sentence."""
    return f"{title[0].lower()}{title[1:]}"


def headline(both: Comparison) -> tuple[str, ...]:
    """How the total changed, and what else did."""
    moved = next((d for d in both.parts if d.name == "total"), None)
    if moved is None or moved.first is None or moved.second is None:
        return ()
    return total_change(both, moved.first, moved.second, moved), clear_changes(both)


def total_change(both: Comparison, first: Known, second: Known, moved: Difference) -> str:
    """The totals, their difference, and whether it can be told from chance."""
    wording, change = both.wording, second.value - first.value
    amounts = f"A {wording.with_units(first.value)}, B {wording.with_units(second.value)}"
    if moved.reading == "same":
        return f"Both tell the same in total: {amounts}."
    if not wording.visible(change):
        return f"The totals do not differ as printed: {amounts}."
    more = "more" if change > 0 else "less"
    known = moved.change.ci if moved.change is not None else None
    span = "" if known is None else f", {wording.interval_name()} {wording.span(known)}"
    chance = " That may be chance: the interval holds zero." if moved.reading == "may be chance" else ""
    size = wording.with_units(abs(change))
    return (
        f"B tells {size} {more} than A in total ({amounts}; difference {signed(both, change)}{span}).{chance}"
    )


def clear_changes(both: Comparison) -> str:
    """The changes whose intervals lie off zero."""
    found = [*both.parts, *both.modalities]
    if all(d.reading == "same" for d in found):
        return "No amount changed."
    if not both.alike or all(d.change is None or d.change.ci is None for d in found):
        return "Without comparable intervals it is not known which changes may be chance."
    clear = [
        f"{d.name} ({signed(both, d.change.value)})"
        for d in found
        if d.change and d.reading in ("more", "less")
    ]
    return (
        f"Changed beyond their intervals: {listing(clear)}."
        if clear
        else "No change lies beyond its interval."
    )
