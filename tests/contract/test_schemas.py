"""The published schemas, pinned: who reads reports and writes configurations learns of every change by a version."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract.conftest import Run

PINNED = Path(__file__).parent / "schemas"
VERSIONS = {
    "report": "Raise schema_version (SCHEMA_VERSION in pidreg_cli/reports/model.py), its second number for new keys, "
    "its first where keys change or go; new words in descriptions alone need none",
    "config": "Raise the schema_version of the report where its keys change, too; the configuration has no version but "
    "that of pidreg, so CHANGELOG.md must say what changed",
}


@pytest.mark.parametrize("document", ["report", "config"])
def test_a_schema_changes_with_its_version_alone(run: Run, document: str) -> None:
    """Equal to the pinned copy, whatever the order of keys.

    Where the change is meant: raise ``schema_version`` (for more than descriptions), say it in CHANGELOG.md and
    docs/json.md, then renew the copies from the root of the repository and commit them with the change::

        pidreg schema report > tests/contract/schemas/report.json
        pidreg schema config > tests/contract/schemas/config.json
    """
    done = run("schema", document)
    assert (done.status, done.err) == (0, "")
    file = PINNED / f"{document}.json"
    moved = differences(json.loads(file.read_text(encoding="utf-8")), json.loads(done.out))
    if moved:
        pytest.fail(
            f"The schema of the {document} is not that of {file.name} ({', '.join(moved[:9])}). "
            f"{VERSIONS[document]}. Then: pidreg schema {document} > tests/contract/schemas/{file.name}",
            pytrace=False,
        )


def differences(old: object, new: object, where: str = "") -> list[str]:
    """Paths at which two documents differ."""
    if isinstance(old, dict) and isinstance(new, dict):
        keys = sorted({*old, *new})
        return [one for key in keys for one in differences(old.get(key), new.get(key), f"{where}/{key}")]
    return [] if old == new else [where]


def test_a_difference_is_told_by_its_path() -> None:
    old = {"properties": {"a": {"type": "string"}, "b": {}}, "required": ["a"]}
    new = {"properties": {"a": {"type": "number"}, "c": {}}, "required": ["a"]}
    assert differences(old, new) == ["/properties/a/type", "/properties/b", "/properties/c"]
    assert differences(old, old) == []
