"""One pass over the encoded rows that learns all that decisions need: counts, ranges, hashes, a sample, the labels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from pidreg_cli.data.arrays import TEST, TRAIN, VALID
from pidreg_cli.data.columns import as_floats, is_list, is_number
from pidreg_cli.data.features import at_row, check_range, list_numbers
from pidreg_cli.data.loading import without_spread
from pidreg_cli.data.naming import listing
from pidreg_cli.data.preparation.dates import is_date
from pidreg_cli.data.preparation.encoders import local_seconds, width_of
from pidreg_cli.data.preparation.findings import RowProgress
from pidreg_cli.data.preparation.hashing import ContentHashes, RowHashes, Words, mixed
from pidreg_cli.data.preparation.recipe import EncodedRows
from pidreg_cli.data.sources.source import rows_per_batch
from pidreg_cli.errors import DataError

Floats = NDArray[np.float64]

# Rows whose contents are compared, and cells of the sample that is searched for leaks (32 MB each).
COMPARED_ROWS = 2**21
SAMPLED_ROWS = 20_000
SAMPLED_CELLS = 2**22
FEWEST_SAMPLED = 200
# A target of fewer distinct values is refused.
ENOUGH_VALUES = 3
PARTS = (TRAIN, VALID, TEST)


@dataclass
class ColumnFacts:
    """Of each numeric output: filled cells, smallest and largest value; ``names`` in order."""

    names: tuple[str, ...]
    filled: NDArray[np.int64] = field(init=False)
    low: Floats = field(init=False)
    high: Floats = field(init=False)

    def __post_init__(self) -> None:
        self.filled = np.zeros(len(self.names), np.int64)
        self.low = np.full(len(self.names), np.inf)
        self.high = np.full(len(self.names), -np.inf)

    def add(self, block: Floats) -> None:
        """Take in rows, shape (n, columns)."""
        if len(block):
            self.filled += np.count_nonzero(~np.isnan(block), axis=0)
            self.low = np.fmin(self.low, np.fmin.reduce(block))
            self.high = np.fmax(self.high, np.fmax.reduce(block))


@dataclass(frozen=True)
class Survey:
    """What the pass found. Rows count from 0.

    ``present`` are rows of each modality with any value; ``sample`` (n, columns) and ``sample_target`` (n,) hold
    the same rows; ``groups`` (integers, rows), ``times`` and ``target`` are there where the split needs them.
    """

    rows: int
    facts: ColumnFacts
    hashes: Words
    present: Mapping[str, int]
    repeated: RowHashes
    sample: Floats
    sample_target: Floats
    missing_targets: int
    groups: NDArray[np.int64] | None
    times: Floats | None
    target: Floats | None
    split: NDArray[np.int8] | None


@dataclass(frozen=True)
class Wanted:
    """Columns of labels that are kept in memory, 8 bytes a row each: of the group, the time, the target.

    ``spread``: whether a target must have three values or more.
    """

    group: str | None = None
    time: str | None = None
    target: bool = False
    spread: bool = True


def survey(encoded: EncodedRows, wanted: Wanted, progress: RowProgress) -> Survey:
    """Read every row once.

    Raises DataError, with column and row, for infinite numbers, lists of unequal length, missing groups or times,
    split values other than train, valid and test, and targets without spread.
    """
    surveyor = _Surveyor(encoded, wanted)
    extra = [] if wanted.time is None else [wanted.time]
    columns = list(dict.fromkeys([*encoded.read_columns, *extra]))
    progress.begin("survey", encoded.source.rows)
    for raw in encoded.source.batches(columns, rows_per_batch(surveyor.width)):
        surveyor.add(raw, encoded.encoded(raw))
        progress.advance(raw.num_rows)
    progress.finish()
    return surveyor.result()


class _Surveyor:
    """The state of the pass."""

    def __init__(self, encoded: EncodedRows, wanted: Wanted) -> None:
        recipe, rows = encoded.recipe, encoded.source.rows
        self.wanted = wanted
        # By output: elements of a list (None: a number), modality, column it is made of.
        self.outputs = {
            output: (width_of(encoder), modality, encoder.column)
            for modality, encoders in recipe.features.items()
            for encoder in encoders
            for output in encoder.outputs
        }
        names = [name for output, (width, _, _) in self.outputs.items() for name in _names(output, width)]
        self.width = len(names)
        self.facts = ColumnFacts(tuple(names))
        self.contents = ContentHashes(self.width)
        self.repeated = RowHashes(COMPARED_ROWS)
        self.present = dict.fromkeys(recipe.features, 0)
        self.sampled = _sampled_rows(rows, self.width)
        self.sample: list[Floats] = []
        self.sample_target: list[Floats] = []
        self.target = _TargetFacts(recipe.singles.get("target"), keep=wanted.target)
        self.labels = _Labels(wanted, recipe.singles.get("split"))
        self.rows = 0

    def add(self, raw: pa.RecordBatch, encoded: pa.RecordBatch) -> None:
        block = self._block(encoded)
        target = self.target.add(raw, self.rows)
        self.labels.add(raw, self.rows)
        self.facts.add(block)
        hashes = self.contents.add(block)
        missing = np.isnan(block)
        self.repeated.add(hashes ^ mixed(target), self.rows, ~np.isnan(target) & ~missing.all(axis=1))
        self._count_present(missing)
        low, high = np.searchsorted(self.sampled, (self.rows, self.rows + len(block)))
        chosen = self.sampled[low:high] - self.rows
        self.sample.append(block[chosen])
        self.sample_target.append(target[chosen])
        self.rows += len(block)

    def _block(self, encoded: pa.RecordBatch) -> Floats:
        """Features of a batch, shape (rows, width), NaN where missing; checked."""
        block = np.empty((encoded.num_rows, self.width))
        place = 0
        for output, (width, _, column) in self.outputs.items():
            cells = encoded.column(output)
            numbers = (
                as_floats(cells)[:, None] if width is None else list_numbers(cells, column, width, self.rows)
            )
            check_range(numbers, column, self.rows)
            block[:, place : place + numbers.shape[1]] = numbers
            place += numbers.shape[1]
        return block

    def _count_present(self, missing: NDArray[np.bool_]) -> None:
        place = 0
        there = {modality: np.zeros(len(missing), np.bool_) for modality in self.present}
        for width, modality, _ in self.outputs.values():
            there[modality] |= ~missing[:, place : place + (width or 1)].all(axis=1)
            place += width or 1
        for modality, rows in there.items():
            self.present[modality] += int(rows.sum())

    def result(self) -> Survey:
        if self.wanted.spread:
            self.target.check()
        return Survey(
            rows=self.rows,
            facts=self.facts,
            hashes=self.contents.columns,
            present=self.present,
            repeated=self.repeated,
            sample=np.concatenate(self.sample),
            sample_target=np.concatenate(self.sample_target),
            missing_targets=self.target.missing,
            groups=self.labels.group_numbers(),
            times=self.labels.time_values(),
            target=self.target.values(),
            split=self.labels.split_codes(),
        )


def _names(output: str, width: int | None) -> list[str]:
    return [output] if width is None else [f"{output}[{place}]" for place in range(width)]


def _sampled_rows(rows: int, width: int) -> NDArray[np.int64]:
    """Rows of the sample, in order: as many as its cells allow. The seed is fixed: findings must not depend on one."""
    size = min(rows, SAMPLED_ROWS, max(FEWEST_SAMPLED, SAMPLED_CELLS // max(1, width)))
    return np.sort(np.random.default_rng(0).choice(rows, size, replace=False))


class _TargetFacts:
    """Missing cells and, as far as three, distinct values of the target."""

    def __init__(self, name: str | None, *, keep: bool) -> None:
        self.name = name
        self.keep = keep
        self.missing = 0
        self._distinct = np.zeros(0)
        self._values: list[Floats] = []

    def add(self, raw: pa.RecordBatch, first_row: int) -> Floats:
        """The target of a batch, NaN where missing or where there is none."""
        if self.name is None or self.name not in raw.schema.names:
            return np.full(raw.num_rows, np.nan)
        target = as_floats(raw.column(self.name))
        check_range(target, self.name, first_row)
        present = target[~np.isnan(target)]
        self.missing += len(target) - len(present)
        if len(self._distinct) < ENOUGH_VALUES:
            self._distinct = np.unique(np.concatenate([self._distinct, present]))[:ENOUGH_VALUES]
        if self.keep:
            self._values.append(target)
        return target

    def check(self) -> None:
        """Raise DataError where the target has fewer than three values."""
        if self.name is not None and len(self._distinct) < ENOUGH_VALUES:
            raise without_spread(self.name, self._distinct)

    def values(self) -> Floats | None:
        """All of it, where it was to be kept."""
        return np.concatenate(self._values) if self.keep else None


class _Labels:
    """Labels of all rows, as far as they are wanted."""

    def __init__(self, wanted: Wanted, split: str | None) -> None:
        self.wanted = wanted
        self.split = split
        self._groups: list[pa.Array] = []
        self._times: list[Floats] = []
        self._split: list[NDArray[np.int8]] = []

    def add(self, raw: pa.RecordBatch, first_row: int) -> None:
        """Take in a batch. Raises DataError for a missing or wrong label."""
        if self.wanted.group is not None:
            self._groups.append(_complete(raw, self.wanted.group, "group", first_row))
        if self.wanted.time is not None:
            self._times.append(_times(_complete(raw, self.wanted.time, "time", first_row), self.wanted.time))
        if self.split is not None:
            self._split.append(_parts(_complete(raw, self.split, "split", first_row), self.split, first_row))

    def group_numbers(self) -> NDArray[np.int64] | None:
        """A number for each group, shape (rows,)."""
        if self.wanted.group is None:
            return None
        whole = pa.chunked_array(self._groups).combine_chunks()
        return np.asarray(whole.dictionary_encode().indices.to_numpy(zero_copy_only=False), np.int64)

    def time_values(self) -> Floats | None:
        """Points in time in seconds, or the numbers of the time column, shape (rows,)."""
        return None if self.wanted.time is None else np.concatenate(self._times)

    def split_codes(self) -> NDArray[np.int8] | None:
        """Places in ``PARTS``, shape (rows,)."""
        return None if self.split is None else np.concatenate(self._split)


def _complete(raw: pa.RecordBatch, name: str, role: str, first_row: int) -> pa.Array:
    cells = raw.column(name)
    missing = np.asarray(cells.is_null(nan_is_null=True).to_numpy(zero_copy_only=False))
    if missing.any():
        raise DataError(
            f"data.missing_{role}",
            f"Column {name!r}, the {role}, is missing in {at_row(first_row + int(missing.argmax()))}; every row "
            "must have one.",
            "Fill it, or leave these rows out.",
        )
    if is_list(cells.type) or pa.types.is_nested(cells.type):
        raise DataError(
            "data.role_type",
            f"Column {name!r}, the {role}, holds {cells.type}; it must hold numbers or texts.",
            f"Choose another column as the {role}.",
        )
    return cells


def _times(cells: pa.Array, name: str) -> Floats:
    if is_date(cells.type):
        return local_seconds(cells).astype(np.float64)
    if is_number(cells.type):
        return as_floats(cells)
    raise DataError(
        "data.time_type",
        f"Column {name!r}, the time, holds {cells.type}; it must hold dates or numbers.",
        f"Have it read as dates, as in --date {name}.",
    )


def _parts(cells: pa.Array, name: str, first_row: int) -> NDArray[np.int8]:
    codes = pc.index_in(pc.cast(cells, pa.string()), value_set=pa.array(PARTS))
    if codes.null_count:
        row = int(codes.is_null().to_numpy(zero_copy_only=False).argmax())
        raise DataError(
            "data.split_value",
            f"The split column {name!r} holds {str(cells[row].as_py())!r} in {at_row(first_row + row)}; the values "
            f"must be {listing(PARTS)}.",
            "Rename the values, name the right column with --split-column, or have rows split anew with --split.",
        )
    return np.asarray(codes.to_numpy(zero_copy_only=False), np.int8)
