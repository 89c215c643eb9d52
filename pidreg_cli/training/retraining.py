"""Models trained again to be compared: what they say of held-out rows, and nothing that a report or new rows need."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.splits import Protocol
from pidreg_cli.training.evaluation import Readouts, cross_fitted, pooled
from pidreg_cli.training.model_choice import Trained
from pidreg_cli.training.progress import Progress
from pidreg_cli.training.protocol import ModelOf, Parts, ProtocolRun
from pidreg_cli.training.seeds import Stream, numpy_generator


@dataclass(frozen=True)
class Judged:
    """Held-out rows: their readouts, and predictions in the target's units, (N,)."""

    readouts: Readouts
    prediction: NDArray[np.float64]

    @classmethod
    def pooled(cls, parts: Sequence[Judged]) -> Judged:
        """The rows of several models together."""
        return cls(pooled([part.readouts for part in parts]), np.concatenate([p.prediction for p in parts]))


def judged(run: ProtocolRun, protocol: Protocol) -> Judged:
    """What ``run.run`` holds out, bit for bit. With folds no model of all rows is trained: nobody deploys it."""
    if protocol.kind == "split":
        _, parts = run.split()
        return _of_model(run, run.train("model", 0, parts), 0, parts)
    folds = protocol.folds
    assigned = run.assigned(folds)
    with run.workers(folds, run.arrays.rows) as workers:
        given = run.given(workers)
        fitted = [workers.start(_JudgedFold(*given, number, folds, assigned)) for number in range(folds)]
        return Judged.pooled([fold.result() for fold in fitted])


def _of_model(run: ProtocolRun, trained: Trained, number: int, parts: Parts) -> Judged:
    rows = run.readout_rows(trained.model, number, parts)
    rng = numpy_generator(run.settings.seed, Stream.READOUT, number)
    readouts = cross_fitted(rows.held, rows.valid, run.settings, rng)
    return Judged(readouts, run.predict(trained.model, parts.held))


@dataclass(frozen=True)
class _JudgedFold(ModelOf):
    number: int
    folds: int
    assigned: NDArray[np.intp]

    def __call__(self, progress: Progress) -> Judged:
        run = self.run(progress)
        trained, parts = run.train_fold(self.number, self.folds, self.assigned)
        return _of_model(run, trained, self.number, parts)
