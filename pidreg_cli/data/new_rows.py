"""New rows for a fitted model: any table that has its columns, batch by batch; whole modalities may be absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.batches import BlockReader
from pidreg_cli.data.columns import Floats, as_floats, is_feature, is_list, is_number
from pidreg_cli.data.features import at_row, check_range
from pidreg_cli.data.modalities import unknown_column
from pidreg_cli.data.naming import listing, nearest
from pidreg_cli.data.sources.source import Source, rebatched
from pidreg_cli.errors import DataError

Columns = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class RowBatch:
    """Rows of a batch: the cells of ``ids``, features with NaN where missing, and the target, NaN where unknown."""

    ids: pa.Array
    arrays: MultimodalArrays


@dataclass(frozen=True)
class NewRows:
    """Rows of ``source`` as a model reads them.

    ``modalities``: columns of each modality, ``features``: its feature names, one or more of a column.
    ``absent``: modalities of which the table has no column, or that are not asked for. ``target``, ``id``: columns,
    None where the table has none.
    """

    source: Source
    modalities: Columns
    features: Mapping[str, tuple[str, ...]]
    absent: frozenset[str]
    target: str | None
    id: str | None

    @classmethod
    def of(
        cls,
        source: Source,
        modalities: Columns,
        features: Mapping[str, tuple[str, ...]],
        target: str | None,
        identifier: str | None,
        used: Sequence[str],
    ) -> NewRows:
        """Check what the table has of the modalities that are ``used``.

        Raises DataError where it has none of them, where a modality has some of its columns but not all, or one that
        holds something else.
        """
        kinds = dict(zip(source.schema.names, source.schema.types, strict=True))
        read = {name: columns for name, columns in modalities.items() if name in used}
        absent = {name for name, columns in read.items() if not any(column in kinds for column in columns)}
        found = {name: tuple(columns) for name, columns in read.items() if name not in absent}
        if not found:
            raise _another_table(source, read)
        _check_complete(found, kinds)
        _check_numbers(found, source, kinds)
        _check_widths(found, features, kinds)
        missing = frozenset(name for name in modalities if name not in found)
        source = source.with_texts({identifier} & source.codes) if identifier else source
        return cls(source, modalities, features, missing, target, identifier)

    @property
    def present(self) -> dict[str, Sequence[str]]:
        """Columns of the modalities that are read."""
        return {name: columns for name, columns in self.modalities.items() if name not in self.absent}

    def batches(self, rows: int) -> Iterator[RowBatch]:
        """The rows in order, exactly ``rows`` at a time but for the last. Raises DataError with column and row."""
        reader = BlockReader(self.present, self._widths(), single=True)
        named = [name for name in (self.id, self.target) if name is not None]
        columns = list(dict.fromkeys([*reader.columns, *named]))
        first = 0
        for batch in rebatched(self.source.batches(columns, rows), rows):
            yield self._batch(batch, reader, first)
            first += batch.num_rows

    def _batch(self, batch: pa.RecordBatch, reader: BlockReader, first: int) -> RowBatch:
        numbers = np.arange(first, first + batch.num_rows)
        blocks = reader.blocks(batch, first)
        features = {
            name: np.asarray(blocks[name], np.float32)
            if name in blocks
            else np.full((batch.num_rows, len(columns)), np.nan, np.float32)
            for name, columns in self.features.items()
        }
        ids = pa.array(numbers) if self.id is None else batch.column(self.id)
        target = None if self.target is None else self._target(batch, first)
        return RowBatch(ids, MultimodalArrays(features, self.features, target, numbers))

    def _target(self, batch: pa.RecordBatch, first: int) -> Floats:
        found = as_floats(batch.column(self.target))
        check_range(found, str(self.target), first)
        return found

    def _widths(self) -> dict[str, int | None]:
        return {c: list_width(c, self.features[name]) for name, group in self.present.items() for c in group}


def _another_table(source: Source, read: Columns) -> DataError:
    """Of a table that has nothing of what is read: rows could only get the mean, which nobody asks a model for."""
    wanted = [column for columns in read.values() for column in columns]
    return DataError(
        "data.missing_columns",
        f"{source.label} has no column of any modality ({listing(list(read))}); the run was fitted on columns such as "
        f"{listing(wanted, 3)}.",
        "Give a table with the columns that the run was fitted on.",
    )


def list_width(column: str, features: Sequence[str]) -> int | None:
    """Elements of a list column among the features of its modality, None for a column of numbers."""
    if column in features:
        return None
    known = set(features)
    width = 0
    while f"{column}[{width}]" in known:
        width += 1
    return width


def known_target(source: Source, target: str) -> str | None:
    """The target's column where the table has one of numbers."""
    kinds = dict(zip(source.schema.names, source.schema.types, strict=True))
    return target if target in kinds and is_number(kinds[target]) else None


def identifier_of(source: Source, asked: str | None, stored: str | None) -> str | None:
    """The column of ids: as asked for, else as in the run where the table has it. Raises DataError."""
    if asked is not None and asked not in source.schema.names:
        raise unknown_column(asked, source.schema.names, ", though it is to be the id")
    return asked or (stored if stored in source.schema.names else None)


def _check_complete(found: Columns, kinds: Mapping[str, pa.DataType]) -> None:
    for name, columns in found.items():
        missing = [column for column in columns if column not in kinds]
        if missing:
            known = {column for group in found.values() for column in group}
            near = nearest(missing[0], [column for column in kinds if column not in known])
            raise DataError(
                "data.missing_features",
                f"Modality {name!r} lacks {len(missing)} of its {len(columns)} columns: {listing(missing)}.{near}",
                "Add them (empty cells where they are unknown), or leave the modality out with --use.",
            )


def _check_numbers(found: Columns, source: Source, kinds: Mapping[str, pa.DataType]) -> None:
    for name, columns in found.items():
        for column in columns:
            odd = source.oddities.get(column)
            if odd is None and is_feature(kinds[column]):
                continue
            what = (
                str(kinds[column])
                if odd is None
                else f"{odd.numbers:,} numbers and {odd.others:,} {'text' if odd.others == 1 else 'texts'}, first "
                f"{odd.value!r} in {at_row(odd.row)}"
            )
            raise DataError(
                "data.feature_type",
                f"Column {column!r} of modality {name!r} holds {what}; features must be numbers or lists of numbers.",
                "Write numbers, and leave cells empty where they are unknown.",
            )


def _check_widths(found: Columns, features: Columns, kinds: Mapping[str, pa.DataType]) -> None:
    for name, columns in found.items():
        for column in columns:
            width = list_width(column, features[name])
            if is_list(kinds[column]) != (width is not None):
                was = "numbers" if width is None else f"lists of {width} numbers"
                raise DataError(
                    "data.other_features",
                    f"Column {column!r} of modality {name!r} holds {kinds[column]}; the run was fitted on {was}.",
                    "Give rows with the columns that the run was fitted on.",
                )
