"""Whether the parts of a report speak of the same modalities: the schema knows their shapes, not their names."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pidreg_cli.reports.model import Atom, OneVersusRest, Report, Selection, Summary

Place = tuple[str, Iterable[str]]


def incoherence(report: Report) -> str | None:
    """Where a part speaks of other modalities than the report has, in words; None where none does."""
    names = set(report.names)
    if len(names) != len(report.names):
        return "modalities: two of the same name"
    for place, found in _complete(report):
        if set(found) != names:
            return f"{place}: not of the modalities {', '.join(report.names)}"
    for place, found in _partial(report):
        if not set(found) <= names:
            return f"{place}: of a modality that the report does not have"
    return _unread(report)


def _complete(report: Report) -> Iterator[Place]:
    """Parts that speak of every modality."""
    for place, summary in _summaries(report):
        yield f"{place}.summary.unique", summary.unique
    if report.pid is not None and report.pid.summary_ci is not None:
        yield "pid.summary_ci.unique", report.pid.summary_ci.unique
    if report.shapley is not None:
        yield "shapley", report.shapley
    if report.fusion is not None:
        yield "fusion.lambda", report.fusion.lambda_


def _summaries(report: Report) -> Iterator[tuple[str, Summary]]:
    if report.pid is not None:
        yield "pid", report.pid.summary
    for number, other in enumerate(report.sensitivity):
        if other.summary is not None:
            yield f"sensitivity.{number}", other.summary


def _partial(report: Report) -> Iterator[Place]:
    """Parts that speak of some modalities."""
    if report.information is not None:
        for number, subset in enumerate(report.information.values):
            yield f"information.values.{number}", subset.modalities
    for place, atoms in _atoms(report):
        yield f"{place}.atoms", (name for atom in atoms for member in atom.members for name in member)
    for place, rows in _rows(report):
        yield f"{place}one_versus_rest", (row.modality for row in rows)
    if report.selection is not None:
        yield "selection", _selected(report.selection)


def _atoms(report: Report) -> Iterator[tuple[str, tuple[Atom, ...]]]:
    if report.pid is not None:
        yield "pid", report.pid.atoms
    for number, other in enumerate(report.sensitivity):
        yield f"sensitivity.{number}", other.atoms or ()


def _rows(report: Report) -> Iterator[tuple[str, tuple[OneVersusRest, ...]]]:
    yield "", report.one_versus_rest
    for number, other in enumerate(report.sensitivity):
        yield f"sensitivity.{number}.", other.one_versus_rest or ()


def _selected(selection: Selection) -> Iterator[str]:
    yield from selection.recommended
    for subset in selection.subsets:
        yield from subset.modalities
    if selection.stability is not None:
        yield from selection.stability.modalities
        for found in selection.stability.sets:
            yield from found.modalities
    if selection.verification is not None:
        yield from selection.verification.modalities


def _unread(report: Report) -> str | None:
    """What the sections look up and would not find: the information of each modality alone."""
    if report.information is None:
        given = (report.pid, report.one_versus_rest, report.sensitivity, report.shapley, report.selection)
        names = ("pid", "one_versus_rest", "sensitivity", "shapley", "selection")
        found = [name for name, part in zip(names, given, strict=True) if part]
        return f"{found[0]}: without information" if found else None
    alone = [subset.modalities[0] for subset in report.information.values if len(subset.modalities) == 1]
    lacking = [row.modality for row in report.one_versus_rest if row.modality not in alone]
    return f"information.values: nothing of {lacking[0]!r} alone" if lacking else None
