"""Information row by row: what each row contributes, averaging to the report."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pidreg_cli.data.growing_files import open_output
from pidreg_cli.information.lattice import LARGEST_LISTED, antichain_id
from pidreg_cli.information.pointwise import PointwiseClosure, rows_of_errors
from pidreg_cli.information.readouts import informations_of_sums
from pidreg_cli.reports.decomposition import LATTICE
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.reading import measure_of
from pidreg_cli.reports.units import NATS_PER_BIT

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class RowBatch:
    """Rows with an ``id``, the ``target`` (n,) and squared errors of Y' (n, 2**n), column 0 those of the baseline."""

    ids: pa.Array
    target: Floats
    errors: Floats


@dataclass(frozen=True)
class Decomposed:
    """A report, notices, and the rows it speaks of, read again as they are asked for.

    ``pooled`` (2**n,): mean squared errors of Y' over all these rows, by set of modalities.
    """

    report: Report
    notices: tuple[str, ...]
    rows: Callable[[], Iterator[RowBatch]]
    pooled: Floats


@dataclass(frozen=True)
class RowTable:
    """The columns of a file of rows: informations of each modality, of all, what each adds, atoms."""

    names: Sequence[str]
    pooled: Floats
    closure: PointwiseClosure
    atoms: bool
    scale: float

    @classmethod
    def of(cls, report: Report, pooled: Floats, units: str) -> RowTable:
        """For rows of a report, from the mean squared errors (2**n,) of all.

        Atoms are those of broja and mmi, for up to five modalities; other measures have none of a row.
        """
        closure = PointwiseClosure.of(informations_of_sums(pooled))
        atoms = measure_of(report) in LATTICE and len(report.names) <= LARGEST_LISTED
        return cls(report.names, pooled, closure, atoms, NATS_PER_BIT if units == "nats" else 1.0)

    def table(self, rows: RowBatch) -> pa.Table:
        """Columns ``id, y, information.NAME..., information.total, added.NAME..., atom.{a}{b}...``."""
        closed = self.scale * self.closure.rows(rows_of_errors(rows.errors, self.pooled))
        full = closed.shape[1] - 1
        columns: dict[str, pa.Array] = {"id": rows.ids, "y": pa.array(rows.target)}
        for i, name in enumerate(self.names):
            columns[f"information.{name}"] = pa.array(closed[:, 1 << i])
        columns["information.total"] = pa.array(closed[:, full])
        for i, name in enumerate(self.names if full > 1 else ()):
            columns[f"added.{name}"] = pa.array(closed[:, full] - closed[:, full - (1 << i)])
        if self.atoms:
            values = self.closure.atom_rows(closed)
            for atom, value in zip(self.closure.atoms, values.T, strict=True):
                columns[f"atom.{antichain_id(atom, self.names)}"] = pa.array(np.ascontiguousarray(value))
        return pa.table(columns)


def write_rows(path: Path, table: RowTable, batches: Iterable[RowBatch]) -> None:
    """Write the rows, Parquet or CSV by suffix, wholly or not at all. Raises OutputError."""
    with open_output(path) as writer:
        for batch in batches:
            writer.write(table.table(batch))
