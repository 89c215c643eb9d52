"""Roles stored in a file's metadata: what is read, and what is malformed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.data.metadata import TableMetadata, parse_metadata
from pidreg_cli.errors import DataError

texts = st.text("ab1.🧠\0", max_size=4)
single = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = single | st.lists(single | texts, max_size=3) | st.dictionaries(texts, st.lists(single, max_size=2))


def test_every_field():
    stored = {
        "version": 1,
        "modalities": {"a": ["x", "y"], "b": []},
        "target": "t",
        "id": "i",
        "group": "g",
        "split": "s",
    }
    expected = TableMetadata({"a": ("x", "y"), "b": ()}, "t", "i", "g", "s")
    assert parse_metadata(json.dumps(stored).encode()) == expected


@pytest.mark.parametrize("version", [1, 1.0, "1", "1.0", "1.17"])
def test_minor_versions_and_unknown_fields_are_read(version):
    stored = {"version": version, "modalities": ["a", "b"], "new": [1, {}]}
    assert parse_metadata(json.dumps(stored).encode()) == TableMetadata({"a": (), "b": ()})


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        (b"\xff\xfe", "JSON"),
        (b"{", "JSON"),
        (b"[" * 100_000, "JSON"),
        (b"[]", "object"),
        (b"{}", "'version'"),
        (b'{"version": true}', "'version'"),
        (b'{"version": "new"}', "'version'"),
        (b'{"version": 1, "modalities": "a"}', "'modalities'"),
        (b'{"version": 1, "modalities": {"a": "x"}}', "'modalities'"),
        (b'{"version": 1, "modalities": [1]}', "'modalities'"),
        (b'{"version": 1, "target": ["y"]}', "'target'"),
    ],
)
def test_malformed_metadata_says_why(raw, why):
    with pytest.raises(DataError, match=why) as caught:
        parse_metadata(raw)
    assert caught.value.code == "data.metadata"


def test_a_later_version_asks_for_an_upgrade():
    with pytest.raises(DataError, match="version 2") as caught:
        parse_metadata(b'{"version": "2.0"}')
    assert caught.value.code == "data.metadata_version"
    assert "pgrade" in caught.value.hint


@given(st.binary() | st.dictionaries(st.sampled_from(["version", "modalities", "target", "id"]), values))
def test_anything_else_is_roles_or_a_data_error(stored):
    raw = stored if isinstance(stored, bytes) else json.dumps({"version": 1, **stored}).encode()
    try:
        outcome = parse_metadata(raw)
    except DataError as error:
        outcome = error.code
    assert isinstance(outcome, TableMetadata) or outcome.startswith("data.metadata")
