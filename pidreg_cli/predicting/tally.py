"""What is counted while rows pass: the modalities they had, those unlike the training rows, how far they erred."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.prediction.rows import RowPredictions
from pidreg_cli.information.moments import Moments
from pidreg_cli.training.metrics import Accuracy

Floats = NDArray[np.float64]


@dataclass
class Errors:
    """Errors of rows whose target is known, and how their intervals did."""

    moments: Moments | None = None
    absolute: float = 0.0
    squared: float = 0.0
    covered: int = 0
    width: float = 0.0

    def add(self, target: Floats, found: RowPredictions) -> None:
        """More rows; those with a missing target are passed over."""
        known = ~np.isnan(target)
        if not known.any():
            return
        y, prediction = target[known], found.prediction[known]
        lower, upper = found.lower[known], found.upper[known]
        more = Moments.of(np.column_stack([y, prediction]))
        self.moments = more if self.moments is None else self.moments + more
        self.absolute += float(np.abs(y - prediction).sum())
        self.squared += float(np.square(y - prediction).sum())
        self.covered += int(((lower <= y) & (y <= upper)).sum())
        self.width += float((upper - lower).sum())

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


@dataclass
class Tally:
    """Counts over all rows. ``sets``: rows by the modalities that predicted them; ``seen`` and ``far`` (n,): rows that
    have each modality, and of these the ones unlike the training rows; ``codes`` (n, d): sums of their codes;
    ``unbounded``: rows with an infinite interval.
    """

    modalities: int
    rows: int = 0
    unbounded: int = 0
    sets: Counter[int] = field(default_factory=Counter)
    errors: Errors = field(default_factory=Errors)

    def __post_init__(self) -> None:
        self.seen = np.zeros(self.modalities, np.int64)
        self.far = np.zeros(self.modalities, np.int64)
        self.codes = np.zeros((self.modalities, 1))

    def add(self, found: RowPredictions, present: NDArray[np.bool_], target: Floats | None) -> None:
        """More rows; ``present`` (n, modalities)."""
        self.rows += len(found.prediction)
        self.unbounded += int(np.isinf(found.upper).sum())
        masks, counts = np.unique(found.sets, return_counts=True)
        self.sets.update(dict(zip(masks.tolist(), counts.tolist(), strict=True)))
        self.seen += present.sum(axis=0)
        self.far += found.far.sum(axis=0)
        self.codes = self.codes + found.code_sums
        if target is not None:
            self.errors.add(target, found)
