"""From a table and its roles to arrays, with every check that needs the rows themselves."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.arrays import TEST, TRAIN, VALID, MultimodalArrays
from pidreg_cli.data.columns import Floats, as_floats, is_list
from pidreg_cli.data.features import FeatureBlock, at_row, check_range, feature_block
from pidreg_cli.data.labels import complete_labels, row_ids
from pidreg_cli.data.naming import listing
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.errors import DataError

STRADDLING = (
    "The split column divides groups: some have rows in two parts, so that test rows are not independent of training "
    "rows."
)


class Loaded(NamedTuple):
    """Arrays, and notices of what is legal but worth knowing."""

    arrays: MultimodalArrays
    notices: tuple[str, ...]


def load_arrays(table: ParquetTable, roles: Roles, *, require_target: bool = True) -> Loaded:
    """Read the columns that have a role.

    Rows keep their order; rows with a missing target stay, as NaN. Without ``require_target`` a table that
    has no target column gives arrays without one. Raises DataError, naming column and row (counted from 0),
    for infinite numbers, uneven lists or null elements in them, a modality without any value, a target that
    is all missing, constant or two-valued, missing groups, and split values other than train, valid and test.
    """
    has_target = require_target or roles.target in table.schema.names
    target = target_column(table, roles.target) if has_target else None
    blocks = {name: _present_block(table, name, columns) for name, columns in roles.modalities.items()}
    arrays = MultimodalArrays(
        features={name: block.values for name, block in blocks.items()},
        columns={name: block.names for name, block in blocks.items()},
        target=target,
        ids=np.arange(table.rows) if roles.id is None else row_ids(table, roles.id),
        groups=None if roles.group is None else complete_labels(table, roles.group, "group"),
        split=None if roles.split is None else _split(table, roles.split),
        lists=frozenset(name for name, columns in roles.modalities.items() if _all_lists(table, columns)),
    )
    return Loaded(
        arrays, (*_notices_of_blocks(blocks), *_notices_of_ids(arrays, roles), *_straddling(arrays))
    )


def _all_lists(table: ParquetTable, columns: tuple[str, ...]) -> bool:
    return all(is_list(table.schema.field(column).type) for column in columns)


def _present_block(table: ParquetTable, modality: str, columns: tuple[str, ...]) -> FeatureBlock:
    block = feature_block(table, columns)
    if np.isnan(block.values).all():
        raise empty_modality(modality, columns)
    return block


def empty_modality(name: str, columns: Sequence[str]) -> DataError:
    """The error for a modality without a value."""
    return DataError(
        "data.empty_modality",
        f"Every cell of modality {name!r} is missing ({listing(columns)}).",
        "Leave the modality out, or fill its columns.",
    )


def target_column(table: ParquetTable, name: str) -> Floats:
    """The target of all rows, (n_rows,), NaN where missing. Raises DataError as ``load_arrays``."""
    column = table.read([name])[name]
    target = np.concatenate([as_floats(chunk) for chunk in column.chunks])
    check_range(target, name)
    distinct = np.unique(target[~np.isnan(target)])
    if len(distinct) < 3:
        raise without_spread(name, distinct)
    return target


def without_spread(name: str, distinct: Floats) -> DataError:
    """The error for a target ``name`` of these distinct values, fewer than three."""
    if len(distinct) == 0:
        return DataError(
            "data.missing_target_values",
            f"The target {name!r} is missing in every row.",
            "Choose another target, or fill it.",
        )
    if len(distinct) == 1:
        return DataError(
            "data.constant_target",
            f"The target {name!r} is {distinct[0]:g} in every row; it must vary.",
            "Choose another target.",
        )
    return DataError(
        "data.two_valued_target",
        f"The target {name!r} has two values only, {distinct[0]:g} and {distinct[1]:g}; this is regression, "
        "where bits of a two-valued target would read too high.",
        "Choose a target of many values, for instance the measurement behind the two classes.",
    )


def _split(table: ParquetTable, name: str) -> NDArray[np.str_]:
    labels = complete_labels(table, name, "split").astype(str)
    check_split_values(labels, name)
    return labels


def check_split_values(labels: NDArray[np.str_], name: str, first_row: int = 0) -> None:
    """Raise DataError where one of ``labels`` (n,), of rows from ``first_row`` on, is no part."""
    wrong = np.setdiff1d(labels, (TRAIN, VALID, TEST))
    if len(wrong):
        row = first_row + int(np.isin(labels, wrong).argmax())
        raise DataError(
            "data.split_value",
            f"The split column {name!r} holds {listing(wrong.tolist())}, first in {at_row(row)}; "
            f"the values must be '{TRAIN}', '{VALID}' and '{TEST}'.",
            "Rename the values, or name the right column with --split-column.",
        )


def _notices_of_blocks(blocks: dict[str, FeatureBlock]) -> Iterator[str]:
    for name, block in blocks.items():
        if block.blurred:
            yield blurring(name, block.blurred)


def blurring(name: str, columns: Sequence[str]) -> str:
    """The notice of columns of a modality that single precision blurs."""
    return (
        f"Modality {name!r}: rounding to single precision blurs {listing(columns)}; "
        "subtract a constant or change the unit."
    )


def _notices_of_ids(arrays: MultimodalArrays, roles: Roles) -> Iterator[str]:
    distinct = len(np.unique(arrays.ids))
    if distinct < arrays.rows:
        yield f"Ids repeat: column {roles.id!r} has {distinct} different values in {arrays.rows} rows."


def _straddling(arrays: MultimodalArrays) -> Iterator[str]:
    if arrays.groups is None or arrays.split is None:
        return
    pairs = set(zip(arrays.groups.tolist(), arrays.split.tolist(), strict=True))
    straddling = len(pairs) - len({group for group, _ in pairs})
    if straddling:
        yield STRADDLING
