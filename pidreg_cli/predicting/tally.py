"""What is counted while rows pass: the modalities they had, those unlike the training rows, how far they erred."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.prediction.rows import RowPredictions
from pidreg_cli.training.metrics import Accuracy, RunningAccuracy

Floats = NDArray[np.float64]


@dataclass
class Errors:
    """Errors of rows whose target is known, and how their intervals did."""

    running: RunningAccuracy = field(default_factory=RunningAccuracy)
    covered: int = 0
    width: float = 0.0

    def add(self, target: Floats, found: RowPredictions) -> None:
        """More rows; those with a missing target are passed over."""
        self.running.add(target, found.prediction)
        known = ~np.isnan(target)
        y, lower, upper = target[known], found.lower[known], found.upper[known]
        self.covered += int(((lower <= y) & (y <= upper)).sum())
        self.width += float((upper - lower).sum())

    @property
    def rows(self) -> int:
        """Rows with a known target."""
        return self.running.rows

    def accuracy(self) -> Accuracy | None:
        """Accuracy of all rows; None without any."""
        return self.running.accuracy()


@dataclass
class Tally:
    """Counts over all rows. ``sets``: rows by the modalities that predicted them; ``seen`` and ``far`` (n,): rows that
    have each modality, and of these the ones unlike the training rows; ``codes`` (n, d): sums of their codes;
    ``unbounded``: rows with an infinite interval; ``nameless``: rows with a null id.
    """

    modalities: int
    rows: int = 0
    unbounded: int = 0
    nameless: int = 0
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
