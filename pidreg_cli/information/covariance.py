"""Checks of a covariance before any number is computed from it, and shrinkage where it is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import index

import numpy as np
from scipy.linalg import lapack

from pidreg_cli.information.arrays import Floats
from pidreg_cli.information.backend import Array, detached, identity, namespace
from pidreg_cli.information.errors import (
    CollinearColumnsError,
    ConstantColumnError,
    NonFiniteError,
    NotPositiveDefiniteError,
    ShapeError,
)

# Least share of a column's variance that the columns before it must leave unexplained. Informations computed
# from a covariance that passes are accurate to about 1e-6 bits; one above 16.6 bits counts as infinite.
INDEPENDENT_SHARE = 1e-10
# Asymmetry, and variance below zero, of correlations that may be rounding, in single precision too.
ROUNDING = 1e-6
# A column that enters a linear combination with less than this (in standard deviations) is not named.
NAMED_COEFFICIENT = 1e-4


def column_order(
    width: int,
    target: Sequence[int],
    sources: Mapping[str, Sequence[int]],
    columns: Sequence[str] | None = None,
) -> list[int]:
    """Column numbers source by source, the target last; ``columns`` are the names of all ``width`` columns.

    Raises ShapeError unless every block has columns, numbered in [0, width) and used once.
    """
    if columns is not None and len(columns) != width:
        raise ShapeError(f"{width} columns need as many names, however: {len(columns)}")
    order = [i for name, block in (*sources.items(), ("the target", target)) for i in _numbers(name, block)]
    used, times = np.unique(order, return_counts=True)
    wrong = used[(used < 0) | (used >= width) | (times > 1)].tolist()
    if wrong:
        raise ShapeError(f"columns must be in [0, {width}) and used once, however: {wrong}")
    return order


def _numbers(name: str, block: Sequence[int]) -> list[int]:
    try:
        numbers = [index(i) for i in block]
    except TypeError:
        raise ShapeError(f"columns of {name} must be a list of whole numbers, however: {block!r}") from None
    if not numbers:
        raise ShapeError(f"no columns in {name}")
    return numbers


def checked_correlation(
    covariance: Array, order: Sequence[int], columns: Sequence[str] | None = None, shrinkage: float = 0.0
) -> tuple[Array, Array]:
    """The correlation matrix (q, q) of the columns in ``order`` and its lower Cholesky factor.

    Informations do not depend on units, correlations keep rounding small. ``shrinkage`` in [0, 1] draws them
    towards zero: ``(1 - s) R + s 1``. Raises ShapeError, NonFiniteError, ConstantColumnError,
    CollinearColumnsError and NotPositiveDefiniteError, with columns by their name in ``columns`` or their
    number.
    """
    xp = namespace(covariance)
    if not 0.0 <= shrinkage <= 1.0:
        raise ShapeError(f"shrinkage must be in [0, 1], however: {shrinkage}")
    place = np.asarray(order)
    chosen = covariance[place[:, None], place]
    labels = _Labels(order, columns)
    _check_entries(detached(chosen), labels)
    deviations = xp.sqrt(chosen.diagonal())
    correlation = chosen / deviations / deviations[:, None]
    if shrinkage:
        correlation = (1.0 - shrinkage) * correlation + shrinkage * identity(len(order), like=correlation)
    correlation = _symmetric(correlation)
    return correlation, _factor(correlation, labels)


class _Labels:
    """Names of columns, made only when a message needs them."""

    def __init__(self, order: Sequence[int], columns: Sequence[str] | None) -> None:
        self._order, self._columns = order, columns

    def __call__(self, places: Iterable[int]) -> tuple[str, ...]:
        numbers = (self._order[int(place)] for place in places)
        return tuple(f"column {i}" if self._columns is None else self._columns[i] for i in numbers)


def _check_entries(values: Floats, labels: _Labels) -> None:
    if not np.isfinite(values).all():
        one, two = labels(np.argwhere(~np.isfinite(values))[0])
        raise NonFiniteError(f"the covariance of {one} and {two} is not finite")
    variances = np.diag(values)
    if variances.min() > 0.0:
        return
    if variances.min() < 0.0:
        raise NotPositiveDefiniteError(f"{labels([int(variances.argmin())])[0]} has a negative variance")
    raise ConstantColumnError(labels(np.flatnonzero(variances == 0.0)))


def _symmetric(correlation: Array) -> Array:
    # Most are symmetric to the last digit, which is quick to see.
    if (correlation == correlation.T).all():
        return correlation
    if abs(correlation - correlation.T).max() > ROUNDING:
        raise NotPositiveDefiniteError("the covariance is not symmetric")
    return 0.5 * (correlation + correlation.T)


def _factor(correlation: Array, labels: _Labels) -> Array:
    xp = namespace(correlation)
    try:
        factor = xp.linalg.cholesky(correlation)
    except xp.linalg.LinAlgError:
        raise _dependence(detached(correlation), labels) from None
    if detached(factor.diagonal()).min() ** 2 < INDEPENDENT_SHARE:
        raise _dependence(detached(correlation), labels)
    return factor


def _dependence(correlation: Floats, labels: _Labels) -> CollinearColumnsError | NotPositiveDefiniteError:
    """The first column that those before it determine, or that no rows can have."""
    factor, info = lapack.dpotrf(correlation, lower=1)
    # dpotrf stops at the first leading block that is not positive definite and says which (counted from one).
    pivots = np.append(np.diag(factor)[: info - 1 if info else None], 0.0)
    place = int(np.flatnonzero(pivots**2 < INDEPENDENT_SHARE)[0])
    before = correlation[:place, place]
    coefficients = np.linalg.solve(correlation[:place, :place], before)
    left = 1.0 - float(coefficients @ before)
    if left < -ROUNDING:
        return NotPositiveDefiniteError(
            f"no rows have this covariance: given the others, {labels([place])[0]} has variance {left:.3g}"
        )
    return CollinearColumnsError(labels([place, *np.flatnonzero(np.abs(coefficients) > NAMED_COEFFICIENT)]))
