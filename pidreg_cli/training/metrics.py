"""Accuracy of predictions, in the units of the target."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

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
    moving = len(target) > 1 and np.ptp(target) > 0 and np.ptp(prediction) > 0
    return Accuracy(
        rmse=float(np.sqrt(np.square(error).mean())),
        mae=float(np.abs(error).mean()),
        r2=1 - float(np.square(error).sum()) / total if total > 0 else None,
        corr=float(np.corrcoef(target, prediction)[0, 1]) if moving else None,
        n=len(target),
    )
