"""Codes of absent modalities by what the present ones let expect, under the joint Gaussian of all codes.

``E[Z_q | Z_p] = mu_q + S_qp S_pp^-1 (z_p - mu_p)``; a product of two absent codes has the expectation
``m_i m_j + Cov_ij|present``, the second term the diagonal of the conditional covariance, the same for every row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular

from pidreg_cli.information.arrays import Floats
from pidreg_cli.information.errors import ShapeError
from pidreg_cli.information.lattice import sources_of

# Added to the diagonal, relative to its mean: dimensions of a code may hardly vary, or repeat each other.
SHRINKAGE = 1e-3


@dataclass(frozen=True, eq=False)
class CodeMoments:
    """Mean (n, d) and covariance (n, d, n, d) of n codes of d dimensions."""

    mean: Floats
    covariance: Floats

    @classmethod
    def of(cls, codes: Sequence[Floats]) -> CodeMoments:
        """Of n codes (N, d), N >= 2."""
        n, d = len(codes), codes[0].shape[1]
        rows = np.hstack([np.asarray(code, np.float64) for code in codes])
        if len(rows) < 2:
            raise ShapeError(f"moments need at least 2 rows, however: {len(rows)}")
        covariance = np.atleast_2d(np.cov(rows, rowvar=False))
        return cls(rows.mean(axis=0).reshape(n, d), covariance.reshape(n, d, n, d))

    @property
    def modalities(self) -> int:
        """Number of codes."""
        return len(self.mean)

    def block(self, rows: Sequence[int], columns: Sequence[int]) -> Floats:
        """Covariance of the codes ``rows`` with the codes ``columns``, flat: (|rows| d, |columns| d)."""
        d = self.mean.shape[1]
        found = self.covariance[np.ix_(rows, range(d), columns, range(d))]
        return np.asarray(found.reshape(len(rows) * d, len(columns) * d))

    def regular_block(self, chosen: Sequence[int]) -> Floats:
        """Covariance of the codes ``chosen``, shrunk so that it can be inverted."""
        found = self.block(chosen, chosen)
        added = SHRINKAGE * np.trace(found) / len(found) + np.finfo(float).tiny
        return np.asarray(found + added * np.eye(len(found)))

    @cached_property
    def _whitening(self) -> list[Floats]:
        """For each code W (d, d) with ``|(z - mu) W|^2`` its squared Mahalanobis distance."""
        d = self.mean.shape[1]
        factors = (np.linalg.cholesky(self.regular_block([i])) for i in range(self.modalities))
        return [solve_triangular(factor, np.eye(d), lower=True).T for factor in factors]

    def whitened(self, codes: Sequence[Floats]) -> list[Floats]:
        """Codes (N, d) about their means, in units in which these moments have variance one in every direction."""
        return [
            (np.asarray(code) - mean) @ whitening
            for code, mean, whitening in zip(codes, self.mean, self._whitening, strict=True)
        ]

    def distances(self, codes: Sequence[Floats]) -> Floats:
        """Mahalanobis distance of each code from its mean, squared, per dimension: (N, n)."""
        return distances_of(self.whitened(codes))


def distances_of(whitened: Sequence[Floats]) -> Floats:
    """Squared lengths per dimension (N, n) of whitened codes."""
    return np.column_stack([np.einsum("nd,nd->n", one, one) / one.shape[1] for one in whitened])


@dataclass(frozen=True, eq=False)
class Completion:
    """How the codes of one set of modalities, ``mask``, complete those of all.

    ``slopes`` (present d, absent d); ``excess`` (pairs, d): expected beyond the product of the means, for the pairs
    i < j in lexicographic order, zero unless both are absent.
    """

    moments: CodeMoments
    mask: int
    slopes: Floats
    excess: Floats

    @classmethod
    def of(cls, moments: CodeMoments, mask: int) -> Completion:
        """From moments, for the modalities in ``mask``."""
        n, d = moments.mean.shape
        present = list(sources_of(mask))
        absent = [i for i in range(n) if i not in present]
        across = moments.block(present, absent)
        slopes = cho_solve(cho_factor(moments.regular_block(present)), across) if present else across
        left = moments.block(absent, absent) - across.T @ slopes
        place = {modality: number for number, modality in enumerate(absent)}
        excess = np.zeros((n * (n - 1) // 2, d))
        for pair, (i, j) in enumerate(combinations(range(n), 2)):
            if i in place and j in place:
                rows, columns = (slice(place[k] * d, place[k] * d + d) for k in (i, j))
                excess[pair] = np.diag(left[rows, columns])
        return cls(moments, mask, slopes, excess)

    def codes(self, codes: Sequence[Floats]) -> list[Floats]:
        """All n codes (N, d): those of ``mask`` as they are, the others expected from them."""
        present = list(sources_of(self.mask))
        mean, d = self.moments.mean, self.moments.mean.shape[1]
        given = [np.asarray(codes[i], np.float64) - mean[i] for i in present]
        rows = len(codes[0])
        expected = (np.hstack(given) if given else np.zeros((rows, 0))) @ self.slopes
        found, place = [], 0
        for i in range(len(mean)):
            if i in present:
                found.append(np.asarray(codes[i], np.float64))
            else:
                found.append(mean[i] + expected[:, place : place + d])
                place += d
        return found
