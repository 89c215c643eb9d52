"""What the model of the settings allows, in words: for messages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from functools import cache
from typing import Any

from pidreg_cli.config.settings import Settings

Schema = dict[str, Any]
Path = tuple[str, ...]

_TYPES = {"integer": "a whole number", "number": "a number", "string": "text", "boolean": "true or false"}
_NUMBERS = ("integer", "number")
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "above {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "below {}",
}


def known_path(location: Sequence[str | int]) -> Path:
    """The longest beginning of ``location`` that is a key: a validator appends type names and positions."""
    path: Path = ()
    for part in location:
        if not isinstance(part, str) or schema_at((*path, part)) is None:
            break
        path = (*path, part)
    return path


def schema_at(path: Path) -> Schema | None:
    """The JSON Schema of the key at ``path``, or None if there is no such key."""
    node: Schema | None = _root()
    for part in path:
        node = None if node is None else _child(node, part)
    return node


def describe(path: Path) -> str:
    """What may stand at ``path``: ``a whole number, at least 1``, ``one of fast, balanced``, ..."""
    schema = schema_at(path)
    return "" if schema is None else _described(schema)


def keys_of(path: Path) -> list[str]:
    """The keys of the section at ``path``."""
    return list((schema_at(path) or {}).get("properties", {}))


def nearest_keys(path: Path) -> list[str]:
    """Dotted keys that an unknown ``path`` may have meant: in the same section, else anywhere."""
    *section, name = path
    here = get_close_matches(name, keys_of(tuple(section)), n=3)
    if here:
        return [".".join((*section, key)) for key in here]
    dotted = [".".join(leaf) for leaf in _leaves(_root())]
    same_name = [key for key in dotted if key.rpartition(".")[2] == name]
    return same_name or get_close_matches(".".join(path), dotted, n=3, cutoff=0.7)


@cache
def _root() -> Schema:
    return Settings.model_json_schema()


def _resolved(schema: Schema) -> Schema:
    """The schema itself instead of a reference to it."""
    if "$ref" not in schema:
        return schema
    target: Schema = _root()["$defs"][schema["$ref"].rpartition("/")[2]]
    return target


def _child(schema: Schema, part: str) -> Schema | None:
    for option in map(_resolved, schema.get("anyOf", [schema])):
        if part in option.get("properties", {}):
            return _resolved(option["properties"][part])
        if isinstance(option.get("additionalProperties"), dict):
            return _resolved(option["additionalProperties"])
    return None


def _leaves(schema: Schema, prefix: Path = ()) -> Iterator[Path]:
    properties = schema.get("properties")
    if properties is None:
        yield prefix
        return
    for key, child in properties.items():
        yield from _leaves(_resolved(child), (*prefix, key))


def _described(schema: Schema) -> str:
    schema = _resolved(schema)
    if "anyOf" in schema:
        # Examples stand beside the kinds of value that they are of.
        examples = {"examples": schema["examples"]} if "examples" in schema else {}
        options = [option | examples for option in schema["anyOf"] if option.get("type") != "null"]
        # A number that is not there means something; text that is not there was not given.
        absent = len(options) < len(schema["anyOf"]) and all(o.get("type") in _NUMBERS for o in options)
        return " or ".join(map(_described, options)) + (", or null" if absent else "")
    if "const" in schema:
        return str(schema["const"])
    if "enum" in schema:
        return "one of " + ", ".join(map(str, schema["enum"]))
    return _described_type(schema)


def _described_type(schema: Schema) -> str:
    match schema.get("type"):
        case "array":
            return f"a list of {_described(schema['items'])}"
        case "object" if "properties" in schema:
            return "a section with the keys " + ", ".join(schema["properties"])
        case "object":
            return f"names, each with {_described(schema['additionalProperties'])}"
        case kind:
            return ", ".join([_TYPES[str(kind)], *_limits(schema)])


def _limits(schema: Schema) -> Iterator[str]:
    for key, text in _BOUNDS.items():
        if key in schema:
            yield text.format(schema[key])
    if "examples" in schema:
        yield "such as " + ", ".join(map(str, schema["examples"]))
    elif "pattern" in schema:
        yield f"matching {schema['pattern']}"
