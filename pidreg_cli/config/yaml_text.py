"""YAML as a configuration needs it: plain values in both directions, nothing guessed and nothing executed.

Plain scalars follow the core schema of YAML 1.2: ``no`` is text and ``1e-3`` a number (in PyYAML's YAML 1.1
it is the other way round). Keys are always text. Anchors, tags, duplicate keys and several documents are
refused.
"""

from __future__ import annotations

import math
import re
from typing import Any, cast

import yaml

from pidreg_cli.errors import UsageError

# A configuration is a few kilobytes; beyond these bounds it is not one.
MAX_CHARACTERS = 1_000_000
MAX_BYTES = 4 * MAX_CHARACTERS
MAX_DEPTH = 20
HINT = "write plain YAML, such as 'seed: 1'; quote texts that hold a colon, a bracket or a quote"

_PATTERNS = {
    "tag:yaml.org,2002:null": re.compile(r"(?:~|null|Null|NULL|)\Z"),
    "tag:yaml.org,2002:bool": re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"),
    "tag:yaml.org,2002:int": re.compile(r"[-+]?[0-9]{1,300}\Z"),
    "tag:yaml.org,2002:float": re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"),
}


def parse_yaml(text: str, source: str) -> dict[str, Any]:
    """The mapping that ``text`` holds; an empty document is an empty mapping.

    Raises:
        UsageError: not YAML, or not a plain mapping; the message names ``source`` and the line.
    """
    value = parse_yaml_value(text, source)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(
            "config.yaml", f"{source}: expected keys with values, however: {_shown(value)}", HINT
        )
    return value


def parse_yaml_value(text: str, source: str) -> Any:
    """The mapping, list or scalar that ``text`` holds.

    Raises:
        UsageError: not YAML; the message names ``source`` and the line.
    """
    if len(text) > MAX_CHARACTERS:
        raise UsageError(
            "config.yaml", f"{source}: larger than {MAX_CHARACTERS} characters: not a configuration", HINT
        )
    try:
        node = _Loader(text).get_single_node()
        return None if node is None else _plain(node)
    except yaml.YAMLError as error:
        raise UsageError("config.yaml", f"{source}: {_located(error)}", HINT) from error


def dump_yaml(tree: dict[str, Any]) -> str:
    """Text that ``parse_yaml`` reads back as ``tree``: keys in their order, lists on one line."""
    return yaml.dump(tree, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


class _Loader(yaml.SafeLoader):
    """Composes nodes; ``_plain`` reads them."""

    yaml_implicit_resolvers = {None: list(_PATTERNS.items())}  # noqa: RUF012
    depth = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """The next node, unless it is something that a configuration never needs."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise _refusal("anchors and aliases are not supported", event)
        if event.tag is not None:
            raise _refusal("tags are not supported", event)
        if self.depth == MAX_DEPTH:
            raise _refusal("nested too deeply", event)
        self.depth += 1
        node = super().compose_node(parent, index)
        self.depth -= 1
        return node


class _Dumper(yaml.SafeDumper):
    """Quotes the text that either version of YAML would take for something else."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write equal values out again: the loader refuses aliases."""
        return True


for _tag, _pattern in _PATTERNS.items():
    _Dumper.add_implicit_resolver(_tag, _pattern, None)
_Dumper.add_representer(
    list, lambda dumper, values: dumper.represent_sequence("tag:yaml.org,2002:seq", values, flow_style=True)
)


# Breaks of Unicode that PyYAML writes as they are and reads back as spaces, unless it has to quote and escape them.
_ODD_BREAKS = re.compile("[\x85\u2028\u2029]")


def _represent_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = '"' if _ODD_BREAKS.search(text) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)


def _plain(node: yaml.Node) -> Any:
    if isinstance(node, yaml.MappingNode):
        return _mapping(node)
    if isinstance(node, yaml.SequenceNode):
        return [_plain(item) for item in node.value]
    return _scalar(node)


def _mapping(node: yaml.MappingNode) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _refusal("a key must be text", key)
        if key.value in values:
            raise _refusal(f"the key {key.value!r} appears twice", key)
        values[key.value] = _plain(value)
    return values


def _scalar(node: yaml.Node) -> Any:
    match node.tag.rpartition(":")[2]:
        case "null":
            return None
        case "bool":
            return node.value.lower() == "true"
        case "int":
            return int(node.value)
        case "float":
            return _finite(node)
    return node.value


def _finite(node: yaml.Node) -> float:
    value = float(node.value)
    if not math.isfinite(value):
        raise _refusal(f"{node.value} is beyond the range of numbers", node)
    return value


def _refusal(problem: str, place: yaml.Node | yaml.Event) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=cast("yaml.Mark", place.start_mark))


def _located(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
    return problem if mark is None else f"line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
