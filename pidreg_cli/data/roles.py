"""Which column is what: options and configuration first, then the file's metadata, then column names."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from pidreg_cli.data.columns import is_feature, is_number
from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.modalities import (
    FROM_METADATA,
    Features,
    FeatureSearch,
    check_feature_types,
    two_roles,
    unknown_column,
)
from pidreg_cli.data.naming import check_modality_name, is_modality_name, listing
from pidreg_cli.errors import DataError

if TYPE_CHECKING:
    from pidreg_cli.config.settings import DataSettings

Kinds = Mapping[str, pa.DataType]
# Columns that are taken for the role of the same name when nobody names one.
UNASKED = ("target", "id", "split")


@dataclass(frozen=True)
class RoleRequest:
    """What options and configuration ask for.

    ``modalities`` maps names, in their order, to column patterns (globs), or to nothing for the columns that
    the file's metadata or the naming convention gives the name. Empty: the metadata's modalities, else the
    prefixes of ``NAME__feature`` columns.
    """

    modalities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    target: str | None = None
    id: str | None = None
    group: str | None = None
    split_column: str | None = None

    @classmethod
    def from_settings(cls, settings: DataSettings) -> RoleRequest:
        """The request of a resolved configuration."""
        modalities = {name: tuple(globs) for name, globs in (settings.modalities or {}).items()}
        return cls(modalities, settings.target, settings.id, settings.group, settings.split_column)


@dataclass(frozen=True)
class Roles:
    """Columns of a table by role, and notices of what was used unasked or left out."""

    modalities: Features
    target: str
    id: str | None = None
    group: str | None = None
    split: str | None = None
    notices: tuple[str, ...] = ()


def resolve_roles(
    schema: pa.Schema,
    metadata: TableMetadata | None,
    request: RoleRequest,
    encoded: Collection[str] = (),
) -> Roles:
    """Give each role its columns. Features among ``encoded`` may be of any type: numbers will be made of them.

    Raises UsageError for an illegal modality name, or where nothing says what the modalities are. Raises
    DataError for a column that does not exist, has two roles or no numbers, a modality without columns, and a
    missing target.
    """
    for name in request.modalities:
        check_modality_name(name)
    stored = metadata or TableMetadata()
    kinds = dict(zip(schema.names, schema.types, strict=True))
    named = _named_columns(kinds, request, stored)
    single = named | _unasked_columns(kinds, named, request, stored)
    search = FeatureSearch(kinds, request.modalities, stored.modalities, single.values())
    features = search.find()
    if "target" not in single:
        raise _missing_target(kinds, [*single.values(), *_all_columns(features)])
    _check_target_type(single["target"], kinds)
    check_feature_types(features, {column: kind for column, kind in kinds.items() if column not in encoded})
    notices = (
        *_notices_of_unasked(single, named),
        *_notices_of_search(search),
        *_notices_of_withheld(search, single, encoded),
        *_unused(kinds, features, single),
    )
    return Roles(features, **single, notices=notices)


def _named_columns(kinds: Kinds, request: RoleRequest, stored: TableMetadata) -> dict[str, str]:
    """Columns of the roles that options, configuration or metadata name."""
    requested = _given(target=request.target, id=request.id, group=request.group, split=request.split_column)
    _check_named(requested, kinds, lambda role: f", though it is to be the {role}")
    remembered = _given(target=stored.target, id=stored.id, group=stored.group, split=stored.split)
    needed = {role: column for role, column in remembered.items() if role not in requested}
    _check_named(needed, kinds, lambda _: FROM_METADATA)
    # First match wins: a column that an option gives a role loses the one it has in the metadata.
    return {
        role: column for role, column in needed.items() if not _is_held(role, column, requested)
    } | requested


def _is_held(role: str, column: str, named: Mapping[str, str]) -> bool:
    """Whether another role keeps ``role`` from having the column; id and group may share one."""
    holders = {holder for holder, other in named.items() if other == column}
    return bool(holders) and holders | {role} != {"id", "group"}


def _given(**columns: str | None) -> dict[str, str]:
    return {role: column for role, column in columns.items() if column is not None}


def _check_named(named: Mapping[str, str], kinds: Kinds, origin: Callable[[str], str]) -> None:
    for role, column in named.items():
        if column not in kinds:
            raise unknown_column(column, kinds, origin(role))
        roles = [role for role, other in named.items() if other == column]
        # Id and group may share a column: repeated measurements of a subject.
        if len(roles) > 1 and roles != ["id", "group"]:
            raise two_roles(column, roles)


def _unasked_columns(
    kinds: Kinds, named: Mapping[str, str], request: RoleRequest, stored: TableMetadata
) -> dict[str, str]:
    modalities = request.modalities or stored.modalities
    features = {column for columns in modalities.values() for column in columns}
    free = [role for role in UNASKED if role in kinds and role not in named and role not in features]
    return {role: role for role in free if not _is_held(role, role, named)}


def _missing_target(kinds: Kinds, used: Iterable[str]) -> DataError:
    numeric = [column for column, kind in kinds.items() if is_number(kind)]
    taken = set(used)
    lacks = (
        "the column 'target' has another role" if "target" in taken else "the table has no column 'target'"
    )
    candidates = [column for column in numeric if column not in taken] or numeric
    if not candidates:
        return DataError(
            "data.missing_target",
            f"No target is named, {lacks}, and no column holds single numbers.",
            "Add the column of numbers that is to be predicted.",
        )
    return DataError(
        "data.missing_target",
        f"No target is named and {lacks}. Numeric columns: {listing(candidates)}.",
        f"Name one, as in --target {shlex.quote(candidates[0])}.",
    )


def _check_target_type(target: str, kinds: Kinds) -> None:
    if not is_number(kinds[target]):
        raise DataError(
            "data.target_type",
            f"The target {target!r} holds {kinds[target]}; it must hold numbers (regression only).",
            "Choose a numeric target; classes and texts cannot be predicted.",
        )


def _notices_of_unasked(single: Mapping[str, str], named: Mapping[str, str]) -> Iterable[str]:
    return (
        f"Column {role!r} is used as the {role} of the rows, as nothing else is named."
        for role in ("id", "split")
        if role in single and role not in named
    )


def _notices_of_search(search: FeatureSearch) -> Iterable[str]:
    if not search.requested and not search.stored:
        yield f"Modalities, by the prefixes of the columns: {', '.join(search.names())}."
        illegal = [name for name in search.prefixes() if not is_modality_name(name)]
        if illegal:
            yield f"Prefixes left out, as they are no legal names of modalities: {listing(illegal)}."


def _notices_of_withheld(
    search: FeatureSearch, single: Mapping[str, str], encoded: Collection[str]
) -> Iterable[str]:
    for column, name in search.withheld().items():
        roles = " and ".join(role for role, other in single.items() if other == column)
        if column in encoded or is_feature(search.kinds[column]):
            yield f"Column {column!r} is the {roles}, and so no feature of {name!r}."


def _unused(kinds: Kinds, features: Features, single: Mapping[str, str]) -> Iterable[str]:
    used = {*_all_columns(features), *single.values()}
    unused = [column for column in kinds if column not in used]
    if unused:
        yield f"Columns without a role are not used: {listing(unused)}."


def _all_columns(features: Features) -> Iterable[str]:
    return (column for columns in features.values() for column in columns)
