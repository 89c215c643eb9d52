"""A table under other column names: what a named input (``labs=labs.csv``) becomes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import pyarrow as pa

from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.sources.source import Oddity, Source


@dataclass(frozen=True)
class RenamedSource:
    """``names`` maps every new name to the source's own, in the order of the columns."""

    source: Source
    names: Mapping[str, str]

    @classmethod
    def prefixed(cls, source: Source, modality: str, kept: Collection[str]) -> RenamedSource:
        """Columns as features of a modality, ``modality__column``, but for those ``kept`` as they are."""
        stays = {name for name in source.schema.names if name in kept or name.startswith(f"{modality}__")}
        new = {name if name in stays else f"{modality}__{name}": name for name in source.schema.names}
        return cls(source, new)

    @property
    def label(self) -> str:
        """How messages name the table."""
        return self.source.label

    @cached_property
    def schema(self) -> pa.Schema:
        """New names and types."""
        return pa.schema([(new, self.source.schema.field(old).type) for new, old in self.names.items()])

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.source.rows

    @property
    def files(self) -> tuple[str, ...]:
        """File names without folders."""
        return self.source.files

    @property
    def metadata(self) -> TableMetadata | None:
        """None: roles that the files bring speak of other names."""
        return None

    @property
    def oddities(self) -> Mapping[str, Oddity]:
        """Columns with text among numbers."""
        return {
            new: self.source.oddities[old] for new, old in self.names.items() if old in self.source.oddities
        }

    @property
    def codes(self) -> frozenset[str]:
        """Columns of numbers that are written like codes."""
        return frozenset(new for new, old in self.names.items() if old in self.source.codes)

    @property
    def notices(self) -> tuple[str, ...]:
        """What was detected in the files."""
        return self.source.notices

    def with_texts(self, columns: Iterable[str]) -> RenamedSource:
        """The same table with these columns as texts."""
        known = [self.names[column] for column in columns if column in self.names]
        return RenamedSource(self.source.with_texts(known), self.names)

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """These columns by batches of rows."""
        for batch in self.source.batches([self.names[column] for column in columns], rows):
            yield pa.RecordBatch.from_arrays(batch.columns, names=list(columns))
