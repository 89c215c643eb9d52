"""Missing cells of a modality from the cells that its row has: the conditional mean under a joint Gaussian.

Normal scores of related features are close to jointly Gaussian, and six readings of four quantities still tell these
where one is missing; the median would tell the network a value that contradicts the others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.scales import Floats

Flags = NDArray[np.bool_]

MOST_FACTORS = 64
"""Most common factors of a modality's features: a row costs the cube of their number at most."""
SMALLEST_NOISE = 1e-3
"""Share of a feature's variance that is its own at least: bounds how far one cell can pull another."""
CELLS_AT_ONCE = 2**22  # numbers in a batch of posterior precisions: 32 MB


@dataclass(frozen=True, eq=False)
class ConditionalMeans:
    """A factor model of standardised features: ``z = loadings f + noise``, ``f ~ N(0, I)``.

    ``loadings`` (n_features, n_factors), ``noise`` (n_features,) variances, > 0. With as many factors as features it
    is the correlation matrix with a little noise on its diagonal.
    """

    loadings: Floats
    noise: Floats

    def __post_init__(self) -> None:
        if self.loadings.ndim != 2 or self.noise.shape != (len(self.loadings),):
            raise ValueError("loadings and noise must have a row for each feature")
        if self.loadings.shape[1] > MOST_FACTORS:
            raise ValueError(f"{self.loadings.shape[1]} factors, more than {MOST_FACTORS}")
        if not (
            np.isfinite(self.loadings).all() and np.isfinite(self.noise).all() and (self.noise > 0).all()
        ):
            raise ValueError("loadings must be finite, noise finite and positive")

    @classmethod
    def fit(cls, scores: Floats, missing: Flags) -> ConditionalMeans:
        """Fit on training rows: ``scores`` (n, p), mean about 0; ``missing`` (n, p) says which do not count."""
        correlation = pairwise_correlations(scores, missing)
        values, vectors = np.linalg.eigh(correlation)
        leading = slice(-min(len(values), MOST_FACTORS), None)
        loadings = vectors[:, leading] * np.sqrt(np.maximum(values[leading], 0.0))
        # Correlations from n rows are off by 1 / sqrt(n): with few rows for many columns cells are trusted less.
        least = SMALLEST_NOISE + correlation.shape[1] / max(len(scores), 1)
        own = np.maximum(1.0 - np.square(loadings).sum(axis=1), 0.0) + least
        # In single precision: what is stored is what is used.
        return cls(loadings.astype(np.float32).astype(np.float64), own.astype(np.float32).astype(np.float64))

    def fill(self, scores: Floats, missing: Flags) -> Floats:
        """``scores`` (n, p) with the missing cells replaced; a row without any cell reads 0."""
        filled = np.where(missing, 0.0, scores)
        rows = np.flatnonzero(missing.any(axis=1) & ~missing.all(axis=1))
        size = max(1, CELLS_AT_ONCE // max(1, self.loadings.shape[1] ** 2))
        for start in range(0, len(rows), size):
            chunk = rows[start : start + size]
            expected = self._factors(filled[chunk], ~missing[chunk]) @ self.loadings.T
            filled[chunk] = np.where(missing[chunk], expected, filled[chunk])
        return filled

    def _factors(self, scores: Floats, present: Flags) -> Floats:
        """Posterior means of the factors (n, k): (I + L'D^-1 L)^-1 L'D^-1 z over the cells present."""
        count = self.loadings.shape[1]
        weighted = self.loadings / self.noise[:, None]
        outer = (weighted[:, :, None] * self.loadings[:, None, :]).reshape(len(self.loadings), -1)
        precision = (present @ outer).reshape(-1, count, count) + np.eye(count)
        return np.asarray(np.linalg.solve(precision, (scores @ weighted)[:, :, None])[:, :, 0])

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; ``from_dict`` restores them exactly, also through JSON."""
        return {"loadings": self.loadings.tolist(), "noise": self.noise.tolist()}

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> ConditionalMeans:
        """Restore what ``to_dict`` wrote; raises KeyError, TypeError or ValueError on anything else."""
        return cls(np.asarray(stored["loadings"], np.float64), np.asarray(stored["noise"], np.float64))


def pairwise_correlations(scores: Floats, missing: Flags) -> Floats:
    """Correlations (p, p) of ``scores`` (n, p) about 0, each over the rows that have both; 0 where they do not vary."""
    present = (~missing).astype(np.float64)
    z = np.where(missing, 0.0, scores)
    power = np.square(z).T @ present
    scale = np.sqrt(power * power.T)
    found = np.divide(z.T @ z, scale, out=np.zeros_like(scale), where=scale > 0)
    np.fill_diagonal(found, 1.0)
    return np.asarray(np.clip(found, -1.0, 1.0))
