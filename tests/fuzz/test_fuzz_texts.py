"""Texts that people write: configurations, requirements, files of rules."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import strategies as st

from pidreg_cli.config.loading import dump_settings, load_settings
from pidreg_cli.config.presets import preset_tree
from pidreg_cli.decisions.requirements.language import parse_requirement
from pidreg_cli.decisions.requirements.names import amount_of
from pidreg_cli.decisions.requirements.rules import read_rules
from pidreg_cli.reports.opening import read_report
from tests.fuzz.hostile import amounts, broken_bytes, broken_document, odd_numbers, survives, values

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

PRESET = preset_tree("balanced")
TEXT = yaml.safe_dump(PRESET).encode()
RULES = b"""use: ci
baseline: b.json
max_drift: 0.05
rules:
  - total >= 0.3
  - name: n
    require: unique.a >= 0.05
"""
BOMBS = [
    "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n",
    "!!python/object/apply:os.system ['true']\n",
    "seed: !!python/name:os.system\n",
    "[" * 5000,
    "{a: " * 3000,
    "a: " + "9" * 100_000,
    "- " * 20_000,
    "? " * 5000,
    "a:\n" + " b:\n" * 100,
    "\ufeffseed: 1",
    "seed: 0x10\n",
    "%YAML 9.9\n---\nseed: 1\n",
    "%TAG ! tag:x,2000:\n---\n!a b\n",
]
texts = (
    broken_bytes(TEXT)
    | broken_document(PRESET).map(lambda tree: yaml.safe_dump(tree).encode())
    | st.sampled_from(BOMBS).map(str.encode)
    | st.text(max_size=60).map(lambda text: text.encode("utf-8", "surrogatepass"))
)


@amounts
def test_configurations(tmp_path: Path, examples: int) -> None:
    path = tmp_path / "config.yaml"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        # What is understood is written so that it is understood again.
        settings = load_settings(config=path)
        path.write_text(dump_settings(settings), encoding="utf-8")
        assert load_settings(config=path) == settings

    survives(read, texts, examples)


@amounts
def test_assignments(examples: int) -> None:
    keys = [f"{section}.{key}" for section, part in PRESET.items() if isinstance(part, dict) for key in part]
    key = st.sampled_from([*PRESET, *keys, "data.modalities", "data.target", 'data.modalities."a.b"'])
    given = st.tuples(
        key | st.text(max_size=12), values.map(str) | odd_numbers.map(str) | st.text(max_size=12)
    )
    lines = given.map("=".join) | st.text(max_size=20)
    survives(lambda line: load_settings(assignments=[line]), lines, examples)


words = st.sampled_from(
    [
        "unique",
        "redundant",
        "total",
        "share",
        "information",
        "metrics",
        "pid",
        "atoms",
        "0",
        "a",
        "b",
        "modalities",
    ]
)
names = st.lists(words | st.text(max_size=5).map(lambda text: f'"{text}"'), min_size=1, max_size=4).map(
    ".".join
)
operators = st.sampled_from([" >= ", ">", "<=", " < ", "==", "!=", "=", "=>"])
bounds = odd_numbers.map(str) | st.sampled_from(["true", '"x"', "nan", "inf", "1e999", "", "0x1", "1_0", "٣"])
requirements = st.tuples(names, operators, bounds).map("".join) | st.text(max_size=30)


@amounts
def test_requirements(run_folder: Path, examples: int) -> None:
    report = read_report(str(run_folder), None).model_dump(mode="json", by_alias=True)  # type: ignore[arg-type]
    survives(lambda text: amount_of(report, parse_requirement(text).name), requirements, examples)


@amounts
def test_rules(tmp_path: Path, examples: int) -> None:
    path = tmp_path / "rules.yaml"
    tree = yaml.safe_load(RULES)

    def read(content: bytes) -> None:
        path.write_bytes(content)
        read_rules(path)

    inputs = (
        broken_bytes(RULES)
        | broken_document(tree).map(lambda found: yaml.safe_dump(found).encode())
        | st.lists(requirements, max_size=3).map(lambda found: yaml.safe_dump(found).encode())
        | st.sampled_from(BOMBS).map(str.encode)
    )
    survives(read, inputs, examples)
