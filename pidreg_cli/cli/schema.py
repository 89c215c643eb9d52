"""``pidreg schema``: the published formats."""

from __future__ import annotations

import json
from enum import StrEnum
from typing import Annotated, Any

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli.console import Console


class Document(StrEnum):
    """What has a schema."""

    REPORT = "report"
    CONFIG = "config"


def schema(
    context: typer.Context,
    document: Annotated[Document, typer.Argument(help="The report, or a configuration file.")],
    debug: options.Debug = False,
) -> None:
    """Print the JSON Schema of the report or of the configuration.

    Example: pidreg schema config > pidreg-config.schema.json
    """
    console: Console = context.obj
    console.listen(debug=debug)
    console.result(json.dumps(_schema(document), indent=2))


def _schema(document: Document) -> dict[str, Any]:
    if document is Document.REPORT:
        from pidreg_cli.reports.serialise import report_schema

        return report_schema()
    from pidreg_cli.config.schema import config_schema

    return config_schema()
