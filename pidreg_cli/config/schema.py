"""The JSON Schema of configuration files, for editors and validators."""

from __future__ import annotations

from typing import Any

from pidreg_cli.config.settings import Settings

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def config_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a configuration file: any of the keys, as a preset gives the others."""
    schema = Settings.model_json_schema()
    for model in (schema, *schema["$defs"].values()):
        model.pop("required", None)
    roles = schema["$defs"]["DataSettings"]["properties"]
    roles["modalities"] = {**roles["modalities"], "anyOf": _modalities()}
    return {"$schema": DIALECT, **schema, "title": "pidreg configuration"}


def _modalities() -> list[dict[str, Any]]:
    """The forms that files may use beside the one that settings hold."""
    names = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    patterns = {
        "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}, {"type": "null"}]
    }
    return [names, {"type": "object", "additionalProperties": patterns}, {"type": "null"}]
