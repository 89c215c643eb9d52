"""The plan of a prepared table: every decision made and every row looked at, nothing written yet."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.modalities import unknown_column
from pidreg_cli.data.naming import listing
from pidreg_cli.data.preparation.features import first_recipe
from pidreg_cli.data.preparation.findings import Finding, RowProgress, note, share_of, warning
from pidreg_cli.data.preparation.joins import TableCounts
from pidreg_cli.data.preparation.leakage import divided_groups, leaking_columns, repeated_rows
from pidreg_cli.data.preparation.opening import OpenedTable, opened
from pidreg_cli.data.preparation.recipe import EncodedRows, Recipe
from pidreg_cli.data.preparation.request import PrepareRequest
from pidreg_cli.data.preparation.resolving import kept_columns, resolve
from pidreg_cli.data.preparation.splitting import split_codes
from pidreg_cli.data.preparation.survey import PARTS, Survey, Wanted, survey
from pidreg_cli.data.preparation.useless import describe_useless, find_useless, remaining
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.sources.source import Source
from pidreg_cli.errors import DataError, UsageError

DecidedSplit = Literal["column", "random", "group", "time", "stratified", "none"]
# The column that a new split is written to.
SPLIT_COLUMN = "split"


@dataclass(frozen=True)
class Plan:
    """What will be written: ``source`` by ``recipe``, and ``codes`` (places in ``PARTS``, (rows,)) of a new split.

    ``present`` are rows of each modality, ``parts`` rows of each part, ``absent`` modalities of which the table lacks
    every column.
    """

    source: Source
    recipe: Recipe
    rows: int
    split: DecidedSplit
    codes: NDArray[np.int8] | None
    parts: Mapping[str, int]
    present: Mapping[str, int]
    missing_targets: int
    counts: tuple[TableCounts, ...]
    findings: tuple[Finding, ...]
    absent: frozenset[str] = frozenset()


@contextmanager
def planned(request: PrepareRequest, progress: RowProgress) -> Iterator[Plan]:
    """The plan, for the length of the block. Raises UsageError, DataError and OutputError (no room to join)."""
    with opened(request) as table:
        yield _plan(table, request, progress)


def _plan(table: OpenedTable, request: PrepareRequest, progress: RowProgress) -> Plan:
    roles = resolve(table.source, request)
    decided, roles = _decide_split(request, roles)
    source = _with_label_texts(table.source, roles)
    time = _time_column(request, source) if decided == "time" else None
    kept = kept_columns(source, roles, request.keep)
    recipe, encodings = first_recipe(source, roles, request.categories, kept, progress)
    _check_split_name(recipe, decided)
    _check_dates_used(request, recipe, time)
    wanted = Wanted(roles.group, time, target=decided == "stratified")
    found = survey(EncodedRows(source, recipe), wanted, progress)
    useless = find_useless(recipe, found)
    if request.drop_useless:
        recipe = remaining(recipe, useless)
    codes = _codes(decided, found, request.seed)
    findings = (
        *(note("input", notice) for notice in source.notices),
        *join_findings(table.counts),
        *(note("roles", notice) for notice in roles.notices),
        *encodings,
        *describe_useless(useless, dropped=request.drop_useless),
        *missing_findings(found, roles.target),
        *leaking_columns(found, recipe, roles.target),
        *_split_findings(decided, found, codes, roles),
    )
    return Plan(
        source=source,
        recipe=recipe,
        rows=found.rows,
        split=decided,
        codes=None if decided == "column" else codes,
        parts=_part_counts(codes),
        present=found.present,
        missing_targets=found.missing_targets,
        counts=table.counts,
        findings=findings,
    )


def _decide_split(request: PrepareRequest, roles: Roles) -> tuple[DecidedSplit, Roles]:
    """What splits the rows, and the roles as they are then."""
    kind = request.split
    if request.time is not None and kind != "time":
        raise UsageError(
            "usage.time", "--time names the column of --split time, which is not asked for", "add it"
        )
    if kind == "auto":
        if roles.split is not None:
            return "column", roles
        return ("random" if roles.group is None else "group"), roles
    if request.roles.split_column is not None:
        raise UsageError(
            "usage.split", f"--split {kind} and --split-column exclude each other", "leave one of them out"
        )
    if kind == "group" and roles.group is None:
        raise UsageError(
            "usage.split", "--split group needs the column of the groups", "name it with --group"
        )
    if kind in ("time", "stratified") and roles.group is not None:
        raise UsageError(
            "usage.split",
            f"--split {kind} cannot keep the groups of --group together",
            "leave one of them out",
        )
    if kind == "random" and roles.group is not None:
        kind = "group"
    if roles.split is not None:
        told = (
            f"Column {roles.split!r} is not used as the split: rows are split anew or not at all, as asked."
        )
        idle = tuple(f"Column {roles.split!r} is {word}" for word in ("used as the split", "the split"))
        others = tuple(n for n in roles.notices if not n.startswith(idle))
        roles = replace(roles, split=None, notices=(*others, told))
    return kind, roles


def _with_label_texts(source: Source, roles: Roles) -> Source:
    """Ids and groups as they are written: '007' is not 7."""
    return source.with_texts(source.codes & {name for name in (roles.id, roles.group) if name is not None})


def _time_column(request: PrepareRequest, source: Source) -> str:
    if request.time is None and len(request.dates) != 1:
        raise UsageError("usage.time", "--split time needs the column of the time", "name it with --time")
    # A column may have an empty name.
    name = request.dates[0].column if request.time is None else request.time
    if name not in source.schema.names:
        raise unknown_column(name, source.schema.names, ", though --time names it")
    return name


def _check_dates_used(request: PrepareRequest, recipe: Recipe, time: str | None) -> None:
    idle = [date.column for date in request.dates if date.column not in (*recipe.columns, time)]
    if idle:
        raise UsageError(
            "usage.date",
            f"--date {idle[0]!r} is asked for, but nothing uses the column",
            f"make it features, as in --modality calendar={idle[0]}, name it with --time, or keep it with --keep",
        )


def _check_split_name(recipe: Recipe, decided: DecidedSplit) -> None:
    if decided in ("column", "none"):
        return
    if SPLIT_COLUMN in (*recipe.singles.values(), *recipe.kept):
        raise DataError(
            "data.name_clash",
            f"The new split would be called {SPLIT_COLUMN!r}, as a column of the table is that has another role.",
            "Rename that column.",
        )


def _codes(decided: DecidedSplit, found: Survey, seed: int) -> NDArray[np.int8] | None:
    if decided == "none":
        return None
    return found.split if decided == "column" else split_codes(decided, found, seed)


def _part_counts(codes: NDArray[np.int8] | None) -> dict[str, int]:
    if codes is None:
        return {}
    return dict(zip(PARTS, np.bincount(codes, minlength=len(PARTS)).tolist(), strict=True))


def join_findings(counts: tuple[TableCounts, ...]) -> Iterator[Finding]:
    """What the join met in each table."""
    for place, table in enumerate(counts):
        alone = "in no other table" if place == 0 else "not in the first table"
        told = [f"{table.rows:,} rows"]
        told += [f"{table.unmatched:,} {alone}"] if len(counts) > 1 else []
        told += [f"{table.missing_keys:,} without a key"] if table.missing_keys else []
        told += [f"{table.duplicates:,} with a key seen before, left out"] if table.duplicates else []
        severe = table.missing_keys or table.duplicates
        yield (warning if severe else note)("join", f"{table.label}: {', '.join(told)}.")


def missing_findings(found: Survey, target: str) -> Iterator[Finding]:
    """Rows without a modality, and without the target."""
    for modality, present in found.present.items():
        if present < found.rows:
            absent = found.rows - present
            yield note(
                "missing.modality",
                f"{absent:,} of {found.rows:,} rows ({share_of(absent, found.rows)}) lack the whole modality "
                f"{modality!r}; they stay.",
            )
    if found.missing_targets:
        yield warning(
            "missing.target",
            f"{found.missing_targets:,} of {found.rows:,} rows have no value of {target!r}; they stay, but will not "
            "train.",
        )


def _split_findings(
    decided: DecidedSplit, found: Survey, codes: NDArray[np.int8] | None, roles: Roles
) -> Iterator[Finding]:
    if codes is None:
        return
    if decided != "column":
        parts = ", ".join(f"{part} {count:,}" for part, count in _part_counts(codes).items())
        yield note("split", f"Rows are split ({decided}): {parts}.")
    elif missing := [part for part, count in _part_counts(codes).items() if count == 0]:
        yield note("split", f"The split column has no row {listing(missing)}.")
    yield from repeated_rows(found, codes)
    if decided == "column" and found.groups is not None and roles.group is not None:
        yield from divided_groups(found.groups, codes, roles.group)
