"""A plan, or the roles of a table, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pidreg_cli.data.naming import listing
from pidreg_cli.data.preparation.findings import Finding, note, share_of
from pidreg_cli.data.preparation.plan import Plan
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.sources.source import Source
from pidreg_cli.harmless import harmless_lines, marked

_SHOWN = 6


def plan_text(plan: Plan) -> str:
    """The plan: table, roles, split, modalities with their columns, what was noticed."""
    return harmless_lines("\n".join([*_heading(plan), "", *_modalities(plan), *_noticed(plan.findings)]))


def roles_text(source: Source, roles: Roles) -> str:
    """The roles that columns of a table would take."""
    singles = {"target": roles.target, "id": roles.id, "group": roles.group, "split": roles.split}
    size = f"{_number(source.rows, 'row')}, {_number(len(source.schema.names), 'column')}"
    lines = [_line("table", f"{source.label}, {size}")]
    lines += [_line(role, repr(column) if column is not None else "none") for role, column in singles.items()]
    lines += ["", "Modalities"]
    width = max(map(len, roles.modalities))
    for name, columns in roles.modalities.items():
        kinds = dict.fromkeys(str(source.schema.field(column).type) for column in columns)
        number = _number(len(columns), "column")
        lines.append(f"  {marked(name):<{width}}  {number} ({', '.join(kinds)}): {listing(columns, _SHOWN)}")
    noticed = [note("input", notice) for notice in source.notices]
    noticed += [note("roles", notice) for notice in roles.notices]
    return harmless_lines("\n".join([*lines, *_noticed(noticed)]))


def _noticed(findings: Sequence[Finding]) -> list[str]:
    lines = [f"  {finding.severity}: {finding.message}" for finding in findings]
    return ["", "Noticed", *lines] if lines else []


def _number(count: int, of: str) -> str:
    return f"{count:,} {of}{'' if count == 1 else 's'}"


def _line(label: str, text: str) -> str:
    return f"{label:<8}{text}"


def _heading(plan: Plan) -> Iterator[str]:
    yield _line("table", f"{plan.source.label}, {plan.rows:,} rows")
    for role in ("target", "id", "group"):
        column = plan.recipe.singles.get(role)
        yield _line(role, "none" if column is None else repr(column))
    parts = ", ".join(f"{part} {count:,}" for part, count in plan.parts.items())
    yield _line("split", f"{plan.split}: {parts}" if parts else "none")
    if plan.recipe.kept:
        yield _line("kept", listing(plan.recipe.kept))


def _modalities(plan: Plan) -> Iterator[str]:
    yield "Modalities"
    width = max(map(len, plan.recipe.features))
    for name in plan.recipe.features:
        columns = plan.recipe.outputs(name)
        number = _number(len(columns), "column")
        absent = _absent(plan.rows - plan.present.get(name, 0), plan.rows)
        yield f"  {marked(name):<{width}}  {number}{absent}: {listing(columns, _SHOWN)}"


def _absent(rows: int, of: int) -> str:
    return f", absent in {share_of(rows, of)} of the rows" if rows else ""
