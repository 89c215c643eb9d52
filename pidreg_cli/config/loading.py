"""From a preset, a file, assignments and options to settings, and from settings to text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from pidreg_cli.config.allowed import describe, keys_of, known_path, nearest_keys
from pidreg_cli.config.layers import Layers, dotted, parse_key
from pidreg_cli.config.presets import DEFAULT_PRESET, preset_tree
from pidreg_cli.config.settings import Settings
from pidreg_cli.config.yaml_text import MAX_BYTES, dump_yaml, parse_yaml, parse_yaml_value
from pidreg_cli.errors import UsageError
from pidreg_cli.limited_reading import limited_bytes

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


def load_settings(
    preset: str | None = None,
    config: Path | None = None,
    assignments: Sequence[str] = (),
    options: Mapping[str, Any] | None = None,
) -> Settings:
    """Settings from their layers; each wins over those before it.

    Parameters:
        preset: the preset that gives every other value; by default the one the layers name, or balanced.
        config: YAML file with any of the keys.
        assignments: ``key.path=value`` each, the value as YAML.
        options: values by dotted key, such as ``{"data.target": "age"}``.

    Raises:
        UsageError: an unreadable file, an unknown key or a value that is not allowed; the message names them.
    """
    layer = {} if config is None else parse_yaml(_text(config), str(config))
    assigned = [_assignment(text) for text in assignments]
    named = [
        preset,
        *(value for key, value, _ in reversed(assigned) if key == ("preset",)),
        layer.get("preset"),
    ]
    chosen = next((name for name in named if name is not None), DEFAULT_PRESET)
    layers = Layers()
    layers.merge(preset_tree(chosen), f"preset {chosen}")
    layers.merge(layer, str(config))
    for key, value, source in assigned:
        layers.assign(key, value, source)
    for name, value in {**(options or {}), "preset": chosen}.items():
        layers.assign(parse_key(name, "option"), value, "")
    return _validated(layers)


def parse_settings(text: str, source: str) -> Settings:
    """The settings that ``dump_settings`` wrote.

    Raises:
        UsageError: an incomplete or wrong configuration.
    """
    layers = Layers()
    layers.merge(parse_yaml(text, source), source)
    return _validated(layers)


def dump_settings(settings: Settings) -> str:
    """YAML with every key, that ``--config`` reads back as the same settings."""
    return dump_yaml(settings.model_dump())


def _text(path: Path) -> str:
    try:
        return limited_bytes(path, MAX_BYTES).decode()
    except OSError as error:
        raise _unreadable(path, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _unreadable(path, f"not UTF-8 text, from byte {error.start}") from error
    except ValueError as error:
        raise _unreadable(path, f"{error}: not a configuration") from error


def _unreadable(path: Path, why: str) -> UsageError:
    return UsageError(
        "config.file", f"{path}: {why}", "give a YAML file: pidreg schema config says what is in it"
    )


def _assignment(text: str) -> tuple[tuple[str, ...], Any, str]:
    """Key, value and source of ``key.path=value``."""
    source = f"--set {text}"
    key, sign, value = text.partition("=")
    if not sign:
        raise UsageError(
            "config.assignment", f"{source}: expected KEY=VALUE", "write it as in --set stage1.max_epochs=20"
        )
    return parse_key(key.strip(), source), parse_yaml_value(value, source), source


def _validated(layers: Layers) -> Settings:
    try:
        return Settings.model_validate(layers.tree)
    except ValidationError as error:
        raise _usage_error(layers, error.errors(include_url=False)) from error


def _usage_error(layers: Layers, errors: Sequence[ErrorDetails]) -> UsageError:
    unknown = [error for error in errors if error["type"] == "extra_forbidden"]
    if unknown:
        return _unknown_key(layers, tuple(str(part) for part in unknown[0]["loc"]))
    texts = dict.fromkeys(_wrong_value(layers, error) for error in errors)
    return UsageError(
        "config.value", "\n".join(texts), "pidreg schema config lists every key and what it takes"
    )


def _unknown_key(layers: Layers, path: tuple[str, ...]) -> UsageError:
    section = known_path(path)
    guesses = nearest_keys(path)
    message = f"{_prefix(layers, path)}unknown key {dotted(path)} (value {layers.value(path)!r})"
    if guesses:
        message += f": did you mean {' or '.join(guesses)}?"
    place = dotted(section) or "a configuration"
    return UsageError("config.unknown_key", message, f"the keys of {place} are {', '.join(keys_of(section))}")


def _wrong_value(layers: Layers, error: ErrorDetails) -> str:
    path = known_path(error["loc"])
    if error["type"] == "missing":
        return f"{_prefix(layers, path)}{dotted(path)} is missing: it must be {describe(path)}"
    value = layers.value(path)
    return f"{_prefix(layers, path)}{dotted(path)} must be {describe(path)}, however: {value!r}"


def _prefix(layers: Layers, path: tuple[str, ...]) -> str:
    source = layers.source(path)
    return f"{source}: " if source else ""
