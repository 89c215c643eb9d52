"""Synthetic tables as files: Parquet with roles and truth in its metadata, and the truth beside it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pidreg_cli.data.synthetic.generate import SyntheticTable
from pidreg_cli.errors import OutputError, UsageError

ROLES_KEY = "pidreg"
TRUTH_KEY = "pidreg_truth"
ROLES_VERSION = "1.0"


def truth_path(path: Path) -> Path:
    """Where the truth of the table at ``path`` is written: ``data.truth.json`` beside ``data.parquet``."""
    return path.with_name(f"{path.stem}.truth.json")


def write_synthetic(table: SyntheticTable, path: Path, force: bool = False) -> None:
    """Write the table to ``path`` and its truth beside it; equal tables give equal bytes.

    Raises:
        UsageError: one of the two files exists and ``force`` is false.
        OutputError: a file could not be written.
    """
    outputs = (path, truth_path(path))
    if not force:
        _refuse_existing(*outputs)
    _write_whole(outputs[0], lambda part: _write_parquet(table, part))
    _write_whole(outputs[1], lambda part: part.write_text(_json(table.truth, indent=2) + "\n", "utf-8"))


def _refuse_existing(*paths: Path) -> None:
    for path in paths:
        if path.exists():
            raise UsageError(
                "output.exists", f"{path} already exists", "give another name, or --force to replace it"
            )


def _write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Write under a temporary name beside ``path``, then rename: a reader never meets half a file."""
    part = path.with_name(f".{path.name}.partial")
    try:
        write(part)
        part.replace(path)
    except OSError as error:
        raise OutputError(
            "output.not_written",
            f"{path} could not be written: {error.strerror or error}",
            "check that the folder exists, is writable and has space left",
        ) from error
    finally:
        part.unlink(missing_ok=True)


def _write_parquet(table: SyntheticTable, path: Path) -> None:
    import pyarrow.parquet as pq

    numbers = [name for name in table.table.column_names if name != "id"]
    encodings = {"id": "DELTA_BINARY_PACKED"} | dict.fromkeys(numbers, "BYTE_STREAM_SPLIT")
    pq.write_table(
        table.table.replace_schema_metadata(_metadata(table)),
        path,
        compression="zstd",
        compression_level=9,
        use_dictionary=False,
        column_encoding=encodings,
    )


def _metadata(table: SyntheticTable) -> dict[str, str]:
    return {ROLES_KEY: _json(roles(table)), TRUTH_KEY: _json(table.truth)}


def roles(table: SyntheticTable) -> dict[str, Any]:
    """The columns of each modality, the target and the id, as the metadata of the Parquet file names them."""
    names = table.table.column_names
    modalities = {m: [c for c in names if c.startswith(f"{m}__")] for m in table.truth["modalities"]}
    return {"version": ROLES_VERSION, "modalities": modalities, "target": "target", "id": "id"}


def _json(value: object, indent: int | None = None) -> str:
    return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False)
