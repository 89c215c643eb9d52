"""The report as JSON text and back, and its JSON Schema."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from pydantic import ValidationError

from pidreg_cli.errors import RunError
from pidreg_cli.harmless import harmless_json
from pidreg_cli.limited_reading import limited_json
from pidreg_cli.marked_text import marked_encoding
from pidreg_cli.reports.coherence import incoherence
from pidreg_cli.reports.model import SCHEMA_VERSION, Report

DIALECT = "https://json-schema.org/draft/2020-12/schema"

LINE = 240
"""Longest line of ``report.json``, except for single long values: five modalities have 7,579 atoms."""

MOST_KEYS = 1000
"""Of an object: weights of twelve modalities and their pairs are 78. Each that is wrong would cost a kilobyte."""


def to_json(report: Report) -> str:
    """The report as JSON with a closing newline: the same bytes for equal reports, no NaN, no infinity."""
    return harmless_json(_layout(report.model_dump(mode="json", by_alias=True), "")) + "\n"


def _layout(value: object, indent: str) -> str:
    """Indented JSON with what fits on a line on one line: an atom a line instead of twenty."""
    line = json.dumps(value, ensure_ascii=False, allow_nan=False)
    if len(indent) + len(line) <= LINE or not isinstance(value, dict | list):
        return line
    inner = indent + "  "
    if isinstance(value, dict):
        parts = [f"{inner}{json.dumps(k, ensure_ascii=False)}: {_layout(v, inner)}" for k, v in value.items()]
        return "{\n" + ",\n".join(parts) + f"\n{indent}}}"
    return "[\n" + ",\n".join(inner + _layout(item, inner) for item in value) + f"\n{indent}]"


def from_json(text: str | bytes, source: str = "report") -> Report:
    """The report in ``text``; ``source`` names the file in messages.

    Bytes are UTF-8, or what a mark at their beginning says, as some shells write it. Raises RunError where the text is
    not JSON, not a report, or of another major version of the format.
    """
    if isinstance(text, bytes):
        text = _decoded(text, source)
    version = format_version(text, source)
    try:
        report = Report.model_validate_json(text)
    except ValidationError as error:
        raise _misfit(error, version, source) from error
    if (what := incoherence(report)) is not None:
        raise RunError(
            "report.malformed", f"{source}: {what}", "The file was edited: fit or decompose again."
        )
    return report


def _decoded(content: bytes, source: str) -> str:
    try:
        return content.decode(marked_encoding(content) or "utf-8")
    except UnicodeDecodeError as error:
        raise _no_json(source, error) from error


def _no_json(source: str, error: ValueError) -> RunError:
    return RunError("report.malformed", f"{source}: not valid JSON: {error}", "Give a run's report.json.")


def format_version(text: str, source: str) -> str:
    """The format version that the text claims, after the check that this tool reads its major version."""
    try:
        content = limited_json(text, refuse_constant=_refuse_constant, most_keys=MOST_KEYS)
    except ValueError as error:
        raise _no_json(source, error) from error
    version = content.get("schema_version") if isinstance(content, dict) else None
    if not isinstance(version, str):
        hint = "Give a run's report.json."
        raise RunError("report.malformed", f"{source}: not a pidreg report: it has no schema_version", hint)
    if version.partition(".")[0] != SCHEMA_VERSION.partition(".")[0]:
        message = f"{source}: report format {version}, this pidreg reads {SCHEMA_VERSION.partition('.')[0]}.x"
        raise RunError("report.version", message, "Use the pidreg version that wrote it, or fit again.")
    return version


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _misfit(error: ValidationError, version: str, source: str) -> RunError:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "(top level)"
    hint = (
        f"It was written by another version (format {version}, this is {SCHEMA_VERSION}): upgrade pidreg."
        if version != SCHEMA_VERSION
        else "The file was edited or truncated: fit or decompose again."
    )
    return RunError("report.malformed", f"{source}: {place}: {first['msg']}", hint)


def report_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of ``report.json``."""
    schema = Report.model_json_schema(mode="serialization", by_alias=True)
    return {"$schema": DIALECT, "title": "pidreg report", **{k: v for k, v in schema.items() if k != "title"}}
