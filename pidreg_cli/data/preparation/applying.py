"""The recipe of a prepared table applied to other rows: the same columns, whatever the new rows hold."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pidreg_cli.data.columns import is_feature
from pidreg_cli.data.metadata import ROLES_KEY
from pidreg_cli.data.naming import listing
from pidreg_cli.data.preparation.dates import is_date
from pidreg_cli.data.preparation.encoders import Calendar, Encoder, Numbers
from pidreg_cli.data.preparation.features import check_oddities
from pidreg_cli.data.preparation.findings import RowProgress, note, warning
from pidreg_cli.data.preparation.joins import JoinRequest
from pidreg_cli.data.preparation.opening import OpenedTable, opened
from pidreg_cli.data.preparation.output import dates_of
from pidreg_cli.data.preparation.plan import Plan, join_findings, missing_findings
from pidreg_cli.data.preparation.recipe import EncodedRows, Recipe
from pidreg_cli.data.preparation.request import DateRequest, PrepareRequest
from pidreg_cli.data.preparation.survey import Wanted, survey
from pidreg_cli.data.sources.source import Source
from pidreg_cli.errors import DataError
from pidreg_cli.limited_reading import limited_bytes


@dataclass(frozen=True)
class StoredRecipe:
    """A recipe and how tables are put together before it (``reading``)."""

    recipe: Recipe
    reading: Mapping[str, Any]

    def request(self, request: PrepareRequest) -> PrepareRequest:
        """``request`` with the join, the dates and the columns of the stored one."""
        join = self.reading["join"]
        singles = self.recipe.singles
        roles = replace(
            request.roles,
            target=singles.get("target"),
            id=singles.get("id"),
            group=singles.get("group"),
            split_column=singles.get("split"),
        )
        return replace(
            request,
            roles=roles,
            join=None if join is None else JoinRequest(**{**join, "key": tuple(join["key"])}),
            dates=self._dates(),
        )

    def _dates(self) -> tuple[DateRequest, ...]:
        """Dates that become columns, not those that a split was made by; a modality of dates may be absent."""
        stored = dates_of(self.reading["dates"])
        return tuple(replace(date, optional=True) for date in stored if date.column in self.recipe.columns)


MOST_BYTES = 2**26
"""Of a sidecar: a recipe of a hundred thousand columns is a third of it."""


def read_recipe(path: Path) -> StoredRecipe:
    """The recipe in a prepared Parquet file or its sidecar. Raises DataError where there is none."""
    try:
        stored = json.loads(_document(path))
        return StoredRecipe(Recipe.from_dict(stored["recipe"]), stored["recipe"]["reading"])
    except (KeyError, TypeError, AttributeError, ValueError, RecursionError) as cause:
        raise DataError(
            "data.recipe",
            f"'{path}' holds no recipe that can be read ({type(cause).__name__}: {cause}).",
            "Name a table that 'pidreg prepare' wrote, or the .pidreg.json beside it.",
        ) from cause


@contextmanager
def planned_like(stored: StoredRecipe, request: PrepareRequest, progress: RowProgress) -> Iterator[Plan]:
    """The plan for other rows, by a stored recipe: no target is needed, nothing is dropped, nothing is split.

    Raises DataError where some columns of a modality are missing or hold other than numbers; a modality of which
    all are missing is absent.
    """
    with opened(stored.request(request)) as table:
        yield _plan(stored.recipe, table, progress)


def _plan(recipe: Recipe, table: OpenedTable, progress: RowProgress) -> Plan:
    source = table.source
    absent = frozenset(name for name in recipe.features if _is_absent(recipe.features[name], source))
    if len(absent) == len(recipe.features):
        raise DataError(
            "data.missing_columns",
            f"{source.label} has no column of any modality ({listing(list(recipe.features))}).",
            "Give a table with the columns of the prepared one.",
        )
    known = set(source.schema.names)
    names = [role for role, column in recipe.singles.items() if column not in known]
    source = source.with_texts(source.codes & {c for r, c in recipe.singles.items() if r in ("id", "group")})
    there = replace(
        recipe,
        singles={role: column for role, column in recipe.singles.items() if role not in names},
        kept=tuple(column for column in recipe.kept if column in known),
    )
    for modality, encoders in recipe.features.items():
        if modality not in absent:
            _check_columns(modality, encoders, source)
    rows = EncodedRows(source, there, absent)
    found = survey(rows, Wanted(spread=False), progress)
    findings = (
        *(note("input", notice) for notice in source.notices),
        *join_findings(table.counts),
        *(note("roles", f"The table has no column of the role {name!r}.") for name in names),
        *(
            warning("missing.modality", f"The columns of {name!r} are all missing: it is absent.")
            for name in absent
        ),
        *missing_findings(found, recipe.singles.get("target", "")),
    )
    return Plan(
        source=source,
        recipe=there,
        rows=found.rows,
        split="none",
        codes=None,
        parts={},
        present=found.present,
        missing_targets=found.missing_targets,
        counts=table.counts,
        findings=findings,
        absent=absent,
    )


def _is_absent(encoders: Sequence[Encoder], source: Source) -> bool:
    return {encoder.column for encoder in encoders}.isdisjoint(source.schema.names)


def _check_columns(modality: str, encoders: Sequence[Encoder], source: Source) -> None:
    known = set(source.schema.names)
    missing = [encoder.column for encoder in encoders if encoder.column not in known]
    if missing:
        raise DataError(
            "data.missing_columns",
            f"{source.label} lacks columns of modality {modality!r}: {listing(missing)}.",
            "Give all columns of a modality (cells may be empty), or none of them.",
        )
    check_oddities(source, [encoder.column for encoder in encoders if isinstance(encoder, Numbers)])
    for encoder in encoders:
        kind = source.schema.field(encoder.column).type
        if not _fits(encoder, kind):
            raise DataError(
                "data.feature_type",
                f"Column {encoder.column!r} holds {kind}; the recipe encodes it as {encoder.kind}.",
                "Give it as it was in the table that was prepared.",
            )


def _fits(encoder: Encoder, kind: pa.DataType) -> bool:
    if isinstance(encoder, Numbers):
        return is_feature(kind)
    if isinstance(encoder, Calendar):
        return is_date(kind)
    return bool(pa.types.is_string(kind)) or is_feature(kind)


def _document(path: Path) -> bytes:
    try:
        if path.suffix.lower() == ".json":
            return limited_bytes(path, MOST_BYTES)
        with pq.ParquetFile(path) as parquet:
            return bytes((parquet.schema_arrow.metadata or {})[ROLES_KEY])
    except (OSError, pa.ArrowException) as cause:
        raise DataError(
            "data.unreadable_file",
            f"'{path}' cannot be read: {getattr(cause, 'strerror', None) or cause}.",
            "Name a table that 'pidreg prepare' wrote, or the .pidreg.json beside it.",
        ) from cause
