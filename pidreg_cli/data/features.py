"""Feature columns as blocks of single-precision numbers; lists become one feature per element."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate, compress
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pidreg_cli.data.columns import Floats, as_floats, as_integers, as_truths, is_list
from pidreg_cli.data.tables import ColumnPiece, ParquetTable
from pidreg_cli.errors import DataError

Block = NDArray[np.float32]
# Features are kept in single precision; the target keeps to the same range, so that its squares stay finite.
LARGEST = float(np.finfo(np.float32).max)
# A feature that rounding to single precision moves by more than this share of its range deserves a word.
ROUNDING_SHARE = 1e-3
LISTS_AT_ONCE = 1000  # read to see how long lists are: the first that is filled tells


class FeatureBlock(NamedTuple):
    """``values`` (n_rows, n_features), NaN where missing; ``names``; features that rounding ``blurred``."""

    values: Block
    names: tuple[str, ...]
    blurred: tuple[str, ...]


def feature_block(table: ParquetTable, columns: Sequence[str]) -> FeatureBlock:
    """``columns`` side by side, numbers or lists of numbers: list ``a`` as ``a[0]``, ``a[1]``...

    A null list is a row of missing values. Raises DataError for infinite or too large numbers, and lists of
    unequal length or with null elements, each with its row.
    """
    widths = {column: list_width(table, column) for column in columns}
    places = dict(zip(columns, _places([width or 1 for width in widths.values()]), strict=True))
    names = tuple(name for column, width in widths.items() for name in feature_names(column, width))
    values = np.empty((table.rows, len(names)), np.float32)
    rounding = Rounding(len(names))
    for piece in table.pieces(columns):
        for first_row, exact in _numbers(piece, widths[piece.column]):
            rounded = values[first_row : first_row + len(exact), places[piece.column]]
            rounded[:] = exact
            rounding.update(places[piece.column], exact, rounded)
    return FeatureBlock(values, names, tuple(compress(names, rounding.blurs())))


def _places(widths: Sequence[int]) -> Iterator[slice]:
    ends = accumulate(widths)
    return (slice(end - width, end) for width, end in zip(widths, ends, strict=True))


def feature_names(column: str, width: int | None) -> list[str]:
    """``a[0]``, ``a[1]``... for lists of ``width`` elements, the column itself for numbers."""
    return [column] if width is None else [f"{column}[{place}]" for place in range(width)]


def _numbers(piece: ColumnPiece, width: int | None) -> Iterator[tuple[int, Floats]]:
    """First row and numbers, (rows, features), of each chunk."""
    column, first_row, cells = piece
    for chunk in cells.chunks:
        numbers = _column(chunk) if width is None else list_numbers(chunk, column, width, first_row)
        check_range(numbers, column, first_row)
        yield first_row, numbers
        first_row += len(chunk)


class Rounding:
    """What rounding to single precision does to each feature; ``low`` and ``high`` (features,): its range so far."""

    def __init__(self, features: int) -> None:
        self.low = np.full(features, np.inf)
        self.high = np.full(features, -np.inf)
        self.error = np.zeros(features)

    def update(self, place: slice, exact: NDArray[np.floating], rounded: Block) -> None:
        """Numbers (n, k) of the features at ``place``, exact and rounded."""
        if len(exact):
            self.low[place] = np.fmin(self.low[place], np.fmin.reduce(exact))
            self.high[place] = np.fmax(self.high[place], np.fmax.reduce(exact))
            self.error[place] = np.fmax(self.error[place], np.fmax.reduce(np.abs(exact - rounded)))

    def join(self, other: Rounding) -> None:
        """What it does on other rows of the same features."""
        self.low, self.high = np.fmin(self.low, other.low), np.fmax(self.high, other.high)
        self.error = np.fmax(self.error, other.error)

    def blurs(self) -> list[bool]:
        """Features that rounding moves by a visible share of their range."""
        spread = self.high - self.low
        blurred: list[bool] = ((spread > 0) & (self.error > ROUNDING_SHARE * spread)).tolist()
        return blurred


def at_row(row: int) -> str:
    """How messages name a row."""
    return f"row {row} (counted from 0)"


def check_range(values: NDArray[np.floating], column: str, first_row: int = 0) -> None:
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


def list_width(table: ParquetTable, name: str) -> int | None:
    """Elements of the first list of a column of lists, None for a column of numbers."""
    if not is_list(table.schema.field(name).type):
        return None
    for batch in table.batches([name], LISTS_AT_ONCE):
        lengths = as_integers(pc.list_value_length(batch.column(0)).drop_null())
        filled = lengths[lengths > 0]
        if len(filled):
            return int(filled[0])
    raise DataError(
        "data.empty_lists",
        f"The lists of column {name!r} are all empty or missing.",
        "Leave the column out, or fill its lists.",
    )


def _column(chunk: pa.Array) -> Floats:
    return as_floats(chunk)[:, None]


def list_numbers(chunk: pa.Array, name: str, width: int, first_row: int) -> Floats:
    """Lists of ``width`` numbers as rows, (n, width), NaN where a list is null; ``first_row`` is that of the chunk.

    Raises DataError for a list of another length or with a null element, with its row.
    """
    present = np.flatnonzero(as_truths(chunk.is_valid()))
    lengths = as_integers(pc.list_value_length(chunk).drop_null())
    if len(uneven := np.flatnonzero(lengths != width)):
        row, length = first_row + int(present[uneven[0]]), int(lengths[uneven[0]])
        raise DataError(
            "data.uneven_lists",
            f"Column {name!r} holds lists of unequal length: {width} elements, {length} in {at_row(row)}.",
            "Lists must be of one length; leave the cell null where the modality is missing.",
        )
    elements = chunk.flatten()
    if elements.null_count:
        missing = int(as_truths(elements.is_null()).argmax())
        row, place = first_row + int(present[missing // width]), missing % width
        raise DataError(
            "data.null_element",
            f"The list of column {name!r} in {at_row(row)} has a null element at place {place}.",
            "Fill it, write NaN for a missing number, or leave the whole cell null.",
        )
    numbers = np.full((len(chunk), width), np.nan)
    numbers[present] = as_floats(elements).reshape(len(present), width)
    return numbers
