"""Roles of a table that is to be prepared: as of ``resolve_roles``, but texts and asked dates may be features."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

import pyarrow as pa

from pidreg_cli.data.naming import listing, nearest
from pidreg_cli.data.preparation.features import check_oddities
from pidreg_cli.data.preparation.request import PrepareRequest
from pidreg_cli.data.roles import RoleRequest, Roles, resolve_roles
from pidreg_cli.data.sources.source import Source
from pidreg_cli.errors import DataError, UsageError


def resolve(source: Source, request: PrepareRequest) -> Roles:
    """Give each role its columns. Raises UsageError and DataError as ``resolve_roles``."""
    wanted = _with_inputs(request)
    named = (wanted.target, source.metadata.target if source.metadata else None, "target")
    check_oddities(source, [next(name for name in named if name is not None)], single=True)
    dates = {date.column for date in request.dates}
    encoded = [f.name for f in source.schema if pa.types.is_string(f.type) or f.name in dates]
    return resolve_roles(source.schema, source.metadata, wanted, encoded)


def _with_inputs(request: PrepareRequest) -> RoleRequest:
    """The request with what named inputs and the key of a join say."""
    roles = request.roles
    modalities = dict(roles.modalities)
    for one in request.inputs:
        if one.modality is None:
            continue
        if modalities.get(one.modality):
            raise UsageError(
                "usage.modality_twice",
                f"modality {one.modality!r} is an input and has columns by --modality",
                "give one of them another name",
            )
        modalities.setdefault(one.modality, ())
    identifier = roles.id
    if identifier is None and request.join is not None and len(request.join.key) == 1:
        identifier = request.join.key[0]
    return replace(roles, modalities=modalities, id=identifier)


def kept_columns(source: Source, roles: Roles, patterns: Sequence[str]) -> tuple[str, ...]:
    """Columns without a role that match one of the patterns, in the order of the table.

    Raises DataError for a pattern other than ``*`` that matches none.
    """
    used = {column for columns in roles.modalities.values() for column in columns}
    used |= {column for column in (roles.target, roles.id, roles.group, roles.split) if column is not None}
    free = [name for name in source.schema.names if name not in used]
    for pattern in patterns:
        if pattern != "*" and not any(name == pattern or fnmatchcase(name, pattern) for name in free):
            raise DataError(
                "data.unknown_column",
                f"No column without a role matches {pattern!r} of --keep.{nearest(pattern, free)}",
                f"Columns without a role are {listing(free)}." if free else "Every column has a role.",
            )
    return tuple(name for name in free if any(name == p or fnmatchcase(name, p) for p in patterns))
