"""Feature columns as blocks of single-precision numbers; lists become one feature per element."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pidreg_cli.data.columns import Floats, as_floats, is_list
from pidreg_cli.errors import DataError

Block = NDArray[np.float32]
# Features are kept in single precision; the target keeps to the same range, so that its squares stay finite.
LARGEST = float(np.finfo(np.float32).max)
# A column that rounding to single precision moves by more than this share of its spread deserves a word.
ROUNDING_SHARE = 1e-3


class FeatureBlock(NamedTuple):
    """``values`` (n_rows, n_features), NaN where missing; ``names``; columns that rounding ``blurred``."""

    values: Block
    names: tuple[str, ...]
    blurred: tuple[str, ...]


def feature_block(table: pa.Table) -> FeatureBlock:
    """All columns of ``table`` side by side, numbers or lists of numbers: list ``a`` as ``a[0]``, ``a[1]``...

    A null list is a row of missing values. Raises DataError for infinite or too large numbers, and lists of
    unequal length or with null elements, each with its row.
    """
    widths = [_width(name, table[name]) for name in table.column_names]
    values = np.empty((table.num_rows, sum(widths)), np.float32)
    names: list[str] = []
    blurred: list[str] = []
    for column, width in zip(table.column_names, widths, strict=True):
        place = values[:, len(names) : len(names) + width]
        if _fill(place, column, table[column]):
            blurred.append(column)
        names += [f"{column}[{i}]" for i in range(width)] if is_list(table[column].type) else [column]
    return FeatureBlock(values, tuple(names), tuple(blurred))


def at_row(row: int) -> str:
    """How messages name a row."""
    return f"row {row} (counted from 0)"


def check_range(values: Floats, column: str, first_row: int = 0) -> None:
    """Raise DataError where one of ``values``, (n,) or (n, k), is infinite or beyond single precision."""
    with np.errstate(invalid="ignore"):
        beyond = np.argwhere(np.abs(values) > LARGEST)
    if len(beyond) == 0:
        return
    row = first_row + int(beyond[0][0])
    if np.isinf(values[tuple(beyond[0])]):
        raise DataError(
            "data.infinite_value",
            f"Column {column!r} holds an infinite value in {at_row(row)}.",
            "Infinite numbers cannot be used: leave the cell empty or correct it.",
        )
    raise DataError(
        "data.too_large",
        f"Column {column!r} holds a number beyond {LARGEST:.1e} in {at_row(row)}.",
        "Change the unit of the column.",
    )


def _width(name: str, column: pa.ChunkedArray) -> int:
    if not is_list(column.type):
        return 1
    lengths = pc.unique(pc.list_value_length(column)).drop_null()
    if len(lengths) == 0 or lengths[0].as_py() == 0:
        raise DataError(
            "data.empty_lists",
            f"The lists of column {name!r} are all empty or missing.",
            "Leave the column out, or fill its lists.",
        )
    return int(lengths[0].as_py())


def _fill(place: Block, name: str, column: pa.ChunkedArray) -> bool:
    """Write the column's numbers to ``place``, (n_rows, width); whether rounding blurs them."""
    blurred = False
    for first_row, chunk in _with_rows(column):
        numbers = (
            _list_numbers(chunk, name, place.shape[1], first_row) if is_list(chunk.type) else as_floats(chunk)
        )
        check_range(numbers, name, first_row)
        rows = place[first_row : first_row + len(chunk)]
        rows[:] = numbers.reshape(rows.shape)
        blurred |= _is_blurred(numbers.reshape(rows.shape), rows)
    return blurred


def _with_rows(column: pa.ChunkedArray) -> Iterator[tuple[int, pa.Array]]:
    first_row = 0
    for chunk in column.chunks:
        yield first_row, chunk
        first_row += len(chunk)


def _list_numbers(chunk: pa.Array, name: str, width: int, first_row: int) -> Floats:
    present = np.flatnonzero(chunk.is_valid().to_numpy(zero_copy_only=False))
    lengths = pc.list_value_length(chunk).drop_null().to_numpy(zero_copy_only=False)
    if len(uneven := np.flatnonzero(lengths != width)):
        row, length = first_row + int(present[uneven[0]]), int(lengths[uneven[0]])
        raise DataError(
            "data.uneven_lists",
            f"Column {name!r} holds lists of unequal length: {width} elements, {length} in {at_row(row)}.",
            "Lists must be of one length; leave the cell null where the modality is missing.",
        )
    elements = chunk.flatten()
    if elements.null_count:
        missing = int(elements.is_null().to_numpy(zero_copy_only=False).argmax())
        row, place = first_row + int(present[missing // width]), missing % width
        raise DataError(
            "data.null_element",
            f"The list of column {name!r} in {at_row(row)} has a null element at place {place}.",
            "Fill it, write NaN for a missing number, or leave the whole cell null.",
        )
    numbers = np.full((len(chunk), width), np.nan)
    numbers[present] = as_floats(elements).reshape(len(present), width)
    return numbers


def _is_blurred(exact: Floats, rounded: Block) -> bool:
    present = ~np.isnan(exact)
    if not present.any():
        return False
    error = np.abs(exact - rounded, where=present, out=np.zeros_like(exact)).max()
    return bool(error > ROUNDING_SHARE * np.std(exact[present]))
