"""The sections of a comparison: what changed, accuracy, recommendations, and what else differs."""

from __future__ import annotations

from collections.abc import Sequence

from pidreg_cli.reports.comparison.differences import Difference, Known
from pidreg_cli.reports.comparison.pairing import Comparison, signed
from pidreg_cli.reports.content import Bullets, Paragraph, Section, Table
from pidreg_cli.reports.model import Accuracy, Report
from pidreg_cli.reports.reading import measure_of
from pidreg_cli.reports.sections.model_facts import files
from pidreg_cli.reports.wording import NONE, decimal, listing, measured

ACCURACY = {"RMSE": "rmse", "MAE": "mae", "R2": "r2", "correlation": "corr"}


def cautions(both: Comparison) -> Section | None:
    """What makes the two less comparable than they look."""
    first, second = both.first, both.second
    found = []
    if first.data.target != second.data.target:
        found.append(f"The targets differ: '{first.data.target}' and '{second.data.target}'.")
    if first.names != second.names:
        found.append(f"The modalities differ: A has {listing(first.names)}, B has {listing(second.names)}.")
    measures = [measure for measure in map(measure_of, (first, second)) if measure is not None]
    if len(set(measures)) > 1:
        found.append(
            f"The measures differ ({listing(measures)}), so parts are left out; the total does not depend on them."
        )
    known = [r.information.covariates for r in (first, second) if r.information]
    if len({frozenset(columns) for columns in known}) > 1:
        one, other = (listing(columns) if columns else "none" for columns in known)
        found.append(f"The covariates differ (A: {one}; B: {other}), so amounts are of different things.")
    kinds = [(r.information.estimator, r.information.interactions) for r in (first, second) if r.information]
    if len(set(kinds)) > 1:
        found.append("The informations were estimated differently, which alone can move them.")
    modelled = [r.information.protocol != "features" for r in (first, second) if r.information]
    if len(set(modelled)) > 1:
        found.append(
            "One is of a trained model's codes, the other of the features themselves (--no-model), which miss what is "
            "not in straight lines and products: amounts differ by that alone."
        )
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
        "files": files(report.data.files) if report.data.files else NONE,
        "content of the table": report.data.fingerprint[:19],
        "rows used": f"{report.data.rows - report.data.rows_missing_target:,}",
        "target": report.data.target,
        "group": report.data.group or NONE,
        "modalities": ", ".join(report.names),
        "command": report.command,
        "seed": str(report.seed),
        "folds": str(report.data.folds or NONE),
        "information from": NONE
        if information is None
        else f"{information.rows:,} rows, {information.protocol}",
        "estimator": NONE if information is None else f"{information.estimator}, {information.interactions}",
        "covariates": ", ".join(sorted(() if information is None else information.covariates)) or NONE,
        "measure": measure_of(report) or NONE,
        "device": report.device,
        "pidreg": report.tool_version,
        "made at": report.created_at,
    }
