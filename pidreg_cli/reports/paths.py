"""Which paths a report of this version can have, whatever one report has there."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pidreg_cli.reports.serialise import report_schema

Schema = dict[str, Any]


def may_have(words: Sequence[str]) -> bool:
    """Whether some report has a number, truth value, text or null at a path of keys and places in lists."""
    schema = report_schema()
    places = [schema]
    for word in words:
        places = [inner for place in places for inner in _steps(schema, place, word)]
    return any("properties" not in place and place.get("type") not in ("object", "array") for place in places)


def _steps(schema: Schema, place: Schema, word: str) -> Iterator[Schema]:
    """What a word leads to: a key, any key of a mapping by name, or an element of a list by place or label."""
    if word in place.get("properties", {}):
        yield from _forms(schema, place["properties"][word])
    elif isinstance(place.get("additionalProperties"), dict):
        yield from _forms(schema, place["additionalProperties"])
    elif isinstance(place.get("items"), dict):
        yield from _forms(schema, place["items"])


def _forms(schema: Schema, place: Schema) -> Iterator[Schema]:
    """The alternatives of a part, references followed."""
    if "$ref" in place:
        yield from _forms(schema, schema["$defs"][place["$ref"].rpartition("/")[2]])
    elif "anyOf" in place:
        for one in place["anyOf"]:
            yield from _forms(schema, one)
    else:
        yield place
