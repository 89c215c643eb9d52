"""A plan as files: Parquet with roles and recipe in its metadata, and the same with the counts beside it as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from pidreg_cli.atomic import replacing
from pidreg_cli.data.metadata import ROLES_KEY, TableMetadata
from pidreg_cli.data.preparation.findings import Finding, RowProgress, warning
from pidreg_cli.data.preparation.output_names import sidecar_path
from pidreg_cli.data.preparation.plan import SPLIT_COLUMN, Plan
from pidreg_cli.data.preparation.recipe import EncodedRows
from pidreg_cli.data.preparation.request import DateRequest, PrepareRequest
from pidreg_cli.data.preparation.survey import PARTS
from pidreg_cli.data.sources.source import rebatched, rows_per_batch
from pidreg_cli.data.writing import open_writer, roles_document
from pidreg_cli.version import __version__


def write_plan(plan: Plan, request: PrepareRequest, path: Path, progress: RowProgress) -> tuple[Finding, ...]:
    """Write table and sidecar, both or none; equal inputs and requests give equal bytes.

    Gives what was noticed only now: values that the recipe of other rows does not know. Raises DataError where the
    table cannot be read, OutputError where a file could not be written.
    """
    rows = EncodedRows(plan.source, plan.recipe, plan.absent)
    document = _recipe_document(plan, request)
    metadata = {ROLES_KEY: json.dumps(document, ensure_ascii=False).encode()}
    progress.begin("writing", plan.rows)
    # Both are written before either is renamed.
    with replacing(sidecar_path(path)) as side, replacing(path) as part:
        with open_writer(_schema(rows, plan), part, metadata) as writer:
            for batch in _batches(rows, plan):
                writer.write_batch(batch)
                progress.advance(batch.num_rows)
        late = tuple(_unseen(rows))
        # A file name that is no text is written as JSON's escapes.
        side.write_text(_sidecar(document, plan, late), encoding="utf-8", errors="backslashreplace")
    progress.finish()
    return late


def _schema(rows: EncodedRows, plan: Plan) -> pa.Schema:
    columns = rows.read_columns
    fields = [rows.source.schema.field(name) for name in columns]
    nothing = pa.RecordBatch.from_arrays([pa.array([], field.type) for field in fields], names=columns)
    return _with_split(rows.encoded(nothing), plan, 0).schema


def _batches(rows: EncodedRows, plan: Plan) -> Iterator[pa.RecordBatch]:
    """Batches of one size, so that row groups do not depend on how the inputs are cut."""
    size = rows_per_batch(rows.width)
    first_row = 0
    for batch in rebatched(rows.batches(size), size):
        yield _with_split(batch, plan, first_row)
        first_row += batch.num_rows


def _with_split(batch: pa.RecordBatch, plan: Plan, first_row: int) -> pa.RecordBatch:
    if plan.codes is None:
        return batch
    codes = plan.codes[first_row : first_row + batch.num_rows]
    labels = pa.array(np.array(PARTS, dtype=object)[codes], pa.string())
    place = len(set(plan.recipe.singles.values()))
    arrays = [*batch.columns[:place], labels, *batch.columns[place:]]
    names = [*batch.schema.names[:place], SPLIT_COLUMN, *batch.schema.names[place:]]
    return pa.RecordBatch.from_arrays(arrays, names=names)


def _roles(plan: Plan) -> TableMetadata:
    there = plan.source.schema.names
    singles = {role: column for role, column in plan.recipe.singles.items() if column in there}
    if plan.codes is not None:
        singles["split"] = SPLIT_COLUMN
    return TableMetadata(plan.recipe.roles.modalities, **singles)


def _recipe_document(plan: Plan, request: PrepareRequest) -> dict[str, Any]:
    return {
        **roles_document(_roles(plan)),
        "tool_version": __version__,
        "recipe": {**plan.recipe.to_dict(), "reading": reading_document(request)},
    }


def reading_document(request: PrepareRequest) -> dict[str, Any]:
    """How tables are put together before the recipe: the join, and the dates that are read."""
    return {
        "join": None if request.join is None else asdict(request.join),
        "dates": [
            {"column": date.column, "format": date.format, "parts": date.parts} for date in request.dates
        ],
    }


def dates_of(stored: list[dict[str, Any]]) -> tuple[DateRequest, ...]:
    """The dates that ``reading_document`` wrote."""
    return tuple(DateRequest(str(d["column"]), d["format"], tuple(d["parts"])) for d in stored)


def _sidecar(document: dict[str, Any], plan: Plan, late: tuple[Finding, ...]) -> str:
    joins = [counts._asdict() for counts in plan.counts]
    facts = {
        **document,
        "files": list(plan.source.files),
        "rows": plan.rows,
        "rows_missing_target": plan.missing_targets,
        "split_kind": plan.split,
        "rows_of_parts": dict(plan.parts),
        "rows_with_modality": dict(plan.present),
        "joins": joins,
        "findings": [asdict(finding) for finding in (*plan.findings, *late)],
    }
    return json.dumps(facts, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _unseen(rows: EncodedRows) -> Iterator[Finding]:
    for column, count in rows.unseen.items():
        yield warning(
            "categories.unseen",
            f"{count:,} cells of {column!r} hold values that the recipe does not know; they read as none of its "
            "categories.",
        )
