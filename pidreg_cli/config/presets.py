"""The presets: ``templates/config/NAME.yaml`` is the one definition of each."""

from __future__ import annotations

from typing import Any

from pidreg_cli.config.yaml_text import parse_yaml
from pidreg_cli.errors import UsageError
from pidreg_cli.resources import template_text

PRESETS = ("fast", "balanced", "thorough", "paper")
DEFAULT_PRESET = "balanced"


def preset_tree(name: object) -> dict[str, Any]:
    """Every value of a preset, as nested mappings.

    Raises:
        UsageError: there is no such preset.
    """
    if name not in PRESETS:
        raise UsageError(
            "config.preset", f"preset: {name!r} is not one of {', '.join(PRESETS)}", "choose one of these"
        )
    return parse_yaml(template_text(f"config/{name}.yaml"), f"preset {name}")
