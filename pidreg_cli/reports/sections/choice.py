"""Which modalities to keep: the recommendation, its reason and the candidates."""

from __future__ import annotations

from pidreg_cli.reports.content import Paragraph, Section, Table
from pidreg_cli.reports.model import Report, Search, Selection, Subset
from pidreg_cli.reports.wording import NONE, Wording, listing, measured, percent, rows_phrase, together

SHOWN = 15
"""Candidates listed; the others are in report.json."""


def selection(report: Report) -> Section | None:
    """The recommendation, how firm it is, and the candidates by size."""
    if report.selection is None:
        return None
    chosen = report.selection
    blocks: list[Paragraph | Table] = [Paragraph(intro(report, chosen))]
    if len(chosen.subsets) > 1:
        shown = candidates(chosen)
        blocks += [candidate_table(report, shown), Paragraph(legend(chosen, len(shown)))]
    blocks += [Paragraph(text) for text in (firmness(chosen), verified(chosen)) if text]
    return Section("Which modalities to keep", tuple(blocks))


def intro(report: Report, chosen: Selection) -> str:
    """What is recommended, by which rule and on which rows."""
    kept = listing(chosen.recommended) if chosen.recommended else "none of the modalities"
    where = rows_phrase(chosen.protocol, chosen.rows)
    known = () if report.information is None else report.information.covariates
    without = f"{listing(known)} alone" if known else "predicting the mean"
    has = "have" if len(known) > 1 else "has"
    return (
        f"Recommended: {kept}. Errors are compared on {where}; {without} {has} RMSE {measured(chosen.mean_rmse)}."
        f"{searched(chosen.search)}"
    )


def searched(search: Search | None) -> str:
    """How many of the sets were tried, where these are not all."""
    if search is None or search.method == "exhaustive":
        return ""
    return (
        f" A greedy search, forward, backward and by exchanges, tried {search.tried:,} of {search.sets:,} sets: "
        "another set may be as good."
    )


def legend(chosen: Selection, shown: int) -> str:
    """What the marks mean, and where the other candidates are."""
    left = len(chosen.subsets) - shown
    marks = "* recommended, - beaten by a set that costs no more and errs no more."
    return marks + (f" {left} more sets are in report.json." if left else "")


def firmness(chosen: Selection) -> str | None:
    """How often other rows would lead to the same recommendation."""
    return None if chosen.stability is None else f"How firm this is: {chosen.stability.sentence}."


def verified(chosen: Selection) -> str | None:
    """What retraining found."""
    return None if chosen.verification is None else f"Verification: {chosen.verification.sentence}."


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
    rows = [] if report.selection.recommended else [none_row(report.selection, best, priced=priced)]
    for subset in shown:
        error = subset.expected_rmse
        change = percent(error / best - 1, 1) if error is not None and best else NONE
        amount = NONE if subset.information is None else wording.cell(subset.information, subset.ci)
        cost = NONE if subset.cost is None else f"{subset.cost:g}"
        cells = (label(subset, report.selection), amount, error_cell(subset), signed(change))
        rows.append((*cells, *((cost,) if priced else ())))
    header = (
        "modalities",
        f"information ({wording.units})",
        f"RMSE, {wording.interval_name()}",
        "against all",
        *(("cost",) if priced else ()),
    )
    return Table(header, tuple(rows))


def none_row(chosen: Selection, best: float | None, *, priced: bool) -> tuple[str, ...]:
    """What is recommended where no modality is worth having."""
    error = chosen.mean_rmse
    change = percent(error / best - 1, 1) if error is not None and best else NONE
    return ("* none of them", NONE, measured(error), signed(change), *(("0",) if priced else ()))


def error_cell(subset: Subset) -> str:
    """``10.4  9.8 to 11.1``."""
    span = subset.rmse_ci
    if span is None or None in span:
        return measured(subset.expected_rmse)
    return f"{measured(subset.expected_rmse)}  {measured(span[0])} to {measured(span[1])}"


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
