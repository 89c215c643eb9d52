"""The atoms of the lattice, and what other measures make of the same information."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pidreg_cli.reports.content import Paragraph, Section, Table
from pidreg_cli.reports.model import Atom, OneVersusRest, Report, Summary
from pidreg_cli.reports.reading import negligible
from pidreg_cli.reports.wording import Wording

SHOWN = 12
"""Atoms listed; the others are in report.json."""
LONGEST = 36
"""Columns of an atom's notation; of eight modalities it can have fifty members, listed in report.json."""
FEW = 3
"""Members that are all told, however long their names."""
STABLE = 0.1
"""Share of the total by which a part, where it is a negligible amount too, may differ between measures and still read
the same.
"""
CAVEAT = (
    "For one target, broja (like mmi, which then equals it) lets at most one modality have a unique part: "
    "two modalities that contribute equally and independently read as shared plus only together. dep and ig "
    "do not have this limit, so compare them before you say that nothing is unique."
)


def lattice(report: Report) -> Section | None:
    """The non-zero atoms of three or more modalities, largest first."""
    if report.pid is None or len(report.names) < 3:
        return None
    wording = Wording.of(report)
    found = sorted((a for a in report.pid.atoms if a.value > 0), key=lambda atom: -atom.value)
    shown = [atom for atom in found[:SHOWN] if wording.visible(atom.value)]
    if not shown:
        return None
    rows = tuple(
        (name, a.kind, wording.cell(a.value, a.ci)) for name, a in zip(atom_names(shown), shown, strict=True)
    )
    intro = (
        "{a} is what only a tells, {a}{b} what a and b both tell, {a,b} what shows only when a and b are "
        "combined, {a}{b,c} what a tells and so do b and c combined."
    )
    blocks: list[Paragraph | Table] = [Paragraph(intro), Table(("atom", "kind", "amount"), rows)]
    rest = found[len(shown) :]
    if rest:
        left = wording.with_units(sum(atom.value for atom in rest))
        count = "1 smaller atom holds" if len(rest) == 1 else f"{len(rest)} smaller atoms hold"
        blocks.append(Paragraph(f"{count} the remaining {left}."))
    return Section("Atoms, largest first", tuple(blocks))


def atom_names(atoms: Sequence[Atom]) -> list[str]:
    """The notation of each, short where it is long and still told from that of the others."""
    short = [short_id(atom) for atom in atoms]
    return [name if short.count(name) == 1 else atom.id for name, atom in zip(short, atoms, strict=True)]


def short_id(atom: Atom) -> str:
    """The atom's notation; where that is long, of many members, the first of these and how many there are."""
    if len(atom.id) <= LONGEST or len(atom.members) <= FEW:
        return atom.id
    kept = ""
    for member in atom.members:
        longer = f"{kept}{{{','.join(member)}}}"
        if kept and len(longer) > LONGEST:
            return f"{kept}... ({len(atom.members)} members)"
        kept = longer
    return atom.id


def sensitivity(report: Report) -> Section | None:
    """The same information by the other measures, and whether the reading depends on the measure."""
    if not report.sensitivity:
        return None
    wording = Wording.of(report)
    rows = one_versus_rest_rows(report, wording)
    if len(report.names) == 2:
        rows = summary_rows(report, wording)
    if not rows:
        return None
    verdict = Paragraph(f"{agreement(report)} {CAVEAT}")
    return Section("Does the measure matter?", (Table(header(report), rows), verdict))


def header(report: Report) -> tuple[str, ...]:
    """Columns of the sensitivity table."""
    if len(report.names) == 2:
        return ("measure", *(f"unique to {name}" for name in report.names), "shared", "only together")
    return ("modality", "measure", "unique to it", "unique to the rest", "shared", "only together")


def summary_rows(report: Report, wording: Wording) -> tuple[tuple[str, ...], ...]:
    """One row per measure, of two modalities."""
    return tuple(
        (measure, *(wording.amount(value) for value in four(summary)))
        for measure, summary in summaries(report)
    )


def summaries(report: Report) -> list[tuple[str, Summary]]:
    """Every measure's summary, the headline first; without ``mmi``, which equals it."""
    if report.pid is None:
        return []
    others = [(s.measure, s.summary) for s in report.sensitivity if s.summary and s.measure != "mmi"]
    return [(f"{report.pid.measure} (headline)", report.pid.summary), *others]


def four(summary: Summary) -> tuple[float, ...]:
    """The parts of two modalities."""
    return (*summary.unique.values(), summary.redundant, summary.synergistic)


def rest_rows(report: Report) -> list[OneVersusRest]:
    """Every measure's rows, those of a modality together; without ``mmi``."""
    others = [row for s in report.sensitivity if s.measure != "mmi" for row in s.one_versus_rest or ()]
    every = [*report.one_versus_rest, *others]
    return [row for name in report.names for row in every if row.modality == name]


def one_versus_rest_rows(report: Report, wording: Wording) -> tuple[tuple[str, ...], ...]:
    """A row per modality and measure."""
    return tuple(
        (row.modality, row.measure, *(wording.amount(v) for v in against_rest(row)))
        for row in rest_rows(report)
    )


def against_rest(row: OneVersusRest) -> tuple[float, ...]:
    """The parts of a modality and the rest."""
    return row.unique, row.unique_rest, row.redundant, row.synergistic


def agreement(report: Report) -> str:
    """Whether any part differs between measures by more than a negligible amount, or than ``STABLE`` of the total."""
    if len(report.names) == 2:
        groups = [[four(summary) for _, summary in summaries(report)]]
    else:
        rows = rest_rows(report)
        groups = [[against_rest(row) for row in rows if row.modality == name] for name in report.names]
    wording = Wording.of(report)
    largest = max(spread(part) for group in groups for part in zip(*group, strict=True))
    # By the bound of the verdicts: more than that can make a part of one measure nothing by another.
    if wording.total <= 0.0 or largest <= min(negligible(wording.units), STABLE * wording.total):
        within = f" within {wording.with_units(largest)}" if wording.visible(largest) else ""
        return f"The measures agree{within}: the reading above does not hang on the choice."
    return (
        f"The measures differ by up to {wording.with_units(largest)}, {wording.share(largest)} of the total: read "
        "unique, shared and only together as ranges between them. What a modality tells alone, and what it adds, do "
        "not depend on it."
    )


def spread(values: Iterable[float]) -> float:
    """Largest less smallest."""
    known = list(values)
    return max(known) - min(known)
