"""Information of Gaussian systems: every subset of the sources from one covariance.

``I(Y; A) = 1/2 log2(|S_Y| / |S_Y|A|)``. The conditional covariances of all 2^n subsets come from one pass of
Schur complements, source by source: subsets share the factorisation of what they have in common, and the
matrices shrink as their number grows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.special import digamma

from pidreg_cli.information.arrays import Floats
from pidreg_cli.information.backend import Array, log2_determinant, namespace


def conditional_covariances(covariance: Array, factor: Array, widths: Sequence[int]) -> Array:
    """``Cov(Y | A)`` for every subset A of the sources: shape (2**n, m, m), index the bitmask of A.

    ``covariance`` (q, q) is positive definite and ordered source by source (``widths``), the target's m
    columns last; ``factor`` is its lower Cholesky factor.
    """
    xp = namespace(covariance)
    current, factor = covariance[None], factor[None]
    for place, width in enumerate(widths):
        if place:
            factor = xp.linalg.cholesky(current)
        tail = current[:, width:, width:]
        # The lower left block of the factor is what a triangular solve would give, at less cost.
        half = factor[:, width:, :width]
        # Subsets without the source first, those with it after: the index grows by its bit.
        current = xp.concatenate([tail, tail - half @ half.mT])
    return current


def subset_informations(conditionals: Array) -> Array:
    """I(Y; A) in bits for every subset, shape (2**n,), from ``conditional_covariances``."""
    logs = log2_determinant(conditionals)
    return 0.5 * (logs[0] - logs)


def information_bias(rows: float, target_width: int, source_widths: Floats) -> Floats:
    """Bias in bits of the plug-in information of a sample covariance: exact for Gaussian rows.

    ``(1/(2 ln 2)) [sum_{k<dA} psi((v-k)/2) + sum_{k<dB} psi((v-k)/2) - sum_{k<dA+dB} psi((v-k)/2)]`` with
    v = rows - 1 (Goodman 1963; Ahmed & Gokhale 1989), for an array of widths of the subsets.
    """
    widths = np.asarray(source_widths, dtype=np.int64)
    terms = digamma((rows - 1.0 - np.arange(int(widths.max(initial=0)) + target_width)) / 2.0)
    sums = np.concatenate([[0.0], np.cumsum(terms)])
    return np.asarray((sums[widths] + sums[target_width] - sums[widths + target_width]) / (2.0 * np.log(2.0)))


def subset_widths(widths: Sequence[int]) -> Floats:
    """Number of columns of every subset, shape (2**n,)."""
    total = np.zeros(1)
    for width in widths:
        total = np.concatenate([total, total + width])
    return total
