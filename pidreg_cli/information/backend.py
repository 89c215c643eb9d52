"""One code for NumPy arrays and torch tensors: the few functions that the closed forms need."""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np

from pidreg_cli.information.arrays import Floats

# numpy.ndarray or torch.Tensor, float64.
Array: TypeAlias = Any


def namespace(array: Array) -> Any:
    """The module whose functions fit ``array``: torch for tensors, else numpy."""
    # A tensor exists only where torch is loaded: without it the second or two of its import are saved.
    torch = sys.modules.get("torch")
    return torch if torch is not None and isinstance(array, torch.Tensor) else np


def as_float64(values: Any) -> Array:
    """``values`` as a float64 array, or as a float64 tensor on its device and in its graph."""
    xp = namespace(values)
    return np.asarray(values, dtype=np.float64) if xp is np else values.to(xp.float64)


def detached(array: Array) -> Floats:
    """The numbers of an array as NumPy, outside any graph."""
    return np.asarray(array if namespace(array) is np else array.detach().cpu().numpy())


def identity(size: int, like: Array) -> Array:
    """The unit matrix of the kind, and on the device, of ``like``."""
    xp = namespace(like)
    return np.eye(size) if xp is np else xp.eye(size, dtype=like.dtype, device=like.device)


def log2_determinant(matrices: Array) -> Array:
    """``log2 |M|`` of matrices with positive determinant, shape (..., m, m) -> (...)."""
    return namespace(matrices).linalg.slogdet(matrices)[1] / np.log(2.0)


def lower_solve(factor: Array, right: Array) -> Array:
    """``L^-1 B`` for lower triangular L (..., q, q) and B (..., q, k)."""
    xp = namespace(factor)
    if xp is np:
        return np.linalg.solve(factor, right)
    return xp.linalg.solve_triangular(factor, right, upper=False)
