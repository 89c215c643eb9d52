"""Which columns are the features of which modality."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import pyarrow as pa

from pidreg_cli.data.columns import is_feature, is_list
from pidreg_cli.data.naming import (
    by_convention,
    is_modality_name,
    listing,
    nearest,
    prefixes,
    starts_with_name,
)
from pidreg_cli.errors import DataError, UsageError

FROM_METADATA = ", though the file's 'pidreg' metadata names it"
Features = dict[str, tuple[str, ...]]


@dataclass(frozen=True)
class FeatureSearch:
    """Where features come from: the columns and types of a table, and those with another role, ``taken``.

    ``requested`` maps names to patterns, or to nothing for what ``stored`` (the file's metadata) or the
    naming convention gives the name.
    """

    kinds: Mapping[str, pa.DataType]
    requested: Mapping[str, Sequence[str]]
    stored: Mapping[str, Sequence[str]]
    taken: Collection[str]

    def find(self) -> Features:
        """Feature columns of each modality, in the order of the names.

        Raises UsageError where nothing says what the modalities are, and DataError for a column that does not
        exist or has two roles, and for a modality without columns.
        """
        explicit = self._all_explicit()
        _check_disjoint(explicit)
        convention = self._by_name(explicit)
        for name, columns in convention.items():
            if not columns:
                raise self._without_columns(name)
        return {name: explicit.get(name) or convention[name] for name in self.names()}

    def withheld(self) -> dict[str, str]:
        """Modalities by columns that would be their features by metadata or name, and have another role; of patterns
        everybody knows that such a column is none.
        """
        names = [name for name in self.names() if not self.requested.get(name)]
        owners: dict[str, str] = {}
        for column in (one for one in self.kinds if one in self.taken):
            found = [name for name in names if column in self.stored.get(name, ())]
            # Most are called as none: tables of ten thousand columns are not looked through for them.
            if not found and any(starts_with_name(column, name) for name in names):
                convention = self._by_name(self._all_explicit(), column).items()
                found = [name for name, columns in convention if column in columns]
            if found:
                owners[column] = found[0]
        return owners

    def _all_explicit(self) -> Features:
        """What patterns or the metadata give, of names that have some."""
        return {name: columns for name in self.names() if (columns := self._explicit(name))}

    def _by_name(self, explicit: Features, *more: str) -> Features:
        """What the convention gives the other names, of the columns that are free and ``more``."""
        claimed = {column for columns in explicit.values() for column in columns} | set(self.taken)
        free = [column for column in self.kinds if column not in claimed or column in more]
        lists = {column for column, kind in self.kinds.items() if is_list(kind)}
        return by_convention([name for name in self.names() if name not in explicit], free, lists)

    def names(self) -> tuple[str, ...]:
        """Modality names: requested, else stored, else prefixes of ``NAME__feature`` columns."""
        if self.requested:
            return tuple(self.requested)
        if self.stored:
            return _checked_stored(tuple(self.stored))
        found = tuple(name for name in self.prefixes() if is_modality_name(name))
        if not found:
            raise UsageError(
                "usage.modalities",
                "Nothing says which modalities there are: no option, no metadata, no NAME__feature columns.",
                "Name them, as in --modalities mri,fmri, or give their columns, as in --modality mri='mri*'.",
            )
        return found

    def prefixes(self) -> tuple[str, ...]:
        """Prefixes of ``NAME__feature`` columns without another role, whether legal names or not."""
        return prefixes(column for column in self.kinds if column not in self.taken)

    def _explicit(self, name: str) -> tuple[str, ...]:
        if patterns := self.requested.get(name):
            columns = [column for pattern in patterns for column in self._matching(pattern, name)]
        else:
            columns = self._existing(self.stored.get(name, ()))
        return tuple(dict.fromkeys(columns))

    def _existing(self, stored: Sequence[str]) -> list[str]:
        for column in stored:
            if column not in self.kinds:
                raise unknown_column(column, self.kinds, FROM_METADATA)
        return [column for column in stored if column not in self.taken]

    def _matching(self, pattern: str, name: str) -> list[str]:
        if pattern in self.taken:
            raise two_roles(pattern, [f"feature of {name!r}", "a role of its own"])
        if pattern in self.kinds:
            return [pattern]
        found = [column for column in self.kinds if fnmatchcase(column, pattern) and column not in self.taken]
        if not found:
            raise DataError(
                "data.empty_modality",
                f"No column matches {pattern!r} of modality {name!r} (columns with another role are never "
                f"features).{nearest(pattern, self.kinds)}",
                _columns_are(self.kinds),
            )
        return found

    def _without_columns(self, name: str) -> DataError:
        near = nearest(name, [*prefixes(self.kinds), *self.kinds])
        return DataError(
            "data.empty_modality",
            f"Modality {name!r} has no columns: none starts with '{name}__', '{name}.' or '{name}_'.{near}",
            f"Give its columns, as in --modality {name}=GLOB. {_columns_are(self.kinds)}",
        )


def check_feature_types(features: Features, kinds: Mapping[str, pa.DataType]) -> None:
    """Raise DataError where a feature of known kind holds neither numbers nor lists of numbers."""
    for name, columns in features.items():
        wrong = [column for column in columns if column in kinds and not is_feature(kinds[column])]
        if wrong:
            raise DataError(
                "data.feature_type",
                f"Features must be numbers or lists of numbers; of modality {name!r} {listing(wrong)} "
                f"{'is' if len(wrong) == 1 else 'are'} not ({kinds[wrong[0]]}).",
                "Encode texts with 'pidreg prepare' (and dates with its --date), or choose columns with "
                "--modality NAME=GLOB.",
            )


def unknown_column(name: str, columns: Collection[str], origin: str = "") -> DataError:
    """The error for a column that the table does not have; ``origin`` says who named it."""
    return DataError(
        "data.unknown_column",
        f"There is no column {name!r} in the table{origin}.{nearest(name, columns)}",
        _columns_are(columns),
    )


def two_roles(column: str, roles: Sequence[str]) -> DataError:
    """The error for a column that is asked to be two things."""
    return DataError(
        "data.two_roles",
        f"Column {column!r} has two roles: {' and '.join(roles)}; a column has one.",
        "Give one of the roles to another column.",
    )


def _columns_are(columns: Collection[str]) -> str:
    return f"Columns are {listing(list(columns))}."


def _check_disjoint(modalities: Features) -> None:
    owners: dict[str, str] = {}
    for name, columns in modalities.items():
        for column in columns:
            if column in owners:
                raise two_roles(column, [f"feature of {owners[column]!r}", f"feature of {name!r}"])
            owners[column] = name


def _checked_stored(names: tuple[str, ...]) -> tuple[str, ...]:
    illegal = [name for name in names if not is_modality_name(name)]
    if illegal:
        raise DataError(
            "data.metadata",
            f"The file's 'pidreg' metadata names modalities {listing(illegal)}, which are no legal names.",
            "Write the file again, or name the modalities with --modality NAME=GLOB.",
        )
    return names
