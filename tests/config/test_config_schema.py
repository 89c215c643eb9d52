from __future__ import annotations

import jsonschema
import pytest

from pidreg_cli.config.loading import dump_settings, load_settings
from pidreg_cli.config.presets import PRESETS, preset_tree
from pidreg_cli.config.schema import config_schema
from pidreg_cli.config.yaml_text import parse_yaml

VALIDATOR = jsonschema.Draft202012Validator(config_schema())


def test_it_is_a_schema_that_names_its_dialect():
    jsonschema.Draft202012Validator.check_schema(config_schema())
    assert config_schema()["$schema"].endswith("2020-12/schema")


@pytest.mark.parametrize("preset", PRESETS)
def test_presets_and_saved_configurations_are_valid(preset):
    VALIDATOR.validate(preset_tree(preset))
    VALIDATOR.validate(parse_yaml(dump_settings(load_settings(preset)), "saved"))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "seed: 3",
        "data: {modalities: [a, b]}",
        "data: {modalities: {a: 'a_*', b: [x], c: }}",
        "data: {target: y}",
    ],
)
def test_what_loads_is_valid(text, tmp_path):
    file = tmp_path / "some.yaml"
    file.write_text(text)
    load_settings(config=file)
    VALIDATOR.validate(parse_yaml(text, "some.yaml"))


@pytest.mark.parametrize(
    "text",
    ["sed: 3", "seed: x", "stage1: {max_epochs: 0}", "data: {modalities: [1]}", "data: {modalities: [a, a]}"],
)
def test_what_does_not_load_is_not_valid(text):
    assert not VALIDATOR.is_valid(parse_yaml(text, "some.yaml"))
