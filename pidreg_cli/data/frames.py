"""Tables that are already in memory: a DataFrame or an array with named groups of columns, to arrays."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.features import feature_names
from pidreg_cli.data.frame_cells import numbers_of, width_of
from pidreg_cli.data.modalities import two_roles
from pidreg_cli.data.naming import check_modality_name, listing
from pidreg_cli.data.new_rows import list_width
from pidreg_cli.errors import DataError

ColumnsByModality = Mapping[str, Sequence[Any]]

ONLY_MODALITY = "features"  # name of the modality of a table whose columns are not told apart


def as_frame(X: pd.DataFrame | ArrayLike) -> pd.DataFrame:
    """A DataFrame as it is; an array (n_rows, n_columns) with columns 0, 1, ... Raises DataError otherwise."""
    if isinstance(X, pd.DataFrame):
        return X
    table = np.asarray(X)
    if table.ndim != 2:
        raise DataError(
            "data.shape", f"X has {table.ndim} dimensions; it must have 2, rows and columns", "reshape X"
        )
    return pd.DataFrame(table)


def modalities_of(frame: pd.DataFrame) -> dict[str, list[Any]]:
    """Modalities by the prefixes of ``NAME__feature`` columns; all columns as one where none is called so."""
    found: dict[str, list[Any]] = {}
    for column in frame.columns:
        name, mark, _ = str(column).partition("__")
        if mark and name:
            found.setdefault(name, []).append(column)
    return found or {ONLY_MODALITY: list(frame.columns)}


def held_modalities(frame: pd.DataFrame, modalities: ColumnsByModality) -> list[str]:
    """The modalities of which the frame has a column."""
    return [name for name, columns in modalities.items() if any(_held(frame, column) for column in columns)]


def known_modalities(frame: pd.DataFrame, modalities: ColumnsByModality) -> list[str]:
    """The same. Raises DataError where there is none: rows could only get the mean, which nobody asks a model for."""
    held = held_modalities(frame, modalities)
    if not held:
        wanted = [column for columns in modalities.values() for column in columns]
        raise DataError(
            "data.missing_columns",
            f"X has no column of any modality ({listing(list(modalities))}); the model was fitted on columns such as "
            f"{listing(wanted, 3)}",
            f"columns of X are: {list(frame.columns)[:20]}",
        )
    return held


def frame_arrays(
    frame: pd.DataFrame,
    modalities: ColumnsByModality,
    target: NDArray[np.float64] | None,
    groups: ArrayLike | None = None,
    known: Mapping[str, Sequence[str]] | None = None,
) -> MultimodalArrays:
    """Blocks of the named columns; ids are row numbers. Raises DataError for columns that cannot be used.

    ``known``: of a model, the names of the features of each modality; modalities may then lack all their columns.
    """
    features, names, held = {}, {}, held_modalities(frame, modalities)
    for name, columns in modalities.items():
        if known is not None and name not in held:
            features[name] = np.full((len(frame), len(known[name])), np.nan, np.float32)
            names[name] = tuple(known[name])
        else:
            features[name], names[name] = _block(frame, name, columns, None if known is None else known[name])
    labels = None if groups is None else np.asarray(groups)
    return MultimodalArrays(features, names, target, np.arange(len(frame)), labels)


def _held(frame: pd.DataFrame, column: Any) -> bool:
    return column in frame.columns or column in {str(known) for known in frame.columns}


def _block(
    frame: pd.DataFrame, modality: str, columns: Sequence[Any], known: Sequence[str] | None
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """Numbers (n, p) of a modality, and the names of its features."""
    found = _columns(frame, modality, columns)
    # Of a model by what it was fitted on: new lists may all be null.
    widths = [
        width_of(found.iloc[:, place]) if known is None else list_width(str(column), known)
        for place, column in enumerate(columns)
    ]
    try:
        block = numbers_of(found, widths)
    except (TypeError, ValueError) as error:
        raise DataError(
            "data.not_numeric",
            f"modality {modality!r} has a column that is not numeric: {error}",
            "encode categories as numbers",
        ) from error
    names = [
        name
        for column, width in zip(columns, widths, strict=True)
        for name in feature_names(str(column), width)
    ]
    if np.isinf(block).any():
        row, position = np.argwhere(np.isinf(block))[0]
        raise DataError(
            "data.infinite",
            f"column {names[position]!r} is infinite, or beyond single precision, in row {row}",
            "replace infinite values or mark them as missing (NaN)",
        )
    return block, tuple(names)


def _columns(frame: pd.DataFrame, modality: str, columns: Sequence[Any]) -> pd.DataFrame:
    """The columns of a modality. Raises DataError where some are not in the frame, or twice."""
    # A run folder names columns by text, also those that were positions of an array.
    by_text = {str(column): column for column in frame.columns}
    columns = [column if column in frame.columns else by_text.get(column, column) for column in columns]
    absent = [column for column in columns if column not in frame.columns]
    if absent or not len(columns):
        what = (
            f"columns {absent} of modality {modality!r} are not in X"
            if absent
            else f"modality {modality!r} is empty"
        )
        raise DataError("data.unknown_column", what, f"columns of X are: {list(frame.columns)[:20]}")
    found = frame[columns]
    if found.shape[1] != len(columns):
        raise DataError(
            "data.repeated_columns",
            f"X has several columns of one name in modality {modality!r}",
            "give each column a name of its own",
        )
    return found


def check_modalities(modalities: ColumnsByModality) -> None:
    """Raise UsageError for a name that no modality may have, and DataError for a column that has two roles."""
    owners: dict[str, str] = {}
    for name, columns in modalities.items():
        check_modality_name(name)
        for column in map(str, columns):
            if column in owners:
                raise two_roles(column, [f"feature of {owners[column]!r}", f"feature of {name!r}"])
            owners[column] = name


def arrays_fingerprint(arrays: MultimodalArrays) -> str:
    """'sha256:...' of features and target."""
    digest = hashlib.sha256()
    for block in arrays.features.values():
        digest.update(np.ascontiguousarray(block).tobytes())
    if arrays.target is not None:
        digest.update(arrays.target.tobytes())
    return f"sha256:{digest.hexdigest()}"
