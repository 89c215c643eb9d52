"""Which rows say what: one split, or folds that hold every row out once; and the model that is deployed.

One split: training rows train, validation rows stop and calibrate, test rows say metrics and information; the model of
that split is deployed. Folds: each fold is scored by a model trained on the others (a part of these kept for
validation), results are pooled; the deployed model is trained once more on all rows but a validation part.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import TEST, TRAIN, VALID, MultimodalArrays
from pidreg_cli.data.splits import Protocol, assign_split, carve_validation, fold_assignment
from pidreg_cli.data.streaming.deal import DealtTable
from pidreg_cli.errors import DataError
from pidreg_cli.information.completion import CodeMoments
from pidreg_cli.training.baselines import ridge_predictions, tree_predictions
from pidreg_cli.training.calibration_rows import CalibrationRows, code_moments
from pidreg_cli.training.checkpoints import CheckpointStore
from pidreg_cli.training.evaluation import ReadoutRows, Readouts, code_divergence
from pidreg_cli.training.fitted import FittedModel
from pidreg_cli.training.metrics import Accuracy, accuracy
from pidreg_cli.training.model_choice import ModelChoice, Trained, networks_of, training_files
from pidreg_cli.training.model_fit import ModelTask
from pidreg_cli.training.model_rows import Estimates, ModelRows, validation_readouts
from pidreg_cli.training.outcomes import HeldOut, load_outcome, outcome_name, save_outcome
from pidreg_cli.training.processes import ALONE, Processes
from pidreg_cli.training.progress import Progress
from pidreg_cli.training.seeds import Stream, numpy_generator
from pidreg_cli.training.state import Ledger
from pidreg_cli.training.workers import KeptProcesses, Workers
from pidreg_cli.training.worthwhile import worthwhile_processes

Index = NDArray[np.intp]
Given: TypeAlias = "tuple[MultimodalArrays, Settings, torch.device, CheckpointStore | None, int, Processes]"
FEWEST_GROUPS = 2  # of validation rows


@dataclass(frozen=True)
class Parts:
    """Positions of the rows that train, validate, and are held out (none for a model that is only deployed)."""

    train: Index
    valid: Index
    held: Index


@dataclass(frozen=True)
class Scored:
    """Rows that did not train the model that predicts them: positions, part ('valid', 'test'), prediction, (N,)."""

    rows: Index
    split: NDArray[np.str_]
    prediction: NDArray[np.float64]


@dataclass(frozen=True)
class ProtocolOutcome:
    """Everything a report is made of.

    ``moments``: of the codes of the deployed model's training rows. ``spared``: with folds, what the deployed model
    says of the rows that stopped it. ``split`` (n_rows,): 'train', 'valid', 'test' of the deployed model, with folds no
    'test'. ``held_out``: pooled over folds. ``selection``: readouts of the rows that select (validation rows, or the
    cross-fitted ones). ``valid``: accuracy of the deployed model on its validation rows. ``histories``: of every model,
    the deployed one last.
    """

    deployed: Trained
    moments: CodeMoments
    spared: CalibrationRows | None
    split: NDArray[np.str_]
    held_out: HeldOut
    selection: Readouts
    valid: Accuracy
    scored: Scored
    histories: tuple[Ledger, ...]


class ProtocolRun:
    """A fit of all models of a run, on rows that have a target; ``dealt``: the table of which they are a sample.

    ``kept``: processes that train side by side here and in fits after this one; without, this fit has its own.
    """

    def __init__(
        self,
        arrays: MultimodalArrays,
        settings: Settings,
        device: torch.device,
        progress: Progress,
        store: CheckpointStore | None,
        threads: int = 1,
        processes: Processes = ALONE,
        dealt: DealtTable | None = None,
        kept: KeptProcesses | None = None,
    ) -> None:
        self.arrays, self.settings, self.device = arrays, settings, device
        self.progress, self.store, self.threads = progress, store, threads
        self.processes, self.dealt, self.kept = processes, dealt, kept

    def run(self, protocol: Protocol) -> ProtocolOutcome:
        """Train, hold out, pool."""
        return self._run_split() if protocol.kind == "split" else self._run_folds(protocol.folds)

    def follow(self, protocol: Protocol) -> None:
        """The trainings of ``run`` in their order, and nothing else: what processes beside the first do."""
        if protocol.kind == "split":
            self.train("model", 0, self.split()[1])
            return
        folds = protocol.folds
        assigned = self.assigned(folds)
        for number in range(folds):
            if not self._finished(number):
                self.train_fold(number, folds, assigned)
        self.train("deployed model", folds, self._deployed(folds))

    def split(self) -> tuple[NDArray[np.str_], Parts]:
        """Part of each row, and the rows of each part."""
        split = assign_split(self.arrays, self._rng(Stream.SPLIT))
        parts = Parts(*(np.flatnonzero(split == part) for part in (TRAIN, VALID, TEST)))
        self._check_groups(parts.valid)
        return split, parts

    def _run_split(self) -> ProtocolOutcome:
        split, parts = self.split()
        trained = self.train("model", 0, parts)
        moments = self._moments(trained, parts)
        held = self._held_out(trained, 0, parts, moments, "valid")
        selection = validation_readouts(held.models[0], self.settings)
        valid = self.predict(trained.model, parts.valid)
        prediction = np.concatenate([valid, held.prediction])
        rows = np.concatenate([parts.valid, parts.held])
        scored = Scored(rows, split[rows], prediction)
        found = self._accuracy(parts.valid, valid)
        return ProtocolOutcome(
            trained, moments, None, split, held, selection, found, scored, (trained.ledger,)
        )

    def _check_groups(self, valid: Index) -> None:
        """Raise DataError where the readouts of the validation rows could not be fitted on groups but the scored."""
        if self.arrays.groups is not None and len(np.unique(self.arrays.groups[valid])) < FEWEST_GROUPS:
            raise DataError(
                "data.too_few_groups",
                "The validation rows are one group; readouts are fitted on some groups of them and scored on others",
                "give validation rows of two groups or more, or try --folds 5",
            )

    def _run_folds(self, folds: int) -> ProtocolOutcome:
        assigned, parts = self.assigned(folds), self._deployed(folds)
        with self.workers(folds + 1, len(parts.train)) as workers:
            given = self.given(workers)
            fitted = [workers.start(_FoldOf(*given, number, folds, assigned)) for number in range(folds)]
            deployed = workers.start(_DeployedOf(*given, folds, parts))
            outcomes, trained = [fold.result() for fold in fitted], deployed.result()
        split = np.full(self.arrays.rows, TRAIN, dtype="<U5")
        split[parts.valid] = VALID
        held = HeldOut.pooled([held for held, _ in outcomes])
        histories = (*(ledger for _, ledger in outcomes), trained.ledger)
        valid = self._accuracy(parts.valid, self.predict(trained.model, parts.valid))
        scored = Scored(held.readouts.rows, np.full(len(held.prediction), TEST), held.prediction)
        moments = self._moments(trained, parts)
        seen = ReadoutRows.of(trained.model, self.arrays, parts.valid, self.settings)
        spared = self._calibration(trained.model, moments, seen, parts.valid)
        return ProtocolOutcome(trained, moments, spared, split, held, held.readouts, valid, scored, histories)

    def given(self, workers: Workers) -> Given:
        """What this run is of, for a job of these workers: beside others each has one thread."""
        threads = 1 if workers.several else self.threads
        return self.arrays, self.settings, self.device, self.store, threads, self.processes

    def assigned(self, folds: int) -> Index:
        """Fold of each row."""
        return fold_assignment(self.arrays.rows, folds, self._rng(Stream.FOLDS), self.arrays.groups)

    def _deployed(self, folds: int) -> Parts:
        """Rows of the model that is deployed, where folds say the rest."""
        everything = np.arange(self.arrays.rows)
        return self._carved(everything, folds, held=everything[:0])

    def _finished(self, number: int) -> bool:
        """Whether the first process finished a fold before an interruption."""
        stored = self.store is not None and self.store.path(outcome_name(number)) is not None
        return bool(self.processes.number_of_first(stored))

    def train_fold(self, number: int, folds: int, assigned: Index) -> tuple[Trained, Parts]:
        """The model that holds out a fold."""
        held = np.flatnonzero(assigned == number)
        parts = self._carved(np.flatnonzero(assigned != number), number, held)
        return self.train(f"fold {number + 1} of {folds}", number, parts), parts

    def fold(self, number: int, folds: int, assigned: Index) -> tuple[HeldOut, Ledger]:
        """One fold, from its stored outcome where it was finished before."""
        if self._finished(number) and (stored := load_outcome(self.store, number)):
            return stored
        trained, parts = self.train_fold(number, folds, assigned)
        moments = self._moments(trained, parts)
        outcome = self._held_out(trained, number, parts, moments, "held"), trained.ledger
        save_outcome(self.store, number, *outcome, training_files(number, self.settings))
        return outcome

    def _carved(self, rows: Index, number: int, held: Index) -> Parts:
        groups = None if self.arrays.groups is None else self.arrays.groups[rows]
        valid = carve_validation(len(rows), self._rng(Stream.VALIDATION, number), groups)
        return Parts(rows[~valid], rows[valid], held)

    def train(self, name: str, number: int, parts: Parts) -> Trained:
        """One model: of a fold, or the deployed one."""
        rows = (self.arrays.take(parts.train), self.arrays.take(parts.valid))
        task = ModelTask(name, number, self.arrays.names)
        asked = self.settings.features.boosted == "auto" and self._apart(parts)
        trainings = max(networks_of(self.settings), self.settings.boosting.blocked_folds if asked else 0)
        with self.workers(trainings, len(parts.train)) as workers:
            given = (self.settings, self.device, self.progress, self.store, workers)
            return ModelChoice(task, rows, *given, self.dealt, self.processes, apart=self._apart(parts)).run()

    def _apart(self, parts: Parts) -> bool:
        """Whether the validation rows all come after the training rows in the table, or before, as in a split by time.
        Not with groups: their rows belong together, wherever they are.
        """
        train, valid = parts.train, parts.valid
        return self.arrays.groups is None and bool(train.max() < valid.min() or valid.max() < train.min())

    def workers(self, trainings: int, rows: int) -> Workers:
        """For so many independent trainings of so many rows; processes where these are worth their start.

        A GPU is kept busy by one training; processes that train together do one after the other; and where rows lie in
        files there is memory for one.
        """
        if self.device.type != "cpu" or self.dealt is not None or not self.processes.alone:
            return Workers(self.threads, self.progress)
        running = 0 if self.kept is None else self.kept.count
        worth = running or worthwhile_processes(trainings, rows, self.arrays, self.settings)
        return Workers(self.threads, self.progress, min(trainings, worth), self.kept)

    def _moments(self, trained: Trained, parts: Parts) -> CodeMoments:
        return code_moments(trained.model, self.arrays.take(parts.train))

    def _calibration(
        self, model: FittedModel, moments: CodeMoments, rows: ReadoutRows, index: Index
    ) -> CalibrationRows:
        heads = self.settings.loss.sufficiency > 0
        arrays = self.arrays.take(index)
        return CalibrationRows.of(model, moments, rows, arrays, self.predict(model, index), heads=heads)

    def _held_out(
        self,
        trained: Trained,
        number: int,
        parts: Parts,
        moments: CodeMoments,
        calibrating: Literal["valid", "held"],
    ) -> HeldOut:
        model, arrays, settings = trained.model, self.arrays, self.settings
        rows = self.readout_rows(model, number, parts)
        seen, index = (rows.valid, parts.valid) if calibrating == "valid" else (rows.held, parts.held)
        found = Estimates.of(rows, settings)
        train, new = arrays.take(parts.train), arrays.take(parts.held)
        return HeldOut(
            models=(rows,),
            calibration=self._calibration(model, moments, seen, index),
            readouts=found.readouts,
            prediction=self.predict(model, parts.held),
            ridge=ridge_predictions(train, new),
            ridge_alone=np.column_stack(
                [ridge_predictions(train.only(name), new.only(name)) for name in new.names]
            ),
            trees_alone=np.column_stack(
                [tree_predictions(train.only(name), new.only(name)) for name in new.names]
            ),
            code_divergence=np.array([code_divergence(rows.held, settings, number)]),
            null_sums=found.null_sums,
            debiased=found.debiased,
        )

    def readout_rows(self, model: FittedModel, number: int, parts: Parts) -> ModelRows:
        """The rows that judge model ``number``."""
        judging = (parts.held, parts.valid)
        return ModelRows(
            number, *(ReadoutRows.of(model, self.arrays, rows, self.settings) for rows in judging)
        )

    def predict(self, model: FittedModel, rows: Index) -> NDArray[np.float64]:
        """Of these rows, (n,) in the target's units."""
        return model.predict(self.arrays.take(rows))

    def _accuracy(self, rows: Index, prediction: NDArray[np.float64]) -> Accuracy:
        return accuracy(self.arrays.required_target[rows], prediction)

    def _rng(self, stream: Stream, number: int = 0) -> np.random.Generator:
        return numpy_generator(self.settings.seed, stream, number)


@dataclass(frozen=True)
class ModelOf:
    """A model of a run still to do, by any process: what ``ProtocolRun`` is given, less the listener."""

    arrays: MultimodalArrays
    settings: Settings
    device: torch.device
    store: CheckpointStore | None
    threads: int
    processes: Processes

    def run(self, progress: Progress) -> ProtocolRun:
        """Of a fit that knows nothing of other processes."""
        given = (self.arrays, self.settings, self.device, progress, self.store, self.threads)
        return ProtocolRun(*given, self.processes)


@dataclass(frozen=True)
class _FoldOf(ModelOf):
    number: int
    folds: int
    assigned: Index

    def __call__(self, progress: Progress) -> tuple[HeldOut, Ledger]:
        return self.run(progress).fold(self.number, self.folds, self.assigned)


@dataclass(frozen=True)
class _DeployedOf(ModelOf):
    number: int
    parts: Parts

    def __call__(self, progress: Progress) -> Trained:
        return self.run(progress).train("deployed model", self.number, self.parts)
