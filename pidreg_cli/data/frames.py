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
from pidreg_cli.data.naming import listing
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
    absent: Mapping[str, int] | None = None,
) -> MultimodalArrays:
    """Blocks of the named columns; ids are row numbers. Raises DataError for columns that cannot be used.

    ``absent``: where modalities may lack all their columns, the number of features of each.
    """
    features, held = {}, held_modalities(frame, modalities)
    for name, columns in modalities.items():
        if absent is not None and name not in held:
            features[name] = np.full((len(frame), absent[name]), np.nan, np.float32)
        else:
            features[name] = _block(frame, name, columns)
    names = {name: _feature_names(features[name], columns) for name, columns in modalities.items()}
    labels = None if groups is None else np.asarray(groups)
    return MultimodalArrays(features, names, target, np.arange(len(frame)), labels)


def _numbers(block: pd.DataFrame) -> NDArray[np.float32]:
    """Columns as numbers; one column of lists, a ready-made embedding, as its elements, NaN where a list is null."""
    if block.shape[1] == 1 and isinstance(_first(block.iloc[:, 0]), (list, tuple, np.ndarray)):
        cells = block.iloc[:, 0].to_list()
        width = len(_first(block.iloc[:, 0]))
        blank = [np.nan] * width
        return np.asarray([blank if _is_null(cell) else cell for cell in cells], dtype=np.float32)
    return block.to_numpy(dtype=np.float32, na_value=np.nan)


def _first(cells: pd.Series[Any]) -> Any:
    """The first cell that is not null, None without any."""
    return next((cell for cell in cells if not _is_null(cell)), None)


def _is_null(cell: Any) -> bool:
    return cell is None or (isinstance(cell, float) and np.isnan(cell))


def _feature_names(block: NDArray[np.float32], columns: Sequence[Any]) -> tuple[str, ...]:
    if block.shape[1] == len(columns):
        return tuple(str(column) for column in columns)
    return tuple(feature_names(str(columns[0]), block.shape[1]))


def _held(frame: pd.DataFrame, column: Any) -> bool:
    return column in frame.columns or column in {str(known) for known in frame.columns}


def _block(frame: pd.DataFrame, modality: str, columns: Sequence[Any]) -> NDArray[np.float32]:
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
    try:
        block = _numbers(frame[list(columns)])
    except (TypeError, ValueError) as error:
        raise DataError(
            "data.not_numeric",
            f"modality {modality!r} has a column that is not numeric: {error}",
            "encode categories as numbers",
        ) from error
    if np.isinf(block).any():
        row, position = np.argwhere(np.isinf(block))[0]
        raise DataError(
            "data.infinite",
            f"column {columns[position]!r} is infinite, or beyond single precision, in row {row}",
            "replace infinite values or mark them as missing (NaN)",
        )
    return block


def arrays_fingerprint(arrays: MultimodalArrays) -> str:
    """'sha256:...' of features and target."""
    digest = hashlib.sha256()
    for block in arrays.features.values():
        digest.update(np.ascontiguousarray(block).tobytes())
    if arrays.target is not None:
        digest.update(arrays.target.tobytes())
    return f"sha256:{digest.hexdigest()}"
