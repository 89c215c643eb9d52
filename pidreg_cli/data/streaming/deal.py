"""One pass over a table: training rows to files, a sample of every part to memory, exact facts of the columns."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pidreg_cli.data.arrays import TRAIN, Floats, MultimodalArrays
from pidreg_cli.data.batches import Block, BlockReader, batch_rows, numbered_batches
from pidreg_cli.data.columns import as_floats, is_list
from pidreg_cli.data.labels import RowIds
from pidreg_cli.data.loading import empty_modality
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.streaming.buckets import TARGET, Buckets, BucketWriter, check_space
from pidreg_cli.data.streaming.column_facts import ColumnFacts
from pidreg_cli.data.streaming.plan import INPUTS, StreamPlan
from pidreg_cli.data.streaming.uses import JUDGES, SAMPLED, TRAINING, RowUses
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.data.targets import KeptValues


@dataclass(frozen=True)
class DealtTable:
    """A table whose training rows lie in ``buckets``.

    ``sample``: the rows in memory, in the order of the table, ``split`` saying which of them train, validate and are
    held out; ``positions`` (n,): of these among the rows with a target. ``counts``: rows with a target, by part.
    ``facts``: of each modality's columns. ``targets``: of training rows, a million at most.
    """

    sample: MultimodalArrays
    positions: NDArray[np.intp]
    rows: int
    counts: Mapping[str, int]
    facts: Mapping[str, ColumnFacts]
    targets: Floats
    buckets: Buckets


class Source(NamedTuple):
    """What is read: a table, its roles, what its rows do, and numbers of their groups (n_rows,) if they have some."""

    table: ParquetTable
    roles: Roles
    uses: RowUses
    groups: NDArray[np.int64] | None


def deal_table(source: Source, plan: StreamPlan, folder: Path, rng: np.random.Generator) -> DealtTable:
    """Read the table once. ``folder``: an empty one for the files.

    Raises DataError as ``load_arrays`` of features, and OutputError where the disk is too small.
    """
    table, roles, uses, groups = source
    reader, ids = BlockReader.of(table, roles.modalities), RowIds.of(table, roles.id)
    rows, width = uses.counts[TRAIN], sum(map(len, reader.names.values()))
    numbers = max(width + TARGET, INPUTS * width + len(reader.names) + TARGET)
    check_space(folder, 4 * numbers * rows, shutil.disk_usage(folder).free)
    writer = BucketWriter(folder, -(-rows // plan.bucket_rows), width, rng)
    dealing = _Dealing(reader.names, len(uses.positions), writer)
    for first, batch in numbered_batches(
        table, [*reader.columns, roles.target, *ids.columns], batch_rows(width)
    ):
        dealing.add(
            first,
            reader.blocks(batch, first),
            as_floats(batch.column(roles.target)),
            ids.read(batch, np.arange(first, first + batch.num_rows)).to_numpy(zero_copy_only=False),
            uses.use[first : first + batch.num_rows],
        )
    _check_present(dealing.facts)
    # What reading took is needed for training.
    pa.default_memory_pool().release_unused()
    kept = np.flatnonzero(uses.use >= SAMPLED)
    lists = frozenset(
        name
        for name, columns in roles.modalities.items()
        if all(is_list(table.schema.field(column).type) for column in columns)
    )
    sample = MultimodalArrays(
        dealing.features,
        reader.names,
        dealing.target,
        np.concatenate(dealing.ids),
        None if groups is None else groups[kept],
        np.select([uses.use[kept] == judge for judge in JUDGES], list(JUDGES.values()), TRAIN),
        lists,
    )
    found = dealing.facts, dealing.targets.values, writer.finished()
    return DealtTable(sample, uses.positions, table.rows, uses.counts, *found)


class _Dealing:
    """What has become of the rows so far; those of the sample are filled in, in the order of the table."""

    def __init__(self, names: Mapping[str, tuple[str, ...]], rows: int, writer: BucketWriter) -> None:
        self.facts = {name: ColumnFacts(columns) for name, columns in names.items()}
        self.features = {name: np.empty((rows, len(columns)), np.float32) for name, columns in names.items()}
        self.target = np.empty(rows)
        self.ids: list[NDArray[np.generic]] = []
        self.targets = KeptValues()
        self._writer, self._filled = writer, 0

    def add(
        self,
        first: int,
        blocks: Mapping[str, Block],
        target: Floats,
        ids: NDArray[np.generic],
        use: NDArray[np.int8],
    ) -> None:
        """Rows of a batch, whose first is ``first`` of the table."""
        training, present = (use == TRAINING) | (use == SAMPLED), ~np.isnan(target)
        for name, block in blocks.items():
            self.facts[name].update(block if present.all() else block[present], training[present])
        trains = np.flatnonzero(training)
        self._writer.add([block[trains] for block in blocks.values()], target[trains])
        self.targets.add(target[trains], first + trains)
        self._keep(blocks, target, ids, np.flatnonzero(use >= SAMPLED))

    def _keep(
        self, blocks: Mapping[str, Block], target: Floats, ids: NDArray[np.generic], chosen: NDArray[np.intp]
    ) -> None:
        place = slice(self._filled, self._filled + len(chosen))
        for name, block in blocks.items():
            self.features[name][place] = block[chosen]
        self.target[place] = target[chosen]
        self.ids.append(ids[chosen])
        self._filled = place.stop


def _check_present(facts: Mapping[str, ColumnFacts]) -> None:
    for name, found in facts.items():
        if found.missing == found.rows * len(found.columns):
            raise empty_modality(name, found.columns)
