"""A plan, or the roles of a table, as text."""

from __future__ import annotations

from collections.abc import Iterator

from pidreg_cli.data.naming import listing
from pidreg_cli.data.preparation.findings import Finding
from pidreg_cli.data.preparation.plan import Plan
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.sources.source import Source

_SHOWN = 6


def plan_text(plan: Plan) -> str:
    """The plan: table, roles, split, modalities with their columns, what was noticed."""
    return "\n".join(
        [*_heading(plan), "", *_modalities(plan), "", "Noticed", *map(finding_line, plan.findings)]
    )


def finding_line(finding: Finding) -> str:
    """One line."""
    return f"  {finding.severity}: {finding.message}"


def roles_text(source: Source, roles: Roles) -> str:
    """The roles that columns of a table would take."""
    singles = {"target": roles.target, "id": roles.id, "group": roles.group, "split": roles.split}
    lines = [_line("table", f"{source.label}, {source.rows:,} rows, {len(source.schema.names)} columns")]
    lines += [_line(role, repr(column) if column is not None else "none") for role, column in singles.items()]
    lines += ["", "Modalities"]
    width = max(map(len, roles.modalities))
    for name, columns in roles.modalities.items():
        kinds = dict.fromkeys(str(source.schema.field(column).type) for column in columns)
        lines.append(
            f"  {name:<{width}}  {len(columns)} columns ({', '.join(kinds)}): {listing(columns, _SHOWN)}"
        )
    return "\n".join([*lines, "", "Noticed", *(f"  note: {notice}" for notice in roles.notices)])


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
        absent = 1 - plan.present.get(name, 0) / plan.rows
        number = "1 column" if len(columns) == 1 else f"{len(columns)} columns"
        yield f"  {name:<{width}}  {number}, absent in {absent:.1%} of the rows: {listing(columns, _SHOWN)}"
