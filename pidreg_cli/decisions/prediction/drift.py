"""Whether new rows are like those that trained: by the share of them whose codes are far from the training rows'."""

from __future__ import annotations

from dataclasses import dataclass
from math import isinf, sqrt

from pidreg_cli.decisions.prediction.calibrated import FAR, Calibrated

EXPECTED = 1 - FAR
TIMES = 2.0  # the expected share: less is no reason to look at the data
STANDARD_ERRORS = 4.0
"""Beyond the expected share: rows like the training rows then warn once in some ten thousand tables."""


@dataclass(frozen=True)
class Drift:
    """Of ``rows`` that have a modality, ``far`` are further from the training rows than ``EXPECTED`` of rows like these
    are. ``known``: whether there were rows enough to tell.
    """

    rows: int
    far: int
    calibration_rows: int
    known: bool

    @classmethod
    def of(cls, calibrated: Calibrated, modality: int, rows: int, far: int) -> Drift:
        """Of one modality, by its number."""
        known = not isinf(float(calibrated.far[modality]))
        return cls(rows, far, int(calibrated.far_rows[modality]), known)

    @property
    def share(self) -> float | None:
        """Share of far rows, None where it is not known."""
        return self.far / self.rows if self.known and self.rows else None

    @property
    def warns(self) -> bool:
        """Whether there are more far rows than chance explains, in these rows and in those that set the limit."""
        if self.share is None:
            return False
        error = sqrt(EXPECTED * (1 - EXPECTED) * (1 / self.rows + 1 / self.calibration_rows))
        return self.share > max(TIMES * EXPECTED, EXPECTED + STANDARD_ERRORS * error)
