"""A run and a table put together: checked before any row is predicted, then predicted by batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from pidreg_cli.data.growing_files import TableWriter
from pidreg_cli.data.naming import listing, nearest
from pidreg_cli.data.new_rows import NewRows, RowBatch, identifier_of, known_target
from pidreg_cli.data.preparation.findings import RowProgress
from pidreg_cli.data.sources.opening import open_source
from pidreg_cli.data.sources.text_options import TextOptions
from pidreg_cli.decisions.prediction.rows import Predictor, Request
from pidreg_cli.errors import UsageError
from pidreg_cli.model_files import ModelRoles
from pidreg_cli.predicting.columns import PredictionColumns
from pidreg_cli.predicting.request import PredictRequest
from pidreg_cli.predicting.tally import Tally
from pidreg_cli.prediction_files import read_predictor
from pidreg_cli.training.calibration_rows import presence
from pidreg_cli.training.device import available_threads, limited_threads, resolve_device

TASK = "predicting"
BATCH_CHUNKS = 4  # chunks of the predictor in a batch


@dataclass(frozen=True)
class PredictionRun:
    """Rows of a table and the model that predicts them. ``left_out``: modalities not to be used."""

    predictor: Predictor
    roles: ModelRoles
    rows: NewRows
    request: PredictRequest
    left_out: tuple[str, ...]

    @classmethod
    def open(cls, folder: Path, inputs: Sequence[str | Path], request: PredictRequest) -> PredictionRun:
        """Read the run and see what the table has. Raises PidregError of every kind."""
        predictor, roles = read_predictor(folder, resolve_device(request.device))
        names = tuple(roles.modalities)
        used = _checked_use(request.use, names)
        source = open_source(inputs, TextOptions())
        rows = NewRows.of(
            source,
            roles.modalities,
            predictor.model.columns,
            known_target(source, roles.target),
            identifier_of(source, request.identifier, roles.id),
            used,
        )
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
        with limited_threads(self.request.threads or available_threads()):
            for batch, table in self._tables(tally):
                writer.write(table)
                progress.advance(batch.arrays.rows)
        progress.finish()
        return tally

    def _tables(self, tally: Tally) -> Iterator[tuple[RowBatch, pa.Table]]:
        columns = PredictionColumns(self.names, pointwise=self.rows.target is not None)
        forward = self.predictor.model.transforms.target.forward
        asked = Request(self.request.level, self.request.explain)
        for batch in self.rows.batches(BATCH_CHUNKS * self.predictor.chunk):
            found = self.predictor.predict(batch.arrays, asked)
            target = batch.arrays.target
            tally.add(found, presence(batch.arrays), target)
            yield batch, columns.table(batch.ids, found, None if target is None else forward(target))


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
