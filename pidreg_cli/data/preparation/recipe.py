"""The recipe of a prepared table: how its columns are made, for its own rows and for rows that come later."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.preparation.encoders import Encoder, empty_features, from_dict, to_dict, width_of
from pidreg_cli.data.sources.source import Source, rows_per_batch


@dataclass(frozen=True)
class Recipe:
    """``features`` are the encoders of each modality, in order; ``dropped`` are outputs that are left out.

    ``singles`` are columns that are copied as they are, by role: target, id, group, split; ``kept`` have no role.
    """

    features: Mapping[str, tuple[Encoder, ...]]
    singles: Mapping[str, str] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    dropped: frozenset[str] = frozenset()

    def outputs(self, modality: str) -> tuple[str, ...]:
        """Feature columns of a modality, those dropped left out."""
        return tuple(
            name
            for encoder in self.features[modality]
            for name in encoder.outputs
            if name not in self.dropped
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column of the table that is read, once."""
        read = (encoder.column for encoders in self.features.values() for encoder in encoders)
        return tuple(dict.fromkeys([*self.singles.values(), *self.kept, *read]))

    @property
    def roles(self) -> TableMetadata:
        """The roles of the prepared table."""
        modalities = {name: self.outputs(name) for name in self.features}
        return TableMetadata(modalities, **self.singles)

    def without(self, dropped: Sequence[str]) -> Recipe:
        """The same recipe with these outputs left out."""
        return replace(self, dropped=self.dropped | frozenset(dropped))

    def to_dict(self) -> dict[str, Any]:
        """Plain texts and numbers; ``from_dict`` restores them exactly, also through JSON."""
        return {
            "features": {
                name: [to_dict(encoder) for encoder in encoders] for name, encoders in self.features.items()
            },
            "singles": dict(self.singles),
            "kept": list(self.kept),
            "dropped": sorted(self.dropped),
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> Recipe:
        """Restore what ``to_dict`` wrote; raises KeyError, TypeError, AttributeError or ValueError on anything else."""
        features = {
            str(name): tuple(from_dict(encoder) for encoder in encoders)
            for name, encoders in stored["features"].items()
        }
        singles = {str(role): str(column) for role, column in stored["singles"].items()}
        return cls(features, singles, tuple(stored["kept"]), frozenset(stored["dropped"]))


@dataclass
class EncodedRows:
    """Role-resolved, encoded batches of a table; ``unseen`` counts values that encoders do not know, by column.

    ``absent`` are modalities whose columns the table lacks altogether: their features are null.
    """

    source: Source
    recipe: Recipe
    absent: frozenset[str] = frozenset()
    unseen: dict[str, int] = field(default_factory=dict)

    def batches(self, rows: int | None = None) -> Iterator[pa.RecordBatch]:
        """Batches of the prepared table: singles, kept columns, then the features of each modality."""
        wanted = rows or rows_per_batch(max(len(self.read_columns), self.width))
        for batch in self.source.batches(self.read_columns, wanted):
            yield self.encoded(batch)

    @property
    def read_columns(self) -> list[str]:
        """Columns of the source that the recipe reads."""
        there = set(self.source.schema.names)
        return [name for name in self.recipe.columns if name in there]

    @property
    def width(self) -> int:
        """Numbers and texts of a row of the prepared table, elements of lists counted."""
        encoders = [encoder for found in self.recipe.features.values() for encoder in found]
        features = sum(width_of(encoder) or len(encoder.outputs) for encoder in encoders)
        return features + len(self.recipe.singles) + len(self.recipe.kept)

    def encoded(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """One batch of the table's columns, encoded."""
        there = set(batch.schema.names)
        singles = dict.fromkeys([*self.recipe.singles.values(), *self.recipe.kept])
        names = [name for name in singles if name in there]
        arrays = [batch.column(name) for name in names]
        for modality, encoders in self.recipe.features.items():
            for encoder in encoders:
                found = self._features(batch, encoder, modality)
                kept = [
                    (n, a)
                    for n, a in zip(encoder.outputs, found, strict=True)
                    if n not in self.recipe.dropped
                ]
                names += [name for name, _ in kept]
                arrays += [array for _, array in kept]
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _features(self, batch: pa.RecordBatch, encoder: Encoder, modality: str) -> list[pa.Array]:
        if modality in self.absent:
            return empty_features(encoder, batch.num_rows)
        cells = batch.column(encoder.column)
        if strange := encoder.unseen(cells):
            self.unseen[encoder.column] = self.unseen.get(encoder.column, 0) + strange
        return encoder.encode(cells)
