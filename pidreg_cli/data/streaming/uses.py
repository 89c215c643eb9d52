"""What each row of a table does in a streamed fit, in a byte a row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.arrays import TEST, TRAIN, VALID
from pidreg_cli.data.batches import MOST_ROWS, numbered_batches
from pidreg_cli.data.labels import batch_labels
from pidreg_cli.data.loading import check_split_values
from pidreg_cli.data.splits import PARTS, Parts, part_numbers
from pidreg_cli.data.tables import ParquetTable

UNUSED, TRAINING, SAMPLED, VALIDATING, HELD = range(5)
"""No target, or a judge beyond the sample; trains; trains and is in the sample too; validates; is held out."""
JUDGES = {VALIDATING: VALID, HELD: TEST}
BLOCK = 2**20


@dataclass(frozen=True)
class RowUses:
    """``use`` (n_rows,): one of the constants above; ``counts``: of all rows with a target, by part.

    ``positions``: of the rows that are kept in memory among those with a target.
    """

    use: NDArray[np.int8]
    counts: dict[str, int]
    positions: NDArray[np.intp]

    @classmethod
    def of(
        cls, parts: Parts, present: NDArray[np.bool_], most: dict[str, int], rng: np.random.Generator
    ) -> RowUses:
        """``parts`` (m,): of the rows with a target, which ``present`` (n_rows,) marks; ``most``: kept of each part."""
        counts = dict(zip(PARTS, np.bincount(parts, minlength=len(PARTS)).tolist(), strict=True))
        use = np.zeros(len(present), np.int8)
        found = np.zeros(len(parts), np.int8)
        for part, chosen, others in (
            (TRAIN, SAMPLED, TRAINING),
            (VALID, VALIDATING, UNUSED),
            (TEST, HELD, UNUSED),
        ):
            members = parts == PARTS.index(part)
            found[members] = np.where(sample_mask(counts[part], most[part], rng), chosen, others)
        use[present] = found
        return cls(use, counts, np.flatnonzero(found >= SAMPLED))


def sample_mask(rows: int, most: int, rng: np.random.Generator) -> NDArray[np.bool_]:
    """A uniformly random choice of ``most`` of ``rows`` rows, or all, as a mask (rows,): a byte a row.

    How many fall into each block of rows is drawn first, then which.
    """
    if rows <= most:
        return np.ones(rows, np.bool_)
    mask = np.zeros(rows, np.bool_)
    wanted = most
    for start in range(0, rows, BLOCK):
        size, after = min(BLOCK, rows - start), max(0, rows - start - BLOCK)
        here = int(rng.hypergeometric(size, after, wanted)) if after else wanted
        mask[start + rng.choice(size, here, replace=False)] = True
        wanted -= here
    return mask


def read_parts(table: ParquetTable, column: str) -> Parts:
    """Part of each row by its number in ``PARTS``, (n_rows,). Raises DataError for other values and missing ones."""
    parts = np.empty(table.rows, np.int8)
    for first, batch in numbered_batches(table, [column], MOST_ROWS):
        labels = batch_labels(batch.column(0), column, "split", first).astype(str)
        check_split_values(labels, column, first)
        parts[first : first + len(labels)] = part_numbers(labels)
    return parts


def read_groups(table: ParquetTable, column: str) -> NDArray[np.int64]:
    """Number of each row's group in the order of the labels, (n_rows,). Raises DataError where one is missing."""
    numbers, known = np.empty(table.rows, np.int64), dict[object, int]()
    for first, batch in numbered_batches(table, [column], MOST_ROWS):
        labels = batch_labels(batch.column(0), column, "group", first)
        distinct, inverse = np.unique(labels, return_inverse=True)
        seen = [known.setdefault(label, len(known)) for label in distinct.tolist()]
        numbers[first : first + len(labels)] = np.array(seen)[inverse]
    # Until now in the order in which labels were first seen.
    places = np.empty(len(known), np.int64)
    places[np.argsort(np.array(list(known)), kind="stable")] = np.arange(len(places))
    return places[numbers]
