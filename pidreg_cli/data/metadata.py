"""Roles stored in a Parquet file: the JSON of its metadata key ``pidreg``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pidreg_cli.errors import DataError

ROLES_KEY = b"pidreg"
# Minor versions only add fields, which are ignored here.
READABLE_MAJOR = 1
_MODALITIES_RULE = "'modalities' must map each name to a list of columns"


@dataclass(frozen=True)
class TableMetadata:
    """Roles that the file brings. An empty tuple of columns leaves the modality to the naming convention."""

    modalities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    target: str | None = None
    id: str | None = None
    group: str | None = None
    split: str | None = None


def parse_metadata(raw: bytes) -> TableMetadata:
    """Read the JSON of the metadata key ``pidreg``; unknown fields are ignored.

    Raises DataError where it is malformed or of a later major version.
    """
    stored = _decoded(raw)
    _check_version(stored.get("version"))
    return TableMetadata(
        modalities=_modalities(stored.get("modalities")),
        **{role: _column(role, stored.get(role)) for role in ("target", "id", "group", "split")},
    )


def _decoded(raw: bytes) -> dict[str, Any]:
    try:
        stored = json.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as cause:
        raise _malformed(f"it is not JSON: {cause}") from cause
    if not isinstance(stored, dict):
        raise _malformed("it must be a JSON object")
    return stored


def _check_version(version: object) -> None:
    major = str(version).partition(".")[0]
    if not isinstance(version, int | float | str) or not major.isdecimal():
        raise _malformed(f"'version' is {version!r}; it must be a number such as {READABLE_MAJOR}.0")
    if major != str(READABLE_MAJOR):
        raise DataError(
            "data.metadata_version",
            f"The file's 'pidreg' metadata has version {version}, this pidreg reads {READABLE_MAJOR}.",
            "Upgrade pidreg, or write the file again with this one.",
        )


def _modalities(stored: object) -> dict[str, tuple[str, ...]]:
    if stored is None:
        return {}
    if isinstance(stored, list):
        return dict.fromkeys(_texts(stored), ())
    if not isinstance(stored, dict):
        raise _malformed(_MODALITIES_RULE)
    return {name: _texts(columns) for name, columns in stored.items()}


def _texts(stored: object) -> tuple[str, ...]:
    if not isinstance(stored, list) or not all(isinstance(item, str) for item in stored):
        raise _malformed(_MODALITIES_RULE)
    return tuple(stored)


def _column(role: str, stored: object) -> str | None:
    if stored is None or isinstance(stored, str):
        return stored
    raise _malformed(f"{role!r} must be the name of a column")


def _malformed(why: str) -> DataError:
    return DataError(
        "data.metadata",
        f"The file's 'pidreg' metadata cannot be used: {why}.",
        "Write the file again, or remove its metadata key 'pidreg' and give the roles as options.",
    )
