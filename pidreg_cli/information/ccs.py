"""Redundancy as common change in surprisal (Ince 2017) of a Gaussian system, by Monte Carlo.

``R = E[c 1{sign c = sign i_1 = sign i_2 = sign i_12}]`` with ``c = i_1 + i_2 - i_12`` and i the pointwise
informations. It depends on the sources only through the target's predictions from each and from both, so 4m
numbers are drawn per row whatever the dimensions of the sources.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pidreg_cli.information.arrays import Bools, Floats
from pidreg_cli.information.bivariate import feasible_correlation, squared_correlation

BATCH = 100_000


@dataclass(frozen=True)
class MonteCarlo:
    """A mean in bits and its standard error."""

    value: float
    standard_error: float


def ccs_redundancy(
    covariance: Floats, widths: tuple[int, int], draws: int, rng: np.random.Generator
) -> MonteCarlo:
    """Redundancy of two sources about the target in bits.

    ``covariance`` (q, q) is positive definite, ordered source 1, source 2, target.
    """
    return _expected_change(*_predictions(covariance, widths), draws, rng)


def scalar_ccs_redundancy(
    i1: float, i2: float, i12: float, correlation: float, draws: int, rng: np.random.Generator
) -> MonteCarlo:
    """The same for a scalar target from the informations of two sources and both, and the correlation of the two
    best predictions, which is clipped into what the informations allow. ``0 <= i1, i2 <= i12``.
    """
    q2, r2, rho2 = (squared_correlation(value) for value in (i1, i2, i12))
    if rho2 <= 0.0:
        return MonteCarlo(0.0, 0.0)
    between = feasible_correlation(q2, r2, rho2, correlation) * np.sqrt(q2 * r2)
    # A prediction is the part of Y that its source explains: covariances with Y and with better ones are its variance.
    system = np.array(
        [[1.0, q2, r2, rho2], [q2, q2, between, q2], [r2, between, r2, r2], [rho2, q2, r2, rho2]]
    )
    left = [np.array([[1.0 - part]]) for part in (0.0, q2, r2, rho2)]
    return _expected_change(system, left, draws, rng)


def _expected_change(
    system: Floats, conditionals: list[Floats], draws: int, rng: np.random.Generator
) -> MonteCarlo:
    root = _root(system)
    sums, count = np.zeros(2), 0
    while count < draws:
        size = min(BATCH, draws - count)
        values = common_change(rng.standard_normal((size, system.shape[0])) @ root, conditionals)
        sums += values.sum(), values @ values
        count += size
    mean, square = sums / draws
    return MonteCarlo(float(mean), float(np.sqrt(max(square - mean**2, 0.0) / draws)))


def common_change(rows: Floats, conditionals: list[Floats]) -> Floats:
    """Pointwise redundancy in bits of rows [y, E[y|1], E[y|2], E[y|1, 2]] of shape (N, 4m): shape (N,).

    ``conditionals`` are Cov(Y), Cov(Y|1), Cov(Y|2), Cov(Y|1, 2), each (m, m).
    """
    target, *guesses = np.split(rows, 4, axis=1)
    errors = [target, *(target - guess for guess in guesses)]
    prior, *given = (_surprisal(error, left) for error, left in zip(errors, conditionals, strict=True))
    i1, i2, i12 = (prior - surprisal for surprisal in given)
    change = i1 + i2 - i12
    return np.where(_same_sign(change, i1, i2, i12), change, 0.0)


def _same_sign(*values: Floats) -> Bools:
    signs = np.sign(values)
    return np.asarray(np.all(signs == signs[0], axis=0))


def _surprisal(error: Floats, covariance: Floats) -> Floats:
    """``-log2 N(error; 0, covariance)`` less the constant that cancels in differences."""
    distance = np.sum(error * np.linalg.solve(covariance, error.T).T, axis=1)
    return np.asarray(0.5 * (distance / np.log(2.0) + np.linalg.slogdet(covariance)[1] / np.log(2.0)))


def _predictions(covariance: Floats, widths: tuple[int, int]) -> tuple[Floats, list[Floats]]:
    """Covariance (4m, 4m) of the target and its three predictions, and the target's conditional
    covariances.
    """
    q, first, sources = covariance.shape[0], widths[0], sum(widths)
    target = slice(sources, q)
    loading = np.zeros((q, 4, q - sources))
    loading[target, 0] = np.eye(q - sources)
    spans = (slice(0, first), slice(first, sources), slice(0, sources))
    for place, span in enumerate(spans, start=1):
        loading[span, place] = np.linalg.solve(covariance[span, span], covariance[span, target])
    explained = [loading[span, k].T @ covariance[span, target] for k, span in enumerate(spans, start=1)]
    whole = covariance[target, target]
    flat = loading.reshape(q, -1)
    return flat.T @ covariance @ flat, [whole, *(whole - part for part in explained)]


def _root(system: Floats) -> Floats:
    """The symmetric root of ``system``, which may be singular: predictions can coincide.

    It is the only one of its kind, so that the same seed gives the same draws whatever library finds the vectors.
    """
    values, vectors = np.linalg.eigh(system)
    return np.asarray((vectors * np.sqrt(np.maximum(values, 0.0))) @ vectors.T)
