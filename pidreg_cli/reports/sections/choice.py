"""Which modalities to keep: the recommendation, its reason and the candidates."""

from __future__ import annotations

from pidreg_cli.reports.content import Paragraph, Section, Table
from pidreg_cli.reports.model import Report, Selection, Subset
from pidreg_cli.reports.wording import NONE, Wording, listing, measured, percent, rows_phrase, together

SHOWN = 15
"""Candidates listed; the others are in report.json."""


def selection(report: Report) -> Section | None:
    """The recommendation and the candidates by size."""
    if report.selection is None:
        return None
    chosen = report.selection
    kept = listing(chosen.recommended) if chosen.recommended else "none of the modalities"
    where = rows_phrase(chosen.protocol, chosen.rows)
    mean = measured(chosen.mean_rmse)
    intro = f"Recommended: {kept}. Errors are compared on {where}; predicting the mean has RMSE {mean}."
    if len(chosen.subsets) == 1:
        return Section("Which modalities to keep", (Paragraph(intro),))
    shown = candidates(chosen)
    blocks: list[Paragraph | Table] = [Paragraph(intro), candidate_table(report, shown)]
    left = len(chosen.subsets) - len(shown)
    legend = "* recommended, - beaten by a set that costs no more and errs no more."
    blocks.append(Paragraph(legend + (f" {left} more sets are in report.json." if left else "")))
    return Section("Which modalities to keep", tuple(blocks))


def candidates(chosen: Selection) -> tuple[Subset, ...]:
    """All sets where they are few, else the most interesting ones; in the order of the report."""
    full = len(chosen.subsets[-1].modalities)
    ranked = sorted(chosen.subsets, key=lambda subset: dullness(subset, chosen, full))
    kept = {subset.modalities for subset in ranked[:SHOWN]}
    return tuple(subset for subset in chosen.subsets if subset.modalities in kept)


def dullness(subset: Subset, chosen: Selection, full: int) -> tuple[bool, bool, bool, float]:
    """Sort key: the recommended and the complete set, the Pareto front, single modalities, small errors."""
    size = len(subset.modalities)
    sought = subset.modalities == chosen.recommended or size == full
    return not sought, subset.dominated, size > 1, subset.expected_rmse or 0.0


def candidate_table(report: Report, shown: tuple[Subset, ...]) -> Table:
    """A row per candidate."""
    if report.selection is None or report.information is None:
        raise ValueError("a report without selection has no candidates")
    wording = Wording.of(report)
    priced = costs_given(report.selection)
    best = report.selection.subsets[-1].expected_rmse
    rows = []
    for subset in shown:
        error = subset.expected_rmse
        change = percent(error / best - 1, 1) if error is not None and best else NONE
        amount = NONE if subset.information is None else wording.cell(subset.information, subset.ci)
        cost = (f"{subset.cost:g}",) if priced and subset.cost is not None else ()
        rows.append((label(subset, report.selection), amount, measured(error), signed(change), *cost))
    header = (
        "modalities",
        f"information ({wording.units})",
        "RMSE",
        "against all",
        *(("cost",) if priced else ()),
    )
    return Table(header, tuple(rows))


def label(subset: Subset, chosen: Selection) -> str:
    """``* a + b``: how the set fared, and its members."""
    mark = "*" if subset.modalities == chosen.recommended else "-" if subset.dominated else " "
    return f"{mark} {together(subset.modalities)}"


def signed(change: str) -> str:
    """With a plus sign where the error is larger."""
    return change if change.startswith(("-", "0.0 ")) else f"+{change}"


def costs_given(chosen: Selection) -> bool:
    """Whether sets have other costs than their number of modalities."""
    return any(subset.cost != len(subset.modalities) for subset in chosen.subsets)
