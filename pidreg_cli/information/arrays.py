"""Array types and checks shared by the information core."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pidreg_cli.information.errors import NonFiniteError, ShapeError

Floats = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def finite(values: ArrayLike, name: str) -> Floats:
    """``values`` as float64; NonFiniteError names the array and the first place that is not finite."""
    array = np.asarray(values, dtype=np.float64)
    wrong = ~np.isfinite(array)
    if wrong.any():
        place = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise NonFiniteError(f"{name} must be finite, however: {array[place]} at index {place}")
    return array


def columns(values: ArrayLike, name: str) -> Floats:
    """``values`` as a finite float64 matrix of shape (rows, columns); a vector becomes one column."""
    array = finite(values, name)
    if array.ndim == 1:
        return array[:, None]
    if array.ndim != 2:
        raise ShapeError(f"{name} must have shape (rows, columns), however: {array.shape}")
    return array
