"""Two reports as one document: what changed, by how much, and what they were made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pidreg_cli.reports.comparison.differences import (
    Difference,
    Known,
    modality_differences,
    part_differences,
    total,
)
from pidreg_cli.reports.content import Bullets, Document, Paragraph, Section, Table
from pidreg_cli.reports.model import Accuracy, Report
from pidreg_cli.reports.sections.overview import title as title_of
from pidreg_cli.reports.wording import NONE, SMALL_TOTAL, Wording, decimal, listing, measured

ACCURACY = {"RMSE": "rmse", "MAE": "mae", "R2": "r2", "correlation": "corr"}


@dataclass(frozen=True)
class Comparison:
    """Two reports, what they are called, and how amounts of them are written; intervals only where alike."""

    first: Report
    second: Report
    names: tuple[str, str]
    wording: Wording
    alike: bool

    @property
    def parts(self) -> tuple[Difference, ...]:
        """Total and parts."""
        return self._judged(part_differences(self.first, self.second))

    @property
    def modalities(self) -> tuple[Difference, ...]:
        """What each modality tells and adds."""
        return self._judged(modality_differences(self.first, self.second))

    def _judged(self, found: Sequence[Difference]) -> tuple[Difference, ...]:
        """Without intervals where those of the two have different confidences."""
        if self.alike:
            return tuple(found)
        return tuple(Difference(d.name, bare(d.first), bare(d.second)) for d in found)


def bare(known: Known | None) -> Known | None:
    """The amount alone."""
    return None if known is None else Known(known.value, None)


def compared(first: Report, second: Report, places: tuple[str, str]) -> Comparison:
    """Both reports; ``places``: the paths they were read from, which name them."""
    levels = [r.information.confidence for r in (first, second) if r.information is not None]
    totals = [known.value for report in (first, second) for known in total(report).values()]
    highest = max(totals, default=0.0)
    wording = Wording("bits", highest, 2 if highest >= SMALL_TOTAL else 3, levels[0] if levels else 0.95)
    return Comparison(first, second, called(places), wording, len(set(levels)) == 1)


def called(places: tuple[str, str]) -> tuple[str, str]:
    """Short names of two paths; the paths where their ends are the same."""
    first, second = ("standard input" if place == "-" else Path(place).name or place for place in places)
    return (first, second) if first != second else places


def document(both: Comparison) -> Document:
    """The comparison's document; sections without content are left out."""
    sections = (cautions(both), parts(both), modalities(both), accuracy(both), choice(both), settings(both))
    first, second = both.names
    subject = title_of(both.second)
    return Document(
        f"{first} and {second} compared",
        (f"A is {first}, B is {second}: {subject[0].lower()}{subject[1:]}.", *headline(both)),
        tuple(section for section in sections if section is not None),
    )


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


def signed(both: Comparison, value: float) -> str:
    """``+0.12``, ``-0.12``, ``0.00``."""
    text = both.wording.amount(value)
    return f"+{text}" if value > 0 and both.wording.visible(value) else text


def cautions(both: Comparison) -> Section | None:
    """What makes the two less comparable than they look."""
    first, second = both.first, both.second
    found = []
    if first.data.target != second.data.target:
        found.append(f"The targets differ: '{first.data.target}' and '{second.data.target}'.")
    if first.names != second.names:
        found.append(f"The modalities differ: A has {listing(first.names)}, B has {listing(second.names)}.")
    if first.pid and second.pid and first.pid.measure != second.pid.measure:
        measures = f"{first.pid.measure} and {second.pid.measure}"
        found.append(
            f"The measures differ ({measures}), so parts are left out; the total does not depend on them."
        )
    kinds = [(r.information.estimator, r.information.interactions) for r in (first, second) if r.information]
    if len(set(kinds)) > 1:
        found.append("The informations were estimated differently, which alone can move them.")
    if not both.alike and first.information and second.information:
        levels = listing([f"{100 * r.information.confidence:g} %" for r in (first, second) if r.information])
        found.append(f"The intervals have different confidences ({levels}), so differences have none.")
    return Section("Before you compare", (Bullets(tuple(found)),)) if found else None


def parts(both: Comparison) -> Section | None:
    """Total and parts."""
    return difference_section("What changed", "part", both.parts, both)


def modalities(both: Comparison) -> Section | None:
    """What each modality tells."""
    return difference_section("What each modality tells", "modality", both.modalities, both)


