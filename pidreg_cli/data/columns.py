"""Arrow columns as numbers: which types can be features, and their float64 values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MOST_WHOLE = 2.0**53
"""From here on not every whole number is a double."""


def is_number(kind: pa.DataType) -> bool:
    """Whether cells are numbers: integers, floats, booleans, decimals, dictionaries of these, or all null."""
    if pa.types.is_dictionary(kind):
        return is_number(kind.value_type)
    return bool(
        pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_boolean(kind)
        or pa.types.is_decimal(kind)
        or pa.types.is_null(kind)
    )


def is_list(kind: pa.DataType) -> bool:
    """Whether cells are lists, of fixed size or not."""
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind))


def is_feature(kind: pa.DataType) -> bool:
    """Whether a column can be a feature: a number, or a list of numbers."""
    return is_number(kind.value_type) if is_list(kind) else is_number(kind)


def as_floats(chunk: pa.Array) -> Floats:
    """A chunk of numbers as float64, NaN where null. Integers beyond 2**53 are rounded."""
    if pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_decode()
    values = pc.cast(chunk, pa.float64(), safe=False)
    # From its buffers, here and below: Arrow's own conversions import pandas, a third of a second for nothing.
    validity, cells = values.buffers()
    if cells is None or not len(values):
        return np.full(len(values), np.nan)
    numbers = np.frombuffer(cells, np.float64, len(values), 8 * values.offset)
    return np.where(_bits(validity, values), numbers, np.nan) if values.null_count else numbers


def as_whole(cells: pa.Array) -> pa.Array | None:
    """Numbers as integers, null where missing; None where one is no whole number that doubles tell from its neighbours.

    Integers of a column with missing cells become doubles in pandas.
    """
    if pa.types.is_integer(cells.type):
        return cells
    values = as_floats(cells)
    missing = np.isnan(values)
    present = np.where(missing, 0.0, values)
    if not ((np.abs(present) < MOST_WHOLE) & (np.rint(present) == present)).all():
        return None
    return from_numbers(present.astype(np.int64), missing)


def as_numbers(chunk: pa.Array) -> Floats | NDArray[np.float32]:
    """The same, single precision left as it is where no cell is null."""
    if chunk.type == pa.float32() and len(chunk) and not chunk.null_count:
        return np.frombuffer(chunk.buffers()[1], np.float32, len(chunk), 4 * chunk.offset)
    return as_floats(chunk)


def as_integers(cells: pa.Array) -> NDArray[np.integer]:
    """Integers, none of them null, in their own type: a view that cannot be written to."""
    kind = np.dtype(cells.type.to_pandas_dtype())
    buffer = cells.buffers()[1]
    if buffer is None:
        return np.empty(0, kind)
    return np.frombuffer(buffer, kind, len(cells), kind.itemsize * cells.offset)


def as_truths(cells: pa.Array) -> NDArray[np.bool_]:
    """Booleans, none of them null."""
    buffer = cells.buffers()[1]
    return np.empty(0, np.bool_) if buffer is None else _bits(buffer, cells)


def from_numbers(values: NDArray[np.number], missing: NDArray[np.bool_] | None = None) -> pa.Array:
    """An array of numbers (n,), whose memory it shares, null where ``missing`` (n,)."""
    validity = None if missing is None else pa.py_buffer(np.packbits(~missing, bitorder="little"))
    kind = pa.from_numpy_dtype(values.dtype)
    return pa.Array.from_buffers(kind, len(values), [validity, pa.py_buffer(np.ascontiguousarray(values))])


def _bits(buffer: pa.Buffer, values: pa.Array) -> NDArray[np.bool_]:
    """Of a buffer of these values that has a bit for each, the lowest first."""
    first, end = values.offset // 8, -(-(values.offset + len(values)) // 8)
    bits = np.unpackbits(np.frombuffer(buffer, np.uint8)[first:end], bitorder="little")
    return bits[values.offset - 8 * first :][: len(values)].view(np.bool_)
