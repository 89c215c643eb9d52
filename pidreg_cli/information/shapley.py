"""Additive shares: Shapley values of the information game and the weights of the fusion."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

import numpy as np

from pidreg_cli.information.arrays import Floats, finite
from pidreg_cli.information.lattice import coherent, source_count

# Below this total (bits) there is nothing to weigh by.
NO_INFORMATION = 1e-6


@dataclass(frozen=True)
class FusionWeights:
    """Weights of the codes and of their pairwise products, all >= 0, summing to one.

    ``singles`` has shape (n,), ``pairs`` (n, n), zero outside the strict upper triangle. ``degenerate`` says
    that the total was below 1e-6 bits and the weights are uniform over the singles.
    """

    singles: Floats
    pairs: Floats
    degenerate: bool

    @property
    def vector(self) -> Floats:
        """Singles, then pairs i < j in lexicographic order: shape (n + n(n-1)/2,)."""
        return np.concatenate([self.singles, self.pairs[np.triu_indices(self.singles.size, 1)]])


def shapley_values(v: Floats) -> Floats:
    """Shapley values of the game A -> v(A) in bits, shape (n,); they sum to ``v[-1]`` (Shapley 1953)."""
    v = finite(v, "subset informations")
    n = source_count(v)
    sizes = np.bitwise_count(np.arange(v.size // 2))
    weights = np.array([1.0 / (n * comb(n - 1, size)) for size in range(n)])[sizes]
    return np.array([weights @ _marginal_gains(v, source) for source in range(n)])


def _marginal_gains(v: Floats, source: int) -> Floats:
    pairs = v.reshape(-1, 2, 1 << source)
    return (pairs[:, 1] - pairs[:, 0]).ravel()


def union_shares(singles: Floats) -> Floats:
    """Shapley values of the union game ``A -> max_{i in A} I_i``, shape (n,); they sum to the largest.

    ``share_(k) = sum_{l<=k} (I_(l) - I_(l-1)) / (n - l + 1)`` in ascending order: ``U_i + R/2`` for two
    sources, and 0 for a source that has no information.
    """
    singles = finite(singles, "informations of the single sources")
    order = np.argsort(singles, kind="stable")
    steps = np.diff(singles[order], prepend=0.0)
    shares = np.empty_like(singles)
    shares[order] = np.cumsum(steps / np.arange(singles.size, 0, -1))
    return shares


def fusion_weights(v: Floats) -> FusionWeights:
    """Weights of the fusion from coherent subset informations of shape (2**n,).

    Singles receive their shares of the union information, pairs share the synergy in proportion to
    ``max(0, I_ij - max(I_i, I_j))``, all over the total.
    """
    v = coherent(v)
    n = source_count(v)
    if v[-1] < NO_INFORMATION:
        return FusionWeights(np.full(n, 1.0 / n), np.zeros((n, n)), degenerate=True)
    singles = v[1 << np.arange(n)]
    synergy = max(0.0, float(v[-1] - singles.max()))
    weights = np.append(union_shares(singles), synergy * _pair_shares(v, singles))
    weights = weights / weights.sum()
    pairs = np.zeros((n, n))
    pairs[np.triu_indices(n, 1)] = weights[n:]
    return FusionWeights(weights[:n], pairs, degenerate=False)


def _pair_shares(v: Floats, singles: Floats) -> Floats:
    """Shares of the synergy, summing to one, equal where no pair gains; empty for one source."""
    first, second = np.triu_indices(singles.size, 1)
    gains = np.maximum(0.0, v[(1 << first) | (1 << second)] - np.maximum(singles[first], singles[second]))
    if first.size and gains.sum() <= NO_INFORMATION:
        gains = np.ones_like(gains)
    return np.asarray(gains / gains.sum()) if first.size else gains