def difference_section(
    title: str, what: str, found: Sequence[Difference], both: Comparison
) -> Section | None:
    """A row for each amount."""
    if not found:
        return None
    rows = tuple((d.name, cell(both, d.first), cell(both, d.second), *change_cells(both, d)) for d in found)
    level = both.wording.interval_name()
    same = (
        " Both saw the same table, so their errors are alike and these intervals rather too wide."
        if both.first.data.fingerprint == both.second.data.fingerprint
        else ""
    )
    legend = (
        f"In bits, {level}. more, less: the interval of the difference, that of two independent estimates, lies off "
        f"zero; each row is judged for itself.{same}"
        if any(d.change is not None and d.change.ci is not None for d in found)
        else "In bits."
    )
    return Section(title, (Table((what, "A", "B", "B less A", "reading"), rows), Paragraph(legend)))


def cell(both: Comparison, known: Known | None) -> str:
    """``0.37  0.31 to 0.43``."""
    if known is None:
        return NONE
    span = f"  {both.wording.span(known.ci)}" if known.ci is not None else ""
    return f"{both.wording.amount(known.value)}{span}"


def change_cells(both: Comparison, difference: Difference) -> tuple[str, str]:
    """The change with its interval, and how it reads."""
    change = difference.change
    if change is None:
        return NONE, f"only in {'A' if difference.second is None else 'B'}"
    span = f"  {both.wording.span(change.ci)}" if change.ci is not None else ""
    return f"{signed(both, change.value)}{span}", difference.reading


def accuracy(both: Comparison) -> Section | None:
    """Accuracy on held-out rows, where both predict the same target."""
    tests = [r.metrics.test if r.metrics is not None else None for r in (both.first, both.second)]
    first, second = tests
    if first is None or second is None or both.first.data.target != both.second.data.target:
        return None
    rows = tuple((name, *accuracy_cells(first, second, key)) for name, key in ACCURACY.items())
    counts = ("rows", f"{first.n:,}", f"{second.n:,}", NONE)
    return Section(
        "How well they predict", (Table(("on held-out rows", "A", "B", "B less A"), (*rows, counts)),)
    )


def accuracy_cells(first: Accuracy, second: Accuracy, key: str) -> tuple[str, str, str]:
    """A metric of both and its change."""
    one, other = getattr(first, key), getattr(second, key)
    write = measured if key in ("rmse", "mae") else ratio
    change = None if one is None or other is None else other - one
    sign = "+" if change is not None and change > 0 else ""
    return write(one), write(other), f"{sign}{write(change)}"


def ratio(value: float | None) -> str:
    """R2 or a correlation."""
    return NONE if value is None else decimal(value, 3)


def choice(both: Comparison) -> Section | None:
    """Both recommendations."""
    if both.first.selection is None or both.second.selection is None:
        return None
    reasons = (both.first.selection.reason, both.second.selection.reason)
    kept = [set(r.selection.recommended) for r in (both.first, both.second) if r.selection is not None]
    said = "Both keep the same modalities." if kept[0] == kept[1] else "They keep different modalities."
    lines = tuple(f"{name}: {reason}." for name, reason in zip("AB", reasons, strict=True))
    return Section("Which modalities to keep", (Paragraph(said), Bullets(lines)))


def settings(both: Comparison) -> Section:
    """What the two were made of, where they differ."""
    rows = tuple(
        (name, one, other)
        for (name, one), other in zip(facts(both.first).items(), facts(both.second).values(), strict=True)
        if one != other
    )
    same = "the table's content, target, seed, estimator and version" if not rows else ""
    blocks = (Table(("what", "A", "B"), rows),) if rows else (Paragraph(f"Nothing of {same}."),)
    return Section("What else differs", blocks)


def facts(report: Report) -> dict[str, str]:
    """What a report was made of, in words."""
    information = report.information
    return {
        "files": ", ".join(report.data.files) or NONE,
        "content of the table": report.data.fingerprint[:19],
        "rows used": f"{report.data.rows - report.data.rows_missing_target:,}",
        "target": report.data.target,
        "modalities": ", ".join(report.names),
        "command": report.command,
        "seed": str(report.seed),
        "folds": str(report.data.folds or NONE),
        "information from": NONE
        if information is None
        else f"{information.rows:,} rows, {information.protocol}",
        "estimator": NONE if information is None else f"{information.estimator}, {information.interactions}",
        "measure": NONE if report.pid is None else report.pid.measure,
        "device": report.device,
        "pidreg": report.tool_version,
        "made at": report.created_at,
    }
