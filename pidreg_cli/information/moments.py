"""First and second moments of rows that arrive in batches or from several processes.

Counts, means and centred sums of products are kept, never raw sums of squares: batches merge by the pairwise
update of Chan, Golub & LeVeque (1983), in float64, with the accuracy of a two-pass computation.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import accumulate

import numpy as np
from numpy.typing import ArrayLike

from pidreg_cli.information.arrays import Bools, Floats, columns, finite
from pidreg_cli.information.errors import ShapeError, TooFewRowsError

# Standard deviation, relative to the column's size, below which a column is constant.
NO_SPREAD = 1e-12


@dataclass(frozen=True)
class Moments:
    """Moments of q columns: they add (merge); ``without_each`` leaves parts out.

    ``count`` is the sum of the weights, ``squares`` that of their squares, ``mean`` (q,), ``scatter`` (q, q)
    the centred sums of products. A row of weight 2 counts as two rows.
    """

    count: float
    squares: float
    mean: Floats
    scatter: Floats

    @classmethod
    def of(cls, rows: ArrayLike, weights: ArrayLike | None = None) -> Moments:
        """Moments of rows (n, q) with non-negative weights (n,), one each by default."""
        values = columns(rows, "rows")
        if weights is None:
            return cls._unweighted(values)
        weight = checked_weights(weights, values.shape[0])
        count = float(weight.sum())
        mean = weight @ values / count if count else np.zeros(values.shape[1])
        centred = values - mean
        return cls(count, float(weight @ weight), mean, (centred * weight[:, None]).T @ centred)

    @classmethod
    def _unweighted(cls, values: Floats) -> Moments:
        count = float(values.shape[0])
        mean = values.sum(axis=0) / max(count, 1.0)
        centred = values - mean
        return cls(count, count, mean, centred.T @ centred)

    @property
    def effective_rows(self) -> float:
        """Rows that carry the same precision without weights (Kish 1965): the count where all weights are
        one.
        """
        return self.count**2 / self.squares if self.squares else 0.0

    @property
    def constant(self) -> Bools:
        """Which columns do not vary beyond the rounding of their mean, shape (q,)."""
        variance = np.maximum(np.diag(self.scatter), 0.0) / max(self.count, 1.0)
        return np.asarray(np.sqrt(variance) <= NO_SPREAD * np.abs(self.mean))

    @property
    def exact_scatter(self) -> Floats:
        """``scatter`` with exact zeros for constant columns, so that their rounding is not read as variance."""
        constant = self.constant
        return np.where(constant | constant[:, None], 0.0, self.scatter)

    def apart(self, sizes: Floats, least: float) -> bool:
        """Whether none of the first columns is about a sum of others: eigenvalues of their covariance are ``least`` or
        more where each is measured by its size, of ``sizes`` (k,): its root mean square about where sums were taken.
        Columns of size 0 do not count.

        Sums that are off by a small share of ``least``, by these sizes, leave least squares solvable.
        """
        real = np.flatnonzero(sizes)
        scaled = self.scatter[np.ix_(real, real)] / np.outer(sizes[real], sizes[real]) / max(self.count, 1.0)
        try:
            np.linalg.cholesky(scaled - least * np.eye(len(real)))
        except np.linalg.LinAlgError:
            return False
        return True

    def __add__(self, other: Moments) -> Moments:
        self._check_width(other)
        count = self.count + other.count
        if not count:
            return self
        shift = other.mean - self.mean
        scatter = self.scatter + other.scatter + np.outer(shift, shift) * (self.count * other.count / count)
        return Moments(
            count, self.squares + other.squares, self.mean + shift * (other.count / count), scatter
        )

    def _check_width(self, other: Moments) -> None:
        if self.mean.shape != other.mean.shape:
            raise ShapeError(f"moments of {self.mean.size} and {other.mean.size} columns do not merge")

    def covariance(self) -> Floats:
        """Sample covariance (q, q), unbiased for unweighted rows; TooFewRowsError for fewer than two."""
        rows = self.effective_rows
        if rows < 2.0:
            raise TooFewRowsError(f"a covariance needs at least 2 rows, however: {rows:g}")
        return self.scatter / (self.count * (1.0 - 1.0 / rows))


def merged(parts: Iterable[Moments]) -> Moments:
    """Moments of all parts together, in the order given."""
    return reduce(Moments.__add__, parts)


def without_each(parts: Sequence[Moments], always: Moments | None = None) -> Iterator[Moments]:
    """All moments but one, for each of two or more, or of one or more beside those that are ``always`` among them.

    Those before it and those after it together: taken out of all it would leave rounding where the others are constant
    or much smaller.
    """
    after: list[Moments | None] = [None, *accumulate(reversed(parts[1:]), Moments.__add__)]
    before = always
    for part in parts:
        yield merged([some for some in (before, after.pop()) if some is not None])
        before = part if before is None else before + part


def checked_weights(weights: ArrayLike, rows: int) -> Floats:
    """``weights`` as finite, non-negative float64 of shape (rows,)."""
    weight = finite(weights, "weights")
    if weight.shape != (rows,):
        raise ShapeError(f"weights must have shape ({rows},), however: {weight.shape}")
    if np.any(weight < 0.0):
        raise ShapeError(f"weights must not be negative, however: {weight.min():g}")
    return weight
