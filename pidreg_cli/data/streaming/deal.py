"""One pass over a table: training rows to files, a sample of every part to memory, exact facts of the columns."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pidreg_cli.data.arrays import TRAIN, Floats, MultimodalArrays
from pidreg_cli.data.batches import MOST_ROWS, Block, BlockReader, batch_rows, numbered_batches
from pidreg_cli.data.columns import as_floats, is_list
from pidreg_cli.data.labels import RowIds
from pidreg_cli.data.loading import empty_modality
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.streaming.buckets import TARGET, Buckets, BucketWriter, check_space
from pidreg_cli.data.streaming.column_facts import ColumnFacts
from pidreg_cli.data.streaming.plan import INPUTS, StreamPlan
from pidreg_cli.data.streaming.sharing import ALONE, Arrays, Sharing
from pidreg_cli.data.streaming.uses import JUDGES, SAMPLED, TRAINING, RowUses
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.data.targets import KeptValues


@dataclass(frozen=True)
class DealtTable:
    """A table whose training rows lie in ``buckets``.

    ``sample``: the rows in memory, in the order of the table, ``split`` saying which of them train, validate and are
    held out; ``positions`` (n,): of these among the rows with a target. ``counts``: rows with a target, by part.
    ``facts``: of each modality's columns. ``targets``: of training rows, a million at most. ``sharing``: with which
    processes the files are shared.
    """

    sample: MultimodalArrays
    positions: NDArray[np.intp]
    rows: int
    counts: Mapping[str, int]
    facts: Mapping[str, ColumnFacts]
    targets: Floats
    buckets: Buckets
    sharing: Sharing = ALONE


class Source(NamedTuple):
    """What is read: a table, its roles, what its rows do, and numbers of their groups (n_rows,) if they have some."""

    table: ParquetTable
    roles: Roles
    uses: RowUses
    groups: NDArray[np.int64] | None


def deal_table(
    source: Source, plan: StreamPlan, folder: Path, key: int, sharing: Sharing = ALONE
) -> DealtTable:
    """Read the table once. ``folder``: an empty one for the files, of all processes that share the table; ``key``: of
    the deal.

    Raises DataError as ``load_arrays`` of features, and OutputError where the disk is too small.
    """
    table, roles, uses, groups = source
    reader = BlockReader.of(table, roles.modalities)
    rows, width = uses.counts[TRAIN], sum(map(len, reader.names.values()))
    if not sharing.number:
        numbers = max(width + TARGET, INPUTS * width + len(reader.names) + TARGET)
        check_space(folder, 4 * numbers * rows, shutil.disk_usage(folder).free)
    writer = BucketWriter(folder, -(-rows // plan.bucket_rows), width, key, sharing.number)
    dealing = _Dealing(reader.names, uses.use, writer)
    columns, share = [*reader.columns, roles.target], (sharing.number, sharing.of)
    for first, batch in numbered_batches(table, columns, batch_rows(width), share):
        dealing.add(first, reader.blocks(batch, first), as_floats(batch.column(roles.target)))
    sizes = dealing.join(sharing, folder)
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
        _ids(table, roles.id, kept),
        None if groups is None else groups[kept],
        np.select([uses.use[kept] == judge for judge in JUDGES], list(JUDGES.values()), TRAIN),
        lists,
    )
    found = dealing.facts, dealing.targets.values, writer.finished(sizes), sharing
    return DealtTable(sample, uses.positions, table.rows, uses.counts, *found)


def _ids(table: ParquetTable, column: str | None, kept: NDArray[np.intp]) -> NDArray[np.generic]:
    """Ids of the kept rows, numbers of rows without a column."""
    if column is None:
        return kept
    ids, found = RowIds.of(table, column), []
    for first, batch in numbered_batches(table, [column], MOST_ROWS):
        start, stop = np.searchsorted(kept, (first, first + batch.num_rows))
        numbers = np.arange(first, first + batch.num_rows)
        found.append(ids.read(batch, numbers).to_numpy(zero_copy_only=False)[kept[start:stop] - first])
    return np.concatenate(found)


class _Dealing:
    """What has become of the rows so far; those of the sample are filled in, in the order of the table.

    ``use`` (n_rows,): what each row does.
    """

    def __init__(
        self, names: Mapping[str, tuple[str, ...]], use: NDArray[np.int8], writer: BucketWriter
    ) -> None:
        self._use, self._writer = use, writer
        rows = int((use >= SAMPLED).sum())
        self.facts = {name: ColumnFacts(columns) for name, columns in names.items()}
        self.features = {name: np.empty((rows, len(columns)), np.float32) for name, columns in names.items()}
        self.target = np.empty(rows)
        self.targets = KeptValues()
        self._filled = slice(0, 0)

    def add(self, first: int, blocks: Mapping[str, Block], target: Floats) -> None:
        """Rows of a batch, whose first is ``first`` of the table."""
        use = self._use[first : first + len(target)]
        training, present = (use == TRAINING) | (use == SAMPLED), ~np.isnan(target)
        for name, block in blocks.items():
            self.facts[name].update(block if present.all() else block[present], training[present])
        trains = np.flatnonzero(training)
        self._writer.add([block[trains] for block in blocks.values()], target[trains], first + trains)
        self.targets.add(target[trains], first + trains)
        self._keep(first, blocks, target, np.flatnonzero(use >= SAMPLED))

    def _keep(
        self, first: int, blocks: Mapping[str, Block], target: Floats, chosen: NDArray[np.intp]
    ) -> None:
        if not self._filled.stop:
            # Where the own rows begin.
            begin = int((self._use[:first] >= SAMPLED).sum())
            self._filled = slice(begin, begin)
        place = slice(self._filled.stop, self._filled.stop + len(chosen))
        for name, block in blocks.items():
            self.features[name][place] = block[chosen]
        self.target[place] = target[chosen]
        self._filled = slice(self._filled.start, place.stop)

    def join(self, sharing: Sharing, folder: Path) -> list[NDArray[np.int64]]:
        """What the others found and filled in, too; rows of each bucket that each of them dealt."""
        sizes: list[NDArray[np.int64]] = []
        for number, arrays in enumerate(sharing.told(folder, self._to_arrays())):
            targets = KeptValues.from_arrays(_part(arrays, "targets"))
            parts = [_part(arrays, f"facts {i}") for i in range(len(self.facts))]
            facts = [*map(ColumnFacts.from_arrays, self._columns, parts)]
            if sizes:
                self.targets.join(targets)
                for own, other in zip(self.facts.values(), facts, strict=True):
                    own.join(other)
            else:  # in the order of the rows, the own ones when it is their turn
                self.targets, self.facts = targets, dict(zip(self.facts, facts, strict=True))
            if number != sharing.number:
                self._fill(arrays)
            sizes.append(arrays["sizes"])
        return sizes

    @property
    def _columns(self) -> list[tuple[str, ...]]:
        return [one.columns for one in self.facts.values()]

    def _fill(self, arrays: Arrays) -> None:
        """Rows of the sample that another read."""
        begin = int(arrays["begin"])
        place = slice(begin, begin + len(arrays["target"]))
        self.target[place] = arrays["target"]
        for i, block in enumerate(self.features.values()):
            block[place] = arrays[f"features {i}"]

    def _to_arrays(self) -> dict[str, NDArray[Any]]:
        own: dict[str, NDArray[Any]] = {"sizes": self._writer.sizes}
        own |= {"target": self.target[self._filled], "begin": np.array(self._filled.start)}
        own |= {f"targets.{name}": array for name, array in self.targets.to_arrays().items()}
        for i, (name, facts) in enumerate(self.facts.items()):
            own[f"features {i}"] = self.features[name][self._filled]
            own |= {f"facts {i}.{key}": array for key, array in facts.to_arrays().items()}
        return own


def _part(arrays: Arrays, name: str) -> dict[str, NDArray[Any]]:
    """Those called ``NAME.KEY``, by key."""
    start = f"{name}."
    return {key.removeprefix(start): array for key, array in arrays.items() if key.startswith(start)}


def _check_present(facts: Mapping[str, ColumnFacts]) -> None:
    for name, found in facts.items():
        if found.missing == found.rows * len(found.columns):
            raise empty_modality(name, found.columns)
