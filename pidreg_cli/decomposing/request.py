"""What a decomposition is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pidreg_cli.errors import UsageError

# A wrong option is refused before the libraries behind these are loaded.
if TYPE_CHECKING:
    from pidreg_cli.information.features import Interactions
    from pidreg_cli.reports.model import Estimator, Measure


@dataclass(frozen=True)
class DecomposeRequest:
    """How to decompose. ``measure``, ``interactions``, ``confidence`` and ``seed``: None takes those of the run, or the
    defaults ``broja``, ``products``, 0.95 and 0.
    """

    measure: Measure | None = None
    estimator: Estimator = "heldout"
    interactions: Interactions | None = None
    confidence: float | None = None
    seed: int | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.confidence is not None and not 0.0 < self.confidence < 1.0:
            raise UsageError(
                "usage.ci",
                f"--ci {self.confidence:g}: the confidence must lie between 0 and 1, both excluded",
                "write --ci 0.95 for 95 %",
            )
        if self.seed is not None and not 0 <= self.seed < 2**32:
            raise UsageError(
                "usage.seed", f"--seed {self.seed}: must be from 0 to 4294967295", "try --seed 0"
            )
        if self.threads is not None and self.threads < 1:
            raise UsageError("usage.threads", f"--threads {self.threads}: must be 1 or more", "leave it out")


def created_now() -> str:
    """This second, ISO 8601 in UTC."""
    return datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
