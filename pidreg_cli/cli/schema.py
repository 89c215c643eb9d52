"""``pidreg schema``: the published formats, and the roles that the columns of a table would take."""

from __future__ import annotations

import json
from glob import has_magic
from pathlib import Path
from typing import Annotated, Any

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.modalities import named_modalities
from pidreg_cli.errors import UsageError

DOCUMENTS = ("report", "config")


def schema(
    context: typer.Context,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="report|config|DATA...", help="The report, a configuration file, or a table: its roles."
        ),
    ],
    modalities: options.Modalities = None,
    modality: options.Modality = None,
    target: options.Target = None,
    identifier: options.Identifier = None,
    group: options.Group = None,
    split_column: options.SplitColumn = None,
    debug: options.Debug = False,
) -> None:
    """Print the JSON Schema of the report or of the configuration, or the roles that columns of a table would take.

    Example: pidreg schema config > pidreg-config.schema.json
    """
    console: Console = context.obj
    console.listen(debug=debug)
    roles: dict[str, Any] = {
        "target": target,
        "id": identifier,
        "group": group,
        "split_column": split_column,
        "modalities": named_modalities(modalities, modality or []),
    }
    if len(what) == 1 and what[0] in DOCUMENTS:
        _check_no_roles(what[0], roles)
        console.result(json.dumps(_schema(what[0]), indent=2))
        return
    _check_inputs(what)
    console.result(_roles(what, roles))


def _schema(document: str) -> dict[str, Any]:
    if document == "report":
        from pidreg_cli.reports.serialise import report_schema

        return report_schema()
    from pidreg_cli.config.schema import config_schema

    return config_schema()


def _roles(inputs: list[str], given: dict[str, Any]) -> str:
    from pidreg_cli.config.settings import DataSettings
    from pidreg_cli.data.preparation.describe import roles_text
    from pidreg_cli.data.preparation.opening import opened
    from pidreg_cli.data.preparation.request import NamedInput, PrepareRequest
    from pidreg_cli.data.preparation.resolving import resolve
    from pidreg_cli.data.roles import RoleRequest

    request = PrepareRequest(
        tuple(NamedInput(one) for one in inputs), RoleRequest.from_settings(DataSettings(**given))
    )
    with opened(request) as table:
        return roles_text(table.source, resolve(table.source, request))


def _check_no_roles(document: str, roles: dict[str, Any]) -> None:
    if any(value is not None for value in roles.values()):
        raise UsageError(
            "usage.schema", f"the schema of the {document} has no roles", "leave the options of roles out"
        )


def _check_inputs(inputs: list[str]) -> None:
    # A word that is neither a document nor looks like a file is a misspelt document.
    wrong = [
        one for one in inputs if not (Path(one).suffix or has_magic(one) or "/" in one or Path(one).exists())
    ]
    if wrong:
        raise UsageError(
            "usage.schema",
            f"{wrong[0]!r} is no table: give one of {', '.join(DOCUMENTS)} alone, or tables",
            "pidreg schema --help shows the usage",
        )
