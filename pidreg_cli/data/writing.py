"""Parquet files that say which column plays which role; equal tables give equal bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pidreg_cli.atomic import replacing
from pidreg_cli.data.metadata import ROLES_KEY, TableMetadata

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

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


@contextmanager
def open_writer(schema: pa.Schema, path: Path, metadata: Mapping[bytes, bytes]) -> Iterator[pq.ParquetWriter]:
    """A Parquet file that grows by batches, a row group each; equal batches give equal bytes. Raises OSError."""
    import pyarrow.parquet as pq
    import pyarrow.types as pt

    with (
        path.open("wb") as file,
        pq.ParquetWriter(
            file,
            schema.with_metadata(metadata),
            compression="zstd",
            # Texts repeat (the split, kept categories); numbers are stored byte by byte or as differences.
            use_dictionary=[field.name for field in schema if pt.is_string(field.type)],
            column_encoding=_encodings(schema),
        ) as writer,
    ):
        yield writer


def encoded_roles(roles: TableMetadata) -> bytes:
    """The JSON of the metadata key ``pidreg``, which ``parse_metadata`` reads; unset roles are left out."""
    return json.dumps(roles_document(roles), ensure_ascii=False).encode()


def roles_document(roles: TableMetadata) -> dict[str, Any]:
    """Roles as the object that ``encoded_roles`` writes."""
    columns = {"target": roles.target, "id": roles.id, "group": roles.group, "split": roles.split}
    value: dict[str, Any] = {
        "version": METADATA_VERSION,
        "modalities": {name: list(features) for name, features in roles.modalities.items()},
        **{role: column for role, column in columns.items() if column is not None},
    }
    return value


def _encodings(schema: pa.Schema) -> dict[str, str]:
    import pyarrow.types as pt

    floats = {field.name: "BYTE_STREAM_SPLIT" for field in schema if pt.is_floating(field.type)}
    return floats | {field.name: "DELTA_BINARY_PACKED" for field in schema if pt.is_integer(field.type)}
