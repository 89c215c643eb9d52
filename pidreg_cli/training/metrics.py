"""Accuracy of predictions, in the units of the target."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.information.moments import Moments

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Accuracy:
    """Root mean squared and mean absolute error, R2 about the mean of the rows, Pearson correlation, rows.

    ``r2`` and ``corr`` are None where they have no value (constant target or prediction, fewer than two rows).
    """

    rmse: float
    mae: float
    r2: float | None
    corr: float | None
    n: int


def accuracy(target: Floats, prediction: Floats) -> Accuracy:
    """Accuracy of ``prediction`` for ``target``, both (n_rows,), n_rows >= 1."""
    error = target - prediction
    total = float(np.square(target - target.mean()).sum())
    # Of equal numbers the mean may differ by rounding: they do not vary for that.
    varied = np.ptp(target) > 0
    moving = varied and np.ptp(prediction) > 0
    return Accuracy(
        rmse=float(np.sqrt(np.square(error).mean())),
        mae=float(np.abs(error).mean()),
        r2=1 - float(np.square(error).sum()) / total if varied and total > 0 else None,
        corr=float(np.corrcoef(target, prediction)[0, 1]) if moving else None,
        n=len(target),
    )


@dataclass
class RunningAccuracy:
    """The accuracy of rows that pass by batches, of which sums are kept."""

    moments: Moments | None = None
    absolute: float = 0.0
    squared: float = 0.0

    def add(self, target: Floats, prediction: Floats) -> None:
        """More rows, both (n_rows,); those with a missing target are passed over."""
        known = ~np.isnan(target)
        if not known.any():
            return
        y, found = target[known], prediction[known]
        more = Moments.of(np.column_stack([y, found]))
        self.moments = more if self.moments is None else self.moments + more
        self.absolute += float(np.abs(y - found).sum())
        self.squared += float(np.square(y - found).sum())

    @property
    def rows(self) -> int:
        """Rows with a known target."""
        return 0 if self.moments is None else int(self.moments.count)

    def accuracy(self) -> Accuracy | None:
        """Accuracy of all rows; None without any."""
        if self.moments is None:
            return None
        spread, both = np.diag(self.moments.exact_scatter), self.moments.scatter[0, 1]
        moving = self.rows > 1 and spread.min() > 0
        return Accuracy(
            rmse=sqrt(self.squared / self.rows),
            mae=self.absolute / self.rows,
            r2=float(1 - self.squared / spread[0]) if spread[0] > 0 else None,
            corr=float(both / sqrt(spread[0] * spread[1])) if moving else None,
            n=self.rows,
        )
