"""From batches of a table to the features of readouts: those of the table itself, or what a model reads in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement, product
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pidreg_cli.data.batches import (
    Block,
    BlockReader,
    batch_rows,
    complete,
    numbered_batches,
)
from pidreg_cli.data.columns import as_floats
from pidreg_cli.data.covariates import Covariates
from pidreg_cli.data.leaks import straight_lines
from pidreg_cli.data.row_marks import nth_present, spread_rows
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.data.targets import SeenTarget
from pidreg_cli.errors import DataError
from pidreg_cli.information.arrays import Ints
from pidreg_cli.information.features import GIVEN, FeatureLayout, Interactions, laid_out
from pidreg_cli.information.moments import Moments

Floats = NDArray[np.float64]

SAMPLE_ROWS = 20_000
"""Rows that fix what features are measured by and in which directions they are multiplied, in which the target has no
say but that these are rows that have one, and that show copies of it.
"""
SCORES = {1: 6, 2: 5, 3: 4, 4: 3, 5: 2, 6: 2}
"""Leading scores of each modality whose products are read, by the number of modalities: some 80 products in all.
One each beyond."""
WIDEST = 1024
"""Features of all modalities together that are read one by one; a modality with more than its even share of them
(embeddings, spectra) is read as so many principal components: moments grow with the square of their number."""
MANY_ROWS = 200_000
"""From which single precision is worth its trouble."""
WELL_APART = 1e-3
"""About the least eigenvalue of the features' correlations with which sums in single precision do: these are off by
1e-8 to 1e-5, the most where values are tied, as their products are then rounded alike.
"""
APART_ROWS = 5000
"""Of the sample, that show whether they are."""
WILD = 8.0
"""Standard deviations at which a feature ends: a wild cell must not outweigh all others, least of all squared."""


@dataclass
class Tally:
    """Cells and rows of each modality that were read, and how many of them are missing."""

    rows: int = 0
    cells: dict[str, int] = field(default_factory=dict)
    missing: dict[str, int] = field(default_factory=dict)
    absent: dict[str, int] = field(default_factory=dict)

    def add(self, blocks: Mapping[str, Block]) -> None:
        """More rows."""
        self.rows += len(next(iter(blocks.values())))
        for name, block in blocks.items():
            missing, absent = (0, 0) if complete(block) else _missing(block)
            found = (block.size, missing, absent)
            for counts, more in zip((self.cells, self.missing, self.absent), found, strict=True):
                counts[name] = counts.get(name, 0) + more


def _missing(block: Block) -> tuple[int, int]:
    """Missing cells, and rows of nothing else."""
    empty = np.isnan(block)
    return int(empty.sum()), int(empty.all(axis=1).sum())


class RowReader(Protocol):
    """Reads rows as features of readouts."""

    layout: FeatureLayout
    columns: list[str]
    tally: Tally
    single: bool
    """Whether single precision is worth a try for sums of these features: many rows, and none about a sum of others."""

    def read(self, batch: pa.RecordBatch, first: int, chosen: Ints, rows: Block) -> None:
        """Write rows ``chosen`` (n,) of a batch into ``rows`` (n, P + 1): features, before the column of the target.

        ``first``: number in the table of the batch's first row.
        """


@dataclass(frozen=True)
class Measuring:
    """How one modality's features become columns: standardised, flags of missing cells, products of leading scores.

    ``directions`` (p, k): of the scores, orthonormal. ``components`` (p, q): of what is read instead of p features,
    None where these are read themselves.
    """

    mean: Floats
    sd: Floats
    flagged: NDArray[np.intp]
    directions: Floats
    components: Floats | None

    @classmethod
    def fit(cls, block: Floats, most: int, widest: int) -> Measuring:
        """From a sample of rows (n, p): the directions in which it varies most; every feature where there are few."""
        missing = np.isnan(block)
        present = np.maximum((~missing).sum(axis=0), 1)
        filled = np.where(missing, 0.0, block)
        mean = filled.sum(axis=0) / present
        centred = np.where(missing, 0.0, block - mean)
        sd = np.sqrt((centred**2).sum(axis=0) / present)
        # A feature constant in the sample may vary elsewhere.
        sd = np.where(sd > 0.0, sd, 1.0)
        standard = np.clip(centred / sd, -WILD, WILD)
        wide = block.shape[1] > widest
        leading = _directions(standard, widest if wide else most)
        # Of many features one flag says that cells are missing.
        flagged = np.asarray(missing.any(axis=0))
        flags = np.flatnonzero(flagged)[: 1 if wide else None]
        return cls(mean, sd, flags, leading[:, :most] if wide else leading, leading if wide else None)

    @property
    def features(self) -> int:
        """Columns of the modality's own block."""
        own = len(self.mean) if self.components is None else self.components.shape[1]
        return own + len(self.flagged)

    def apply(self, block: Block, own: Block) -> Block:
        """Write standardised features and flags into ``own`` (n, features); the scores (n, k), in the precision of
        ``own``. Spends ``block``.
        """
        whole = complete(block)
        features = own.shape[1] - len(self.flagged)
        here = own[:, :features] if self.components is None and own.dtype == block.dtype else block
        # In place: a batch is large, and fresh memory costs more than what is computed in it.
        standard = np.subtract(block, self.mean.astype(block.dtype), out=here)
        standard /= self.sd.astype(block.dtype)
        np.clip(standard, -WILD, WILD, out=standard)
        if not whole:
            missing = np.isnan(standard)
            standard[missing] = 0.0
            own[:, features:] = self._flags(missing)
        else:
            own[:, features:] = 0.0
        if here is block:
            own[:, :features] = standard if self.components is None else standard @ self.components
        # Column by column in memory: scores are multiplied by pairs.
        scores: Block = (self.directions.astype(block.dtype).T @ standard.T).astype(own.dtype, copy=False).T
        return scores

    def _flags(self, missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        if self.components is None:
            return missing[:, self.flagged]
        return np.asarray(missing.any(axis=1))[:, None][:, : len(self.flagged)]


def _directions(standard: Floats, most: int) -> Floats:
    rows, features = standard.shape
    if features <= most:
        return np.eye(features)
    if rows < features:
        leading = np.linalg.svd(standard, full_matrices=False)[2][:most].T
    else:
        leading = np.linalg.eigh(standard.T @ standard)[1][:, ::-1][:, :most]
    most = leading.shape[1]
    # Signs are the library's choice; products of scores do not depend on them, per-row files should not either.
    return np.asarray(leading * np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(most)]))


