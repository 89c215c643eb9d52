"""Cells of a DataFrame as numbers: the same ones, and the same refusals, as of a table in a file."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from pidreg_cli.data.features import at_row
from pidreg_cli.errors import DataError

Block: TypeAlias = NDArray[np.float32]
LISTS = (list, tuple, np.ndarray)
NUMBERS = (Real, Decimal, np.bool_)


def width_of(cells: pd.Series[Any]) -> int | None:
    """Elements of the first list of a column of lists, None for a column of numbers."""
    first = next((cell for cell in cells if not is_null(cell)), None) if cells.dtype.kind == "O" else None
    return len(first) if isinstance(first, LISTS) else None


def is_null(cell: Any) -> bool:
    """Whether a cell is missing."""
    return cell is None or cell is pd.NA or cell is pd.NaT or (isinstance(cell, float) and np.isnan(cell))


def numbers_of(block: pd.DataFrame, widths: Sequence[int | None]) -> Block:
    """Columns (n, p) side by side, NaN where missing; ``widths``: elements of each column of lists.

    A null list is a row of missing values. Raises DataError for text, dates and other cells that are no numbers, and
    for lists of another length or with a null element.
    """
    columns = [block.iloc[:, place] for place in range(block.shape[1])]
    for cells, width in zip(columns, widths, strict=True):
        if width is None:
            _check_plain(cells)
    if all(width is None for width in widths):
        return _plain(block)
    parts = [
        _plain(cells.to_frame()) if width is None else _lists(cells, width)
        for cells, width in zip(columns, widths, strict=True)
    ]
    return np.hstack(parts)


def _plain(block: pd.DataFrame) -> Block:
    with np.errstate(over="ignore"):  # what is beyond single precision becomes infinite, which is found after
        return block.to_numpy(dtype=np.float32, na_value=np.nan)


def _check_plain(cells: pd.Series[Any]) -> None:
    kind = cells.dtype
    if pd.api.types.is_numeric_dtype(kind) and not pd.api.types.is_complex_dtype(kind):
        return
    if not isinstance(kind, (pd.CategoricalDtype, pd.StringDtype)) and kind.kind != "O":
        raise _no_number(cells, str(kind))
    values = kind.categories if isinstance(kind, pd.CategoricalDtype) else cells
    odd = [cell for cell in values if not is_null(cell) and not isinstance(cell, NUMBERS)]
    if odd:
        raise _no_number(cells, repr(odd[0]))


def _lists(cells: pd.Series[Any], width: int) -> Block:
    found = np.full((len(cells), width), np.nan, np.float32)
    for row, cell in enumerate(cells):
        if is_null(cell):
            continue
        elements = np.asarray(cell)
        if elements.ndim != 1 or len(elements) != width:
            length = len(elements) if elements.ndim == 1 else "other"
            raise DataError(
                "data.uneven_lists",
                f"column {cells.name!r} holds lists of unequal length: {width} elements, {length} in {at_row(row)}",
                "lists must be of one length; leave the cell null where the modality is missing",
            )
        if elements.dtype == object and any(element is None for element in elements):
            raise DataError(
                "data.null_element",
                f"the list of column {cells.name!r} in {at_row(row)} has a null element",
                "fill it, write NaN for a missing number, or leave the whole cell null",
            )
        if elements.dtype.kind not in "biufO":
            raise _no_number(cells, repr(cell))
        try:
            found[row] = elements
        except (TypeError, ValueError) as error:  # of a list that mixes numbers with something else
            raise _no_number(cells, repr(cell)) from error
    return found


def _no_number(cells: pd.Series[Any], what: str) -> DataError:
    return DataError(
        "data.not_numeric",
        f"column {cells.name!r} is not numeric: it holds {what}",
        "encode categories as numbers, and leave cells empty where they are unknown",
    )
