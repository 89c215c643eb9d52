"""Union information of two sources about a target of any dimension: closed forms of four measures.

All work on what the target keeps given each source: ``S_Y`` (m, m), ``S_1 = Cov(Y|1)``, ``S_2``, ``S_12``.
The sources' dimensions appear nowhere. Everything is differentiable with torch, in bits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh
from scipy.optimize import brentq

from pidreg_cli.information.arrays import Floats
from pidreg_cli.information.backend import Array, detached, identity, log2_determinant, lower_solve, namespace

# Squared canonical correlations below this are rounding; they would carry less than 1e-12 bits.
NO_CORRELATION = 1e-12


@dataclass(frozen=True)
class Conditionals:
    """Covariances of the target (m, m): its own, given each of two sources, given both."""

    target: Array
    first: Array
    second: Array
    both: Array

    @property
    def informations(self) -> tuple[Array, Array, Array]:
        """I_1, I_2, I_12 in bits."""
        whole = log2_determinant(self.target)
        given = (self.first, self.second, self.both)
        i1, i2, i12 = (0.5 * (whole - log2_determinant(left)) for left in given)
        return i1, i2, i12


def mmi_union(given: Conditionals) -> Array:
    """``U = max(I_1, I_2)`` (Barrett 2015)."""
    i1, i2, _ = given.informations
    return namespace(i1).maximum(i1, i2)


def broja_union(given: Conditionals) -> Array:
    """Least I(Y; 1, 2) over couplings that keep the marginals (Y, 1) and (Y, 2) (Bertschinger et al. 2014).

    ``U = I_2 + 1/2 sum_k max(0, log2 lambda_k)`` with lambda the generalised eigenvalues of (S_2, S_1): the
    precision of Y given both dominates both single ones, the smallest determinant above two matrices is that
    of their congruence maximum, and degrading one common channel attains it.
    """
    xp = namespace(given.first)
    factor = xp.linalg.cholesky(given.first)
    half = lower_solve(factor, given.second)
    eigenvalues = xp.linalg.eigvalsh(lower_solve(factor, half.mT))
    unique = 0.5 * xp.log2(eigenvalues.clip(1.0, None)).sum()
    return given.informations[1] + unique


def dep_union(given: Conditionals) -> Array:
    """``U_1 = min(i, k)``: least unique information over the dependencies kept (James et al. 2018; Kay & Ince
    2018).

    With 1 and 2 independent given Y their precisions about Y add: ``i = I(1; Y | 2)`` there, ``k`` in the
    system.
    """
    xp = namespace(given.target)
    i12 = given.informations[2]
    precision = xp.linalg.inv(given.first) + xp.linalg.inv(given.second) - xp.linalg.inv(given.target)
    apart = 0.5 * (log2_determinant(given.target) + log2_determinant(precision))
    return xp.minimum(apart, i12)


def ig_union(given: Conditionals, predictions: Array) -> Array:
    """``U = I_12 - S``, S the divergence from the path between two conditional independences (Niu & Quinn
    2019).

    ``S = min_t -1/2 log2 |K(t) Sigma|`` with ``K(t) = (1-t) S5^-1 + t S6^-1`` over all t with K(t) > 0, as in
    Kay 2024. ``predictions`` (2m, 2m) is the covariance C of ``T_1 = E[Y|1]`` and ``T_2 = E[Y|2]``. With
    ``D = diag((1-t) S_1^-1, t S_2^-1)`` and ``E = [1 1]``, ``|K Sigma| = |S_12| |1 + D C| |E (1 + D C)^-1 D
    E'|``.
    """
    xp = namespace(given.target)
    m = given.target.shape[0]
    t = _path_parameter(detached(given.target), detached(predictions))
    weights = xp.zeros_like(predictions)
    weights[:m, :m] = (1.0 - t) * xp.linalg.inv(given.first)
    weights[m:, m:] = t * xp.linalg.inv(given.second)
    spread = identity(2 * m, like=predictions) + weights @ predictions
    precision = _folded(xp.linalg.solve(spread, weights), m)
    logs = log2_determinant(given.both) + log2_determinant(spread) + log2_determinant(precision)
    synergy = (-0.5 * logs).clip(0.0, None)
    return given.informations[2] - synergy


def _folded(matrix: Array, m: int) -> Array:
    """``E M E'`` with ``E = [1 1]``: the sum of the four (m, m) blocks."""
    return matrix[:m, :m] + matrix[:m, m:] + matrix[m:, :m] + matrix[m:, m:]


def _path_parameter(target: Floats, predictions: Floats) -> float:
    """The t that maximises ``log |K(t)|``, from canonical variates of the two predictions.

    K(t) is linear in t, so ``log |K(t)| = const + sum_k log(1 + t mu_k)``, concave, mu the eigenvalues of
    ``S5 (S6^-1 - S5^-1)``; its maximum is the root of the derivative between the poles next to zero. The
    precision of the two sources together is in both ends and leaves the difference, so that sources may say
    the same.
    """
    system, first, second = _canonical_system(target, predictions)
    m = target.shape[0]
    one, two = slice(m, m + first), slice(m + first, m + first + second)
    start = system.copy()
    start[:m, two] = system[:m, one] @ system[one, two]
    start[two, :m] = start[:m, two].T
    values, vectors = eigh(start)
    half = vectors * np.sqrt(np.maximum(values, 0.0))
    change = _added_precision(system, two, m) - _added_precision(system, one, m)
    mu = eigh(half.T @ change @ half, eigvals_only=True)
    if mu[-1] - mu[0] < NO_CORRELATION:
        return 0.0
    low, high = -1.0 / mu[-1], -1.0 / mu[0]
    margin = 1e-13 * (high - low)
    return float(brentq(lambda t: np.sum(mu / (1.0 + t * mu)), low + margin, high - margin, xtol=1e-14))


def _canonical_system(target: Floats, predictions: Floats) -> tuple[Floats, int, int]:
    """Covariance of (Y, V_1, V_2) with V_j the canonical variates of T_j with Y, and how many each has."""
    m = target.shape[0]
    maps = [_variates(target, predictions[rows, rows]) for rows in (slice(0, m), slice(m, None))]
    first, second = (weights.shape[1] for weights in maps)
    loading = np.zeros((2 * m, first + second))
    loading[:m, :first], loading[m:, first:] = maps
    # Cov(Y, T_j) = Cov(T_j): a prediction is the part of Y that its source explains.
    crossed = np.hstack([predictions[:m, :m] @ maps[0], predictions[m:, m:] @ maps[1]])
    system = np.block([[target, crossed], [crossed.T, loading.T @ predictions @ loading]])
    return system, first, second


def _variates(target: Floats, explained: Floats) -> Floats:
    """Weights (m, r) of the canonical variates, of unit variance, of a prediction with this covariance."""
    squared, vectors = eigh(explained, target)
    kept = squared > NO_CORRELATION
    # With v'S_Y v = 1 the variance of v'T is the squared canonical correlation.
    return np.asarray(vectors[:, kept] / np.sqrt(squared[kept]))


def _added_precision(system: Floats, near: slice, m: int) -> Floats:
    """What Y, depending on the near variates alone, adds to the precision of the variates."""
    place = np.ix_(*2 * [[*range(m), *range(near.start, near.stop)]])
    variates = np.arange(near.start, near.stop)
    precision = np.zeros_like(system)
    precision[place] = np.linalg.inv(system[place])
    precision[variates, variates] -= 1.0
    return precision
