"""A run and a table put together: checked before any row is predicted, then predicted by batches."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pidreg_cli.data.growing_files import TableWriter
from pidreg_cli.data.naming import listing, nearest
from pidreg_cli.data.new_rows import NewRows, RowBatch, identifier_of, known_target
from pidreg_cli.data.preparation.findings import RowProgress
from pidreg_cli.data.sources.opening import open_source
from pidreg_cli.data.sources.text_options import TextOptions
from pidreg_cli.decisions.prediction.rows import Predictor, Request, RowPredictions
from pidreg_cli.errors import DataError, UsageError
from pidreg_cli.model_files import ModelRoles
from pidreg_cli.predicting.columns import PredictionColumns
from pidreg_cli.predicting.raw_rows import hinting_at_prepare, hints_naming_prepare
from pidreg_cli.predicting.request import PredictRequest
from pidreg_cli.predicting.tally import Tally
from pidreg_cli.prediction_files import read_predictor
from pidreg_cli.threads import available_threads, in_order
from pidreg_cli.training.calibration_rows import presence
from pidreg_cli.training.device import limited_threads, resolve_device

TASK = "predicting"
BATCH_CHUNKS = 4  # chunks of the predictor in a batch
CELLS_IN_FLIGHT = 2**25
"""Features of all batches that are predicted at the same time: 128 MB, and some copies of a part of it."""


@dataclass(frozen=True)
class PredictionRun:
    """Rows of a table and the model that predicts them. ``left_out``: modalities not to be used."""

    predictor: Predictor
    roles: ModelRoles
    rows: NewRows
    request: PredictRequest
    left_out: tuple[str, ...]

    @classmethod
    @hints_naming_prepare()
    def open(cls, folder: Path, inputs: Sequence[str | Path], request: PredictRequest) -> PredictionRun:
        """Read the run and see what the table has. Raises PidregError of every kind."""
        predictor, roles = read_predictor(folder, resolve_device(request.device))
        names = tuple(roles.modalities)
        used = _checked_use(request.use, names)
        source = open_source(inputs, TextOptions())
        identifier = identifier_of(source, request.identifier, roles.id)
        try:
            rows = NewRows.of(
                source,
                roles.modalities,
                predictor.model.columns,
                known_target(source, roles.target),
                identifier,
                used,
            )
        except DataError as error:
            raise hinting_at_prepare(error, folder, inputs, roles.modalities) from error
        return cls(predictor, roles, rows, request, tuple(name for name in names if name not in used))

    @property
    def names(self) -> tuple[str, ...]:
        """Modality names, in the order of the run."""
        return tuple(self.roles.modalities)

    def mask(self, names: Sequence[str]) -> int:
        """Bitmask of modalities by name."""
        return sum(1 << i for i, name in enumerate(self.names) if name in names)

    def write(self, writer: TableWriter, progress: RowProgress) -> Tally:
        """Predict every row in order, and count. Raises DataError where a cell cannot be used."""
        tally = Tally(len(self.names))
        progress.begin(TASK, self.rows.source.rows)
        # One thread for the sums of a batch, whatever the number of batches at the same time: numbers do not depend
        # on it, and batches share nothing that they would have to wait for.
        with limited_threads(1), hints_naming_prepare(), closing(self._predicted()) as batches:
            for done in batches:
                tally.add(done.found, done.present, done.target)
                tally.nameless += done.table["id"].null_count
                writer.write(done.table)
                progress.advance(done.table.num_rows)
        progress.finish()
        return tally

    @property
    def _batch_rows(self) -> int:
        return BATCH_CHUNKS * self.predictor.chunk

    @property
    def _workers(self) -> int:
        """Batches at the same time."""
        if self.predictor.model.device.type != "cpu":
            return 1
        width = sum(map(len, self.predictor.model.columns.values()))
        fitting = CELLS_IN_FLIGHT // (self._batch_rows * width)
        return max(1, min(self.request.threads or available_threads(), fitting))

    def _predicted(self) -> Generator[_Done, None, None]:
        """Batches in order; others are read and predicted while one is written."""
        return in_order(self._done, self.rows.batches(self._batch_rows), self._workers)

    def _done(self, batch: RowBatch) -> _Done:
        found, target = self.predictor.predict(batch.arrays, self._asked), batch.arrays.target
        score = None if target is None else self.predictor.model.transforms.target.forward(target)
        table = self._columns.table(batch.ids, found, score)
        return _Done(table, found, presence(batch.arrays), target)

    @cached_property
    def _asked(self) -> Request:
        read = self.mask(tuple(self.rows.present)) if self.rows.absent else None
        return Request(self.request.level, self.request.explain, use=read)

    @cached_property
    def _columns(self) -> PredictionColumns:
        return PredictionColumns(self.names, pointwise=self.rows.target is not None)


@dataclass(frozen=True)
class _Done:
    """A batch as it is written and counted; ``present`` (n, modalities), ``target`` (n,) or None."""

    table: pa.Table
    found: RowPredictions
    present: NDArray[np.bool_]
    target: NDArray[np.float64] | None


def _checked_use(use: Sequence[str] | None, names: tuple[str, ...]) -> tuple[str, ...]:
    """The modalities to use. Raises UsageError for one that the run does not have."""
    for name in use or ():
        if name not in names:
            raise UsageError(
                "usage.use",
                f"--use names {name!r}, which is no modality of the run.{nearest(name, names)}",
                f"modalities are: {listing(list(names))}",
            )
    return names if use is None else tuple(name for name in names if name in use)
