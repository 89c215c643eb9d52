"""Arrow columns as numbers: which types can be features, and their float64 values."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Floats = NDArray[np.float64]


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


def as_numbers(chunk: pa.Array) -> NDArray[np.floating]:
    """As ``as_floats``, but single precision stays single, without a copy where no cell is null."""
    if pa.types.is_float32(chunk.type):
        return np.asarray(chunk.to_numpy(zero_copy_only=False))
    return as_floats(chunk)


def as_floats(chunk: pa.Array) -> Floats:
    """A chunk of numbers as float64, NaN where null. Integers beyond 2**53 are rounded."""
    if pa.types.is_dictionary(chunk.type):
        chunk = chunk.dictionary_decode()
    values = pc.cast(chunk, pa.float64(), safe=False)
    return np.asarray(values.to_numpy(zero_copy_only=False), np.float64)
