from __future__ import annotations

from typing import get_args

import pytest

from pidreg_cli.config.loading import dump_settings, load_settings, parse_settings
from pidreg_cli.config.presets import DEFAULT_PRESET, PRESETS, preset_tree
from pidreg_cli.config.settings import Preset
from pidreg_cli.errors import UsageError
from pidreg_cli.resources import template_text, templates_folder


def test_presets_are_those_of_the_settings_and_of_the_templates():
    assert get_args(Preset) == PRESETS
    assert {path.stem for path in (templates_folder() / "config").glob("*.yaml")} == set(PRESETS)


@pytest.mark.parametrize("name", PRESETS)
def test_a_template_holds_every_value_of_its_preset(name):
    settings = load_settings(preset=name)
    assert settings == parse_settings(template_text(f"config/{name}.yaml"), name)
    assert settings.preset == name
    given = set(preset_tree(name))
    assert given == set(type(settings).model_fields) - {
        "seed",
        "threads",
        "device",
        "memory",
        "folds",
        "data",
    }


@pytest.mark.parametrize("name", PRESETS)
def test_a_template_copied_into_a_configuration_changes_nothing(name, tmp_path):
    copy = tmp_path / "copy.yaml"
    copy.write_text(template_text(f"config/{name}.yaml"))
    assert load_settings(config=copy) == load_settings(preset=name)


def test_presets_differ():
    texts = {dump_settings(load_settings(preset=name)).partition("\n")[2] for name in PRESETS}
    assert len(texts) == len(PRESETS)


def test_the_default_preset_is_balanced():
    assert load_settings().preset == DEFAULT_PRESET == "balanced"


@pytest.mark.parametrize("name", ["Fast", "", "../config/fast", ["fast"], 3])
def test_an_unknown_preset_is_refused_with_the_known_ones(name):
    with pytest.raises(UsageError, match="one of fast, balanced, thorough, paper"):
        preset_tree(name)
