"""Whether new rows are like those that trained: one by one by the distance of their codes, together by their mean."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf, sqrt

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.prediction.calibrated import FAR, Calibrated

EXPECTED = 1 - FAR
TIMES = 2.0  # the expected share: less is no reason to look at the data
STANDARD_ERRORS = 4.0
"""Beyond the expected share: rows like the training rows then warn once in some ten thousand tables."""
LARGEST_SHIFT = 0.4
"""Of the mean of the codes, in standard deviations. On random splits of tables it is below .1, between groups of rows
of one table up to .3, between seasons .5 to 1.3."""


@dataclass(frozen=True)
class Drift:
    """Of ``rows`` that have a modality, ``far`` are further from the training rows than ``EXPECTED`` of rows like these
    are. ``known``: whether there were rows enough to tell. ``shift``: of the mean of their codes from that of the
    training rows, Mahalanobis, less what chance makes of it; ``shifted``: whether it is more than chance.
    """

    rows: int
    far: int
    calibration_rows: int
    known: bool
    shift: float
    shifted: bool

    @classmethod
    def of(
        cls, calibrated: Calibrated, modality: int, rows: int, far: int, codes: NDArray[np.float64]
    ) -> Drift:
        """Of one modality, by its number; ``codes`` (d,): the sum of the whitened codes of the rows."""
        known = not isinf(float(calibrated.far[modality]))
        # The squared length of a mean of n rows of d independent numbers: a chi-squared variable over n.
        squared, chance = float(np.square(codes / rows).sum()), len(codes) / rows
        shift = sqrt(max(0.0, squared - chance))
        beyond = squared > chance * (1 + STANDARD_ERRORS * sqrt(2 / len(codes)))
        told = int(calibrated.far_rows[modality])
        return cls(rows, far, told, known, shift, beyond and shift > LARGEST_SHIFT)

    @property
    def share(self) -> float | None:
        """Share of far rows, None where it is not known."""
        return self.far / self.rows if self.known and self.rows else None

    @property
    def scattered(self) -> bool:
        """Whether there are more far rows than chance explains, in these rows and in those that set the limit."""
        if self.share is None:
            return False
        error = sqrt(EXPECTED * (1 - EXPECTED) * (1 / self.rows + 1 / self.calibration_rows))
        return self.share > max(TIMES * EXPECTED, EXPECTED + STANDARD_ERRORS * error)

    @property
    def warns(self) -> bool:
        """Whether single rows, or all together, are unlike the training rows."""
        return self.scattered or self.shifted
