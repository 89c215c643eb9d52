"""Layers of a configuration: later ones win, and every value remembers where it came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pidreg_cli.errors import UsageError

Path = tuple[str, ...]
Tree = dict[str, Any]

MODALITIES: Path = ("data", "modalities")

_KEY_PART = re.compile(r'"(?P<quoted>[^"]*)"|(?P<plain>[^."]+)')


class Layers:
    """A configuration under construction."""

    def __init__(self) -> None:
        # The sections of a preset are complete; the roles of the data belong to no preset.
        self.tree: Tree = {"data": {}}
        self._sources: dict[Path, str] = {}

    def merge(self, layer: Mapping[str, Any], source: str) -> None:
        """Lay a file over what is there: mappings merge; values and the set of modalities are replaced."""
        self._merge(self.tree, layer, (), source)

    def assign(self, path: Path, value: Any, source: str) -> None:
        """Set one key."""
        section = self.tree
        for depth, part in enumerate(path[:-1], start=1):
            child = section.get(part)
            section[part] = child = {} if child is None else child
            if not isinstance(child, dict):
                raise UsageError(
                    "config.key",
                    f"{source}: {dotted(path[:depth])} has no keys below it",
                    f"give {dotted(path[:depth])} itself a value",
                )
            section = child
        section[path[-1]] = self._recorded(path, value, source)

    def source(self, path: Path) -> str:
        """Where the value at ``path`` came from; empty for an option that names itself."""
        below = [key for key in self._sources if key[: len(path)] == path]
        above = [path[:depth] for depth in range(len(path) - 1, 0, -1)]
        keys = [path, *reversed(below), *above]
        return next((self._sources[key] for key in keys if key in self._sources), "")

    def value(self, path: Path) -> Any:
        """The value at ``path``."""
        node: Any = self.tree
        for part in path:
            node = node.get(part) if isinstance(node, dict) else None
        return node

    def _merge(self, base: Tree, layer: Mapping[str, Any], prefix: Path, source: str) -> None:
        for key, value in layer.items():
            path = (*prefix, key)
            child = base.get(key)
            if isinstance(child, dict) and path != MODALITIES:
                self._merge(child, _section(path, value, source), path, source)
            else:
                base[key] = self._recorded(path, value, source)

    def _recorded(self, path: Path, value: Any, source: str) -> Any:
        self._sources[path] = source
        if path == MODALITIES:
            return _named_patterns(value, source)
        return _patterns(value) if path[:-1] == MODALITIES else value


def parse_key(text: str, source: str) -> Path:
    """The parts of ``a.b."c.d"``.

    Raises:
        UsageError: an empty part or an unfinished quote.
    """
    path: Path = ()
    position = 0
    while match := _KEY_PART.match(text, position):
        path = (*path, match["plain"] if match["quoted"] is None else match["quoted"])
        position = match.end() + 1
        if match.end() == len(text):
            return path
        if text[match.end()] != ".":
            break
    raise UsageError(
        "config.key",
        f"{source}: {text!r} is not a key",
        'write keys as in stage1.max_epochs or data.modalities."a.b"',
    )


def dotted(path: Path) -> str:
    """The text that ``parse_key`` reads as ``path``."""
    return ".".join(f'"{part}"' if "." in part else part for part in path)


def _named_patterns(value: Any, source: str) -> Any:
    """Modalities as names with lists of patterns, from that, from single patterns or from names only.

    A value of another shape is left to the model of the settings to refuse.
    """
    if isinstance(value, dict):
        return {name: _patterns(patterns) for name, patterns in value.items()}
    if not isinstance(value, list) or not all(isinstance(name, str) for name in value):
        return value
    repeated = sorted({name for name in value if value.count(name) > 1})
    if repeated:
        raise UsageError(
            "config.modalities",
            f"{source}: modality {repeated[0]!r} is named twice",
            "name each modality once",
        )
    return {name: [] for name in value}


def _patterns(value: Any) -> Any:
    if value is None:
        return []
    return [value] if isinstance(value, str) else value


def _section(path: Path, value: Any, source: str) -> Mapping[str, Any]:
    """A section of a file; one whose lines are all commented out is empty."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise UsageError(
            "config.type",
            f"{source}: {dotted(path)} must be a section of keys, however: {value!r}",
            "write its keys below it, each on a line of its own, or leave the section out",
        )
    return value
