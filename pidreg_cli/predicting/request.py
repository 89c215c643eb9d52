"""What is asked of a prediction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class PredictRequest:
    """``level`` of the intervals, in (0, 1); ``use``: modalities to predict from, None for all; ``identifier``: column
    of ids, None for that of the run; ``threads``: None for all cores.
    """

    level: float = 0.9
    explain: bool = False
    use: Sequence[str] | None = None
    identifier: str | None = None
    device: str = "auto"
    threads: int | None = None
