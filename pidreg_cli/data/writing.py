"""Parquet files that say which column plays which role; equal tables give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pidreg_cli.atomic import replacing
from pidreg_cli.data.metadata import ROLES_KEY, TableMetadata

if TYPE_CHECKING:
    import pyarrow as pa

METADATA_VERSION = "1.0"


def write_table(
    table: pa.Table, roles: TableMetadata, path: Path, extra: Mapping[bytes, bytes] | None = None
) -> None:
    """Write ``table`` with its ``roles``, and ``extra``, as metadata keys; whole or not at all.

    Floating-point columns are stored byte by byte, which suits measured values, and integers as differences.

    Raises:
        OutputError: the file could not be written.
    """
    # Imported where a table is written: naming the synthetic systems must not wait for pyarrow.
    import pyarrow.parquet as pq

    metadata = {ROLES_KEY: encoded_roles(roles), **(extra or {})}
    # An open file rather than its name: the operating system's own words reach the error message.
    with replacing(path) as part, part.open("wb") as file:
        pq.write_table(
            table.replace_schema_metadata(metadata),
            file,
            compression="zstd",
            compression_level=9,
            use_dictionary=False,
            column_encoding=_encodings(table.schema),
        )


def encoded_roles(roles: TableMetadata) -> bytes:
    """The JSON of the metadata key ``pidreg``, which ``parse_metadata`` reads; unset roles are left out."""
    columns = {"target": roles.target, "id": roles.id, "group": roles.group, "split": roles.split}
    value: dict[str, Any] = {
        "version": METADATA_VERSION,
        "modalities": {name: list(features) for name, features in roles.modalities.items()},
        **{role: column for role, column in columns.items() if column is not None},
    }
    return json.dumps(value, ensure_ascii=False).encode()


def _encodings(schema: pa.Schema) -> dict[str, str]:
    import pyarrow.types as pt

    floats = {field.name: "BYTE_STREAM_SPLIT" for field in schema if pt.is_floating(field.type)}
    return floats | {field.name: "DELTA_BINARY_PACKED" for field in schema if pt.is_integer(field.type)}
