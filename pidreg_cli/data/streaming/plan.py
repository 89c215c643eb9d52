"""How much of a table may be in memory at once, from a limit in bytes.

The figures are peaks of whole fits, measured (``python -m benchmarks.large_fit`` prints what becomes of them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import ceil, log
from typing import Any, Self

from pidreg_cli.errors import UsageError
from pidreg_cli.memory import amount, as_option

LIBRARIES = 600 * 10**6
"""Bytes of a process beside rows: Python, torch, SciPy, LightGBM, networks, and what allocators keep of a pass."""
CELL, ROW = 56, 1200
"""Bytes that a fit in memory needs at its peak for each feature cell (raw, standardised, as scores, as ridge regression
sees them), and for each row and modality (readouts of a third of the rows)."""
SAMPLE_CELL = 52
"""Bytes of a cell of a training row in memory: raw, and what transforms and ridge regression make of it."""
JUDGING_ROW, JUDGING_CELL = 3100, 28
"""Bytes of a row that validates or is held out: of its readouts for each modality, and of each cell as inputs."""
INPUTS = 3  # numbers of the network's inputs for a feature at most: score, unit, flag
STATE_OF_A_ROW = 8  # bytes of every row of the table: what it does
STATE_OF_A_GROUPED_ROW = 32  # with its group's number
SHARE_JUDGING, SHARE_SAMPLE, SHARE_POOL = 0.7, 0.6, 0.17
"""Of the memory beside libraries. Fitting transforms, training and judging follow each other; three pools of training
rows exist at a time."""
MOST_SAMPLED, MOST_HELD = 1_000_000, 200_000
"""Training rows that fit transforms: their quantiles are then within .0014 of those of all rows (95 %, see
``quantile_error``). Held-out rows: the standard error of an information is then some .003 bits."""
FEWEST_SAMPLED, FEWEST_HELD = 5_000, 5_000
POOL_BUCKETS = 4
MOST_BUCKETS = 4096


@dataclass(frozen=True)
class TableSize:
    """Rows of a table, features of its modalities together, modalities, and whether rows have groups."""

    rows: int
    features: int
    modalities: int
    grouped: bool = False

    @property
    def in_memory(self) -> int:
        """Bytes of a process at its peak that fits the table in memory."""
        of_row = CELL * self.features + ROW * (self.modalities + 2)
        return LIBRARIES + self.rows * of_row

    @property
    def state(self) -> int:
        """Bytes that stay while it is streamed: libraries, and what every row does."""
        return LIBRARIES + self.rows * (STATE_OF_A_GROUPED_ROW if self.grouped else STATE_OF_A_ROW)

    @property
    def of_sampled(self) -> float:
        """Free bytes for each row that fits transforms."""
        return SAMPLE_CELL * self.features / SHARE_SAMPLE

    @property
    def of_held(self) -> float:
        """Free bytes for each held-out row; half as many validate."""
        judging = JUDGING_ROW * (self.modalities + 2) + JUDGING_CELL * self.features
        return 1.5 * judging / SHARE_JUDGING

    @property
    def of_pooled(self) -> float:
        """Free bytes for each training row of those that are mixed at a time."""
        return 4 * (INPUTS * self.features + self.modalities + 2) / SHARE_POOL

    @property
    def streamed(self) -> int:
        """Bytes that a process needs at least to stream it."""
        pooled = POOL_BUCKETS * ceil(self.rows / MOST_BUCKETS) * self.of_pooled
        most = max(FEWEST_SAMPLED * self.of_sampled, FEWEST_HELD * self.of_held, pooled)
        return self.state + ceil(most) + 1


@dataclass(frozen=True)
class StreamPlan:
    """Sizes of a streamed fit within ``limit`` bytes, for the whole process.

    ``sampled``: most training rows that fit transforms; ``held``: most held-out rows; half as many validate.
    ``bucket_rows``: expected rows of a file of dealt training rows, ``POOL_BUCKETS`` of which are mixed at a time.
    """

    limit: int
    sampled: int
    held: int
    bucket_rows: int

    @classmethod
    def of(cls, size: TableSize, limit: int) -> Self:
        """The largest sizes that the limit allows. Raises UsageError where it is too small for the table."""
        if limit < size.streamed:
            raise UsageError(
                "usage.memory",
                f"{amount(limit)} of memory are too little for {size.rows:,} rows of {size.features:,} features: "
                f"{amount(size.state)} go to libraries and row numbers; with {FEWEST_HELD:,} rows to judge by, "
                f"{FEWEST_SAMPLED:,} to fit transforms, and 1/{MOST_BUCKETS} of the rows to train on, one after the "
                f"other, {as_option(size.streamed)} are the least to stream it",
                # A small table needs less as a whole.
                f"give --memory {as_option(min(size.streamed, size.in_memory))} or more, or fewer features",
            )
        free = limit - size.state
        sampled = min(MOST_SAMPLED, int(free / size.of_sampled))
        held = min(MOST_HELD, int(free / size.of_held))
        return cls(limit, sampled, held, int(free / size.of_pooled) // POOL_BUCKETS)

    def to_document(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> Self:
        """Inverse of ``to_document``."""
        return cls(**document)


def quantile_error(sampled: int, confidence: float = 0.95) -> float:
    """Largest error of any quantile's rank, in [0, 1], of a random sample of so many rows, at this confidence.

    ``sqrt(ln(2 / (1 - confidence)) / (2 n))`` for any distribution (Dvoretzky, Kiefer and Wolfowitz 1956, with the
    constant of Massart 1990; sampling without replacement errs less).
    """
    return float((log(2 / (1 - confidence)) / (2 * sampled)) ** 0.5)