class FeatureReader:
    """The features of a table: straight lines, and products of the leading scores of each modality.

    ``tally`` counts what was read. ``straight``: R2 of the target's values by each feature that is read one by one, by
    its modality and name, in the rows that are looked at first. Raises DataError for a modality without any value.
    """

    def __init__(
        self,
        table: ParquetTable,
        modalities: Mapping[str, Sequence[str]],
        seen: SeenTarget,
        interactions: Interactions,
        covariates: Covariates,
        *,
        single: bool = False,
    ) -> None:
        """``single``: see whether single precision is worth a try."""
        self._reader = BlockReader.of(table, modalities)
        self._covariates = covariates
        self.columns = [*self._reader.columns, *covariates.columns]
        self.names = self._reader.names
        self.tally = Tally()
        most = SCORES.get(len(modalities), 1) if interactions == "products" else 0
        widest = WIDEST // len(modalities)
        sample, outcome = self._sample(table, seen)
        self._measures = [Measuring.fit(block, most, widest) for block in sample.values()]
        self.straight = {
            (name, feature): float(share)
            for name, features in self.single_features.items()
            if features
            for feature, share in zip(features, straight_lines(sample[name], outcome), strict=True)
        }
        self.layout = self._layout()
        kept = [table.kept.get(column) for column in self.columns]
        many = single and table.rows >= MANY_ROWS and not covariates.parts
        rounded = all(cells is not None and cells.type == pa.float32() for cells in kept)
        self.single = many and rounded and self._well_apart(sample)

    @property
    def single_features(self) -> dict[str, tuple[str, ...]]:
        """Features that are read one by one, in the order of the layout; none of a modality read by components."""
        found = zip(self.names.items(), self._measures, strict=True)
        return {name: () if one.components is not None else columns for (name, columns), one in found}

    def _sample(self, table: ParquetTable, seen: SeenTarget) -> tuple[dict[str, Floats], Floats]:
        """Features of each modality, and the target, in rows that have one, spread over the table."""
        count = int(np.count_nonzero(seen.present))
        chosen = nth_present(seen.present, spread_rows(count, SAMPLE_ROWS))
        parts: dict[str, list[Floats]] = {name: [] for name in self._reader.modalities}
        outcome: list[Floats] = []
        wanted = [*self._reader.columns, seen.column]
        # Columns in memory are not copied: one batch of them is what little of it is taken.
        size = (
            table.rows if table.kept.keys() >= set(wanted) else batch_rows(sum(map(len, self.names.values())))
        )
        for first, batch in numbered_batches(table, wanted, size):
            inside = chosen[(chosen >= first) & (chosen < first + batch.num_rows)] - first
            outcome.append(as_floats(batch.column(seen.column))[inside])
            for name, block in self._reader.some(batch, first, inside).items():
                parts[name].append(block)
        sample = {name: np.vstack(blocks) for name, blocks in parts.items()}
        for name, block in sample.items():
            if len(block) == count and np.isnan(block).all():
                raise empty_modality(name)
        return sample, np.concatenate(outcome)

    def _layout(self) -> FeatureLayout:
        widths = {("code", i, i): one.features for i, one in enumerate(self._measures)}
        scores = [one.directions.shape[1] for one in self._measures]
        for i, j in combinations_with_replacement(range(len(scores)), 2):
            widths["product", i, j] = scores[i] * (scores[i] + 1) // 2 if i == j else scores[i] * scores[j]
        if self._covariates.parts:
            widths[GIVEN] = self._covariates.width
        return laid_out(widths)

    def _well_apart(self, sample: Mapping[str, Floats]) -> bool:
        """Whether no feature is about a sum of others."""
        some = {name: block[:: -(-len(block) // APART_ROWS)] for name, block in sample.items()}
        rows = np.empty((len(next(iter(some.values()))), self.layout.width), order="F")
        self._write({name: block.copy() for name, block in some.items()}, rows)
        return Moments.of(rows).apart(np.sqrt(np.square(rows).mean(axis=0)), WELL_APART)

    def read(self, batch: pa.RecordBatch, first: int, chosen: Ints, rows: Block) -> None:
        """As ``RowReader``."""
        blocks = self._reader.blocks(batch, first, chosen)
        self.tally.add(blocks)
        self._write(blocks, rows)
        if self._covariates.parts:
            self._place(rows, GIVEN)[:] = self._covariates.apply(batch, first)[chosen]

    def _write(self, blocks: Mapping[str, Block], rows: Block) -> None:
        """Features and products of the modalities; spends the blocks."""
        scores = [
            one.apply(block, self._place(rows, ("code", i, i)))
            for i, (one, block) in enumerate(zip(self._measures, blocks.values(), strict=True))
        ]
        for i, j in combinations_with_replacement(range(len(scores)), 2):
            _multiply(scores[i], scores[j], self._place(rows, ("product", i, j)), same=i == j)

    def _place(self, rows: Block, key: tuple[str, int, int]) -> Block:
        place = self.layout.slices[key]
        return rows[:, place.start : place.stop]


def _multiply(one: Block, other: Block, products: Block, *, same: bool) -> None:
    """Products of every score of one with every score of the other; of one with itself each pair once."""
    pairs = product(range(one.shape[1]), range(other.shape[1]))
    kept = [(i, j) for i, j in pairs if i <= j or not same]
    for place, (i, j) in enumerate(kept):
        np.multiply(one[:, i], other[:, j], out=products[:, place])


def empty_modality(name: str) -> DataError:
    """The error for a modality without any value where there is a target."""
    return DataError(
        "data.empty_modality",
        f"Every cell of modality {name!r} is missing in the rows that have a target.",
        "Leave the modality out, or fill its columns.",
    )
