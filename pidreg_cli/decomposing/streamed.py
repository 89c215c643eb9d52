"""Informations of rows that stream by: one pass gathers moments of groups of rows, which say everything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pidreg_cli.data.batches import Block, batch_rows, numbered_batches
from pidreg_cli.data.columns import as_floats
from pidreg_cli.data.labels import RowIds
from pidreg_cli.data.preparation.findings import RowProgress
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.data.targets import SeenTarget
from pidreg_cli.data.transforms import TargetTransform
from pidreg_cli.decomposing.per_row import RowBatch
from pidreg_cli.decomposing.readers import WELL_APART, RowReader, Tally
from pidreg_cli.decomposing.request import DecomposeRequest
from pidreg_cli.errors import DataError
from pidreg_cli.information.arrays import Ints
from pidreg_cli.information.debiased import ReadoutSize, moments_jackknife, plugin_correlations
from pidreg_cli.information.features import FeatureLayout
from pidreg_cli.information.grouped_readouts import (
    GroupedReadouts,
    GroupedSums,
    apart_in_each_fit,
    grouped_p_values,
    grouped_readouts,
    rounding_grown,
)
from pidreg_cli.information.intervals import FEWEST_FLIPPED, GROUPS, Jackknife
from pidreg_cli.information.moments import Moments, merged
from pidreg_cli.information.readouts import balanced_folds
from pidreg_cli.reports import evidence as given
from pidreg_cli.threads import ahead
from pidreg_cli.training.seeds import Stream, numpy_generator

Floats = NDArray[np.float64]

FOLDS = 10
NULL_DRAWS = 99
MOST_CELLS = 2**26
"""Numbers in the moments of all groups: half a gigabyte, three times that while readouts are fitted."""
FEWEST_ROWS = 20
"""Of rows with a target: below, readouts and intervals show nothing but chance."""
MOST_GROWN = 30.0
"""By which errors of sums in single precision may be larger in an information: beyond, they would show."""
READING = "reading rows"
DEALT_TOGETHER = 2**20
"""Rows that are dealt into groups at a time."""


class LabelledRows(NamedTuple):
    """Rows of a batch that have a target, by group.

    ``numbers`` (n,) in the table, ``groups`` (n,), ``target`` (n,), and ``rows`` (n, P + 1) as the reader sees them,
    with Y' last, in the precision that was asked for. ``cells``: all rows of the batch, of which these are ``chosen``
    (n,).
    """

    numbers: Ints
    groups: Ints
    target: Floats
    rows: Block
    cells: pa.RecordBatch
    chosen: Ints


class SpareRows:
    """Memory for rows of ``width`` numbers, in double or ``single`` precision, which serves again: of fresh memory the
    system would have to fetch every page, for each batch anew.
    """

    def __init__(self, width: int, *, single: bool = False) -> None:
        self._width, self._single = width, single
        self._free: list[Block] = []

    def array(self, rows: int) -> Block:
        """(rows, width), column by column in memory, to be filled."""
        size = rows * self._width
        whole = self._free.pop() if self._free else self._fresh(size)
        if len(whole) < size:
            whole = self._fresh(size)
        return whole[:size].reshape(self._width, rows).T

    def _fresh(self, size: int) -> Block:
        return np.empty(size, np.float32) if self._single else np.empty(size, np.float64)

    def take_back(self, rows: Block) -> None:
        """What ``array`` gave, which nobody reads any more."""
        whole = rows.base
        if whole is not None:
            self._free.append(whole)


@dataclass(frozen=True)
class LabelledTable:
    """A table whose rows with a target are dealt into groups; ``transform`` makes normal scores of the target.

    ``groups`` (n_rows,): jackknife group of each row, -1 without a target, one byte a row: all that is kept of every
    row. ``folds`` (groups,): fold of each group. ``threads``: with two or more the next batch is read ahead.
    """

    table: ParquetTable
    seen: SeenTarget
    transform: TargetTransform
    groups: NDArray[np.int8]
    folds: Ints
    threads: int

    @classmethod
    def of(
        cls,
        table: ParquetTable,
        seen: SeenTarget,
        transform: TargetTransform,
        labels: NDArray[np.generic] | None,
        seed: int,
        threads: int,
        most: int = GROUPS,
    ) -> LabelledTable:
        """Deal the rows with a target into at most so many groups; ``labels`` (n_rows,) keeps rows together.

        Raises DataError where rows or groups are too few.
        """
        count = int(seen.present.sum())
        if count < FEWEST_ROWS:
            raise DataError(
                "data.too_few_rows",
                f"{count} rows have a target; a decomposition needs {FEWEST_ROWS} or more",
                "add rows",
            )
        groups = np.full(table.rows, -1, np.int8)
        groups[seen.present] = _dealt(count, None if labels is None else labels[seen.present], seed, most)
        several = int(groups.max()) + 1
        return cls(table, seen, transform, groups, np.arange(several) % min(FOLDS, several), threads)

    @property
    def rows(self) -> int:
        """Rows with a target."""
        return int((self.groups >= 0).sum())

    def batches(
        self,
        reader: RowReader,
        progress: RowProgress,
        task: str,
        more: Sequence[str] = (),
        *,
        single: bool = False,
    ) -> Iterator[LabelledRows]:
        """The usable rows of each batch, in double or ``single`` precision; ``more``: columns that their cells have
        beside what the reader needs.

        Numbers of a batch hold until the next is asked for: their memory serves again.
        """
        progress.begin(task, self.table.rows)
        columns = [*reader.columns, self.seen.column, *more]
        # Of numbers of half the size twice as many rows.
        size = batch_rows(-(-reader.layout.width // 2) if single else reader.layout.width)
        spare = SpareRows(reader.layout.width + 1, single=single)
        read = partial(self._read, reader, spare)
        batches = ahead(read, numbered_batches(self.table, columns, size), self.threads)
        with closing(batches):
            for found in batches:
                if len(found.chosen):
                    yield found
                    spare.take_back(found.rows)
                progress.advance(found.cells.num_rows)
        progress.finish()

    def _by_group(self, first: int, count: int) -> Ints:
        """Places of the rows with a target, those of a group side by side: moments are sums over groups."""
        groups = self.groups[first : first + count]
        order = np.argsort(groups, kind="stable")
        return np.asarray(order[int((groups < 0).sum()) :], np.int64)

    def _read(
        self, reader: RowReader, spare: SpareRows, numbered: tuple[int, pa.RecordBatch]
    ) -> LabelledRows:
        first, batch = numbered
        chosen = self._by_group(first, batch.num_rows)
        if not len(chosen):
            return LabelledRows(chosen, chosen, np.empty(0), np.empty((0, 0)), batch, chosen)
        rows = spare.array(len(chosen))
        reader.read(batch, first, chosen, rows)
        target = as_floats(batch.column(self.seen.column))[chosen]
        rows[:, -1] = self.transform.forward(target)
        numbers = first + chosen
        return LabelledRows(numbers, self.groups[numbers].astype(np.int64), target, rows, batch, chosen)


def group_count(width: int) -> int:
    """Groups of rows whose moments are kept: 30, or 10 where those of ``width`` features would fill the memory."""
    return GROUPS if GROUPS * width**2 <= MOST_CELLS else FOLDS


def _dealt(rows: int, labels: NDArray[np.generic] | None, seed: int, most: int) -> NDArray[np.int8]:
    rng = numpy_generator(seed, Stream.GROUPS)
    if labels is None:
        return np.concatenate(list(_dealt_alone(rows, min(most, rows), rng)))
    several = len(np.unique(labels))
    if several < 2:
        raise DataError(
            "data.too_few_groups",
            "All rows with a target are one group; readouts are fitted on some groups and scored on others",
            "give rows of two groups or more, or another --group",
        )
    return balanced_folds(labels, min(most, several), rng).astype(np.int8)


def _dealt_alone(rows: int, groups: int, rng: np.random.Generator) -> Iterator[NDArray[np.int8]]:
    for start in range(0, rows, DEALT_TOGETHER):
        turns = np.arange(start, min(start + DEALT_TOGETHER, rows)) % groups
        yield rng.permutation(turns.astype(np.int8))


@dataclass(frozen=True)
class Streamed:
    """What one pass over the rows gives: facts for the report, readouts to read single rows with, and the moments of
    [features, Y'] of all rows.
    """

    facts: given.InformationFacts
    readouts: GroupedReadouts
    everything: Moments


def streamed_information(
    labelled: LabelledTable,
    reader: RowReader,
    modalities: int,
    request: DecomposeRequest,
    protocol: given.Protocol,
    covariates: tuple[str, ...],
    progress: RowProgress,
) -> Streamed:
    """Informations of every set of modalities, beyond the covariates in the reader's layout if it has some.

    Raises the errors of the reader, and InformationError where rows are too few for the estimator.
    """
    found = _in_single(labelled, reader, modalities, progress) if reader.single else None
    if found is None:
        reader.tally = Tally()
        parts = _sums(labelled, reader, progress, "reading rows again" if reader.single else READING).parts
        found = parts, grouped_readouts(parts, labelled.folds, reader.layout, range(1, 1 << modalities))
    return gathered_information(*found, labelled, reader.layout, modalities, request, protocol, covariates)


def _sums(
    labelled: LabelledTable, reader: RowReader, progress: RowProgress, task: str, *, single: bool = False
) -> GroupedSums:
    """Of [features, Y'] of each group, in one pass; ``single``: rows are read, and multiplied, in single precision."""
    sums = GroupedSums(len(labelled.folds), reader.layout.width + 1)
    with sums.shared(labelled.threads), labelled.table.digests.aside():
        for found in labelled.batches(reader, progress, task, single=single):
            sums.add(found.rows, found.groups)
    return sums


def _in_single(
    labelled: LabelledTable, reader: RowReader, modalities: int, progress: RowProgress
) -> tuple[tuple[Moments, ...], GroupedReadouts] | None:
    """Moments of each group and the readouts of every set by sums in single precision; None where these do not do."""
    sums = _sums(labelled, reader, progress, READING, single=True)
    parts, sizes = sums.parts, sums.sizes[: reader.layout.width]
    if not apart_in_each_fit(parts, labelled.folds, sizes, WELL_APART):
        return None
    readouts = grouped_readouts(parts, labelled.folds, reader.layout, range(1, 1 << modalities))
    return (parts, readouts) if rounding_grown(readouts, sizes, labelled.rows) <= MOST_GROWN else None


def shares_alone(everything: Moments, target: int) -> Floats:
    """R2 (P,) of column ``target`` by each column alone, 0 by one that is constant; from the moments of all rows."""
    squares = np.diag(everything.exact_scatter)
    sizes = squares * squares[target]
    shares: Floats = np.divide(
        everything.scatter[target] ** 2, sizes, out=np.zeros_like(sizes), where=sizes > 0
    )
    return shares


def gathered_information(
    parts: tuple[Moments, ...],
    readouts: GroupedReadouts,
    labelled: LabelledTable,
    layout: FeatureLayout,
    modalities: int,
    request: DecomposeRequest,
    protocol: given.Protocol,
    covariates: tuple[str, ...],
) -> Streamed:
    """The same from the moments of [features, Y'] of each group, and readouts of every set whose first target is Y'."""
    heldout = readouts.jackknife()
    debiased = _debiased(parts, layout, modalities, required=request.estimator == "debiased")
    raw = {"heldout": heldout, "debiased": debiased, "plugin": None}[request.estimator]
    if raw is None:
        raw = moments_jackknife(parts, layout, modalities, debias=False)
    spans = (debiased or heldout) if request.estimator == "heldout" else raw
    tested = list(dict.fromkeys([*(1 << i for i in range(modalities)), (1 << modalities) - 1]))
    rng = numpy_generator(request.seed or 0, Stream.NULL)
    p: list[float] = []
    if len(parts) >= FEWEST_FLIPPED:
        p = grouped_p_values(parts, labelled.folds, layout, tested, NULL_DRAWS, rng).tolist()
    facts = given.InformationFacts(
        estimator=request.estimator,
        interactions=request.interactions or "products",
        protocol=protocol,
        rows=labelled.rows,
        confidence=request.confidence or 0.95,
        raw=raw.estimate,
        jackknife=spans,
        interval_of="readout" if spans is heldout else "information",
        debiased=None if debiased is None else debiased.estimate,
        p_values=dict(zip(tested, p, strict=True)) if p else {},
        rest_correlations=plugin_correlations(merged(parts), layout, modalities)
        if request.estimator == "plugin"
        else readouts.correlations,
        measure=request.measure or "broja",
        seed=request.seed or 0,
        covariates=covariates,
        covariate_information=_of_covariates(parts, labelled.folds, readouts) if covariates else None,
        plugin=ReadoutSize.of(layout, modalities, labelled.rows) if request.estimator == "plugin" else None,
    )
    return Streamed(facts, readouts, merged(parts))


def _debiased(
    parts: tuple[Moments, ...], layout: FeatureLayout, modalities: int, *, required: bool
) -> Jackknife | None:
    """The debiased estimate; None where rows, less a group of them, are too few for it and it is not required."""
    remaining = sum(part.count for part in parts) * (1 - 1 / len(parts))
    enough = remaining >= ReadoutSize.of(layout, modalities, remaining).debiased_rows
    return moments_jackknife(parts, layout, modalities) if required or enough else None


def _of_covariates(parts: tuple[Moments, ...], folds: Ints, readouts: GroupedReadouts) -> float:
    """Information of the covariates alone in bits, at least zero: their cross-fitted errors against the mean's."""
    total = 0.0
    for fold in np.unique(folds):
        mean = merged([part for part, own in zip(parts, folds, strict=True) if own != fold]).mean[-1]
        held = [part for part, own in zip(parts, folds, strict=True) if own == fold]
        total += sum(part.scatter[-1, -1] + part.count * (part.mean[-1] - mean) ** 2 for part in held)
    return max(0.0, float(-0.5 * np.log2(readouts.sums[:, 0, 0].sum() / total)))


def streamed_rows(
    labelled: LabelledTable,
    reader: RowReader,
    readouts: GroupedReadouts,
    ids: RowIds,
    progress: RowProgress,
    threads: int,
) -> Iterator[RowBatch]:
    """Rows with their errors, each predicted by readouts that did not see its fold: a second pass."""
    # Of the threads one reads.
    with threadpool_limits(max(1, threads - 1)):
        for found in labelled.batches(reader, progress, "writing rows", ids.columns):
            rows = np.asarray(found.rows, np.float64)
            predictions = readouts.predictions(rows, found.groups)[:, :, 0]
            errors = np.square(rows[:, -1:] - predictions)
            # Read by group, written in the order of the table.
            order = np.argsort(found.numbers)
            names = ids.read(found.cells.take(pa.array(found.chosen)), found.numbers)
            yield RowBatch(names.take(pa.array(order)), found.target[order], errors[order])
