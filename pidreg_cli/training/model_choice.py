"""One model on given rows: kind of its encoders, networks with boosted scores or without, and a share of the trees in
the prediction, as its validation rows decide; of the share blocks of training rows may have a say.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import torch

from pidreg_cli.config.settings import EncoderKind, Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.streaming.deal import DealtTable
from pidreg_cli.errors import RunError
from pidreg_cli.training import encoder_choice
from pidreg_cli.training.batches import Rows, TrainingRows
from pidreg_cli.training.boosting import (
    FEWEST_FOLDS,
    BoostedScores,
    FittedScores,
    Floats,
    ScoreFits,
    deciding_sets,
    stacked,
)
from pidreg_cli.training.checkpoints import CheckpointStore, scores_name, shared_checkpoint, write_checkpoint
from pidreg_cli.training.fitted import FittedModel, Transforms, network_shape, single_scores, singles
from pidreg_cli.training.model_fit import ModelTask, NetworkTraining, TrainedModel, tried
from pidreg_cli.training.processes import ALONE, Processes
from pidreg_cli.training.progress import EpochRecord, Progress
from pidreg_cli.training.state import Ledger
from pidreg_cli.training.streamed_rows import StreamedRows
from pidreg_cli.training.tree_share import TreeShare
from pidreg_cli.training.trees import lightgbm
from pidreg_cli.training.workers import Pending, Workers

FEWEST_ROWS = 1000
"""Training rows from which ``auto`` considers scores: with fewer, the eighth that validates is too small to tell, by
its noise, a better network from a luckier one, and trees of four fifths of the rows are weak."""
OUT_OF_FOLD = "out_of_fold"


@dataclass(frozen=True)
class Trained:
    """A model and how the training of its first network went, with the histories of all."""

    model: FittedModel
    ledger: Ledger


def networks_of(settings: Settings) -> int:
    """Networks of a model."""
    return 1 + len(settings.network.further)


def training_files(number: int, settings: Settings) -> list[str]:
    """Every file that training model ``number`` may leave in a checkpoint store."""
    members = range(networks_of(settings))
    tasks = [ModelTask("", number, (), scored, member) for scored in (False, True) for member in members]
    tasks += [ModelTask("", number, (), block=k + 1) for k in range(settings.boosting.blocked_folds)]
    trials = [ModelTask("", number, (), trial=kind) for kind in encoder_choice.CANDIDATES]
    return [scores_name(number), *(task.checkpoint for task in (*tasks, *trials))]


class ModelChoice:
    """Training of one model of a run, from rows to a fitted model.

    ``auto`` judges by validation rows, because scores are no gain everywhere: where the network alone predicts better
    than trees, they cost 5 to 8 % of RMSE as inputs (gas turbines; PM2.5 split by time, where scores of rows between
    the training rows promise too much for later ones). As a share of the prediction they cannot do that harm.

    ``apart``: all validation rows come after all training rows, or before.
    """

    def __init__(
        self,
        task: ModelTask,
        rows: tuple[MultimodalArrays, MultimodalArrays],
        settings: Settings,
        device: torch.device,
        progress: Progress,
        store: CheckpointStore | None,
        workers: Workers,
        dealt: DealtTable | None = None,
        processes: Processes = ALONE,
        *,
        apart: bool = False,
    ) -> None:
        self.task, self.settings, self.device = task, settings, device
        self.processes, self.apart = processes, apart
        self.progress, self.store, self.workers = progress, store, workers
        self._ready: dict[bool, tuple[TrainingRows, Rows]] = {}
        self.train, self.valid = rows
        self.asked = settings
        features, hides = settings.features, settings.training.modality_dropout > 0
        self.transforms = Transforms.fit(
            self.train, features.transform, features.imputation, dealt, hides=hides
        )
        self.streamed = None if dealt is None else StreamedRows(dealt, self.transforms, device)
        standardise = self.transforms.target.standardise
        self.targets = standardise(self.train.required_target), standardise(self.valid.required_target)
        self.trees = ScoreFits(
            self.train, self.targets[0], settings.boosting, settings.seed, task.number, processes
        )

    def run(self) -> Trained:
        """Train, and choose. Raises TrainingError, and UsageError where LightGBM is needed and missing."""
        if self.settings.network.encoder.kind != encoder_choice.AUTO:
            return self._of_these_encoders()
        kind, history = self._suited()
        self.settings = encoder_choice.with_encoders(self.settings, kind)
        chosen = None if kind == encoder_choice.USUAL else kind
        if chosen:
            self.settings = encoder_choice.with_dropout(self.settings, len(self._rows(None)[0]))
        trained = self._of_these_encoders()
        ledger = replace(trained.ledger, chosen=chosen, history=[*history, *trained.ledger.history])
        return replace(trained, ledger=ledger)

    def _suited(self) -> tuple[EncoderKind, list[EpochRecord]]:
        """The kind of encoders that validation rows want, and how the trials went."""
        if self.train.rows < encoder_choice.FEWEST_ROWS:
            return encoder_choice.USUAL, []
        trials = [self._trial(kind) for kind in encoder_choice.CANDIDATES]
        if trials[0].shape.encoders == trials[1].shape.encoders:  # every modality has a kind of its own
            return encoder_choice.USUAL, []
        found = [tried(trial) for trial in [self.workers.start(trial) for trial in trials]]
        losses = [self.processes.number_of_first(loss_of(trained)) for trained in found]
        kind = encoder_choice.suited(losses[0], losses[1], self.valid.rows)
        if kind != encoder_choice.USUAL:
            rmse = [f"{self.transforms.target.original.sd * np.sqrt(loss):.4g}" for loss in losses]
            self.progress.notice(
                f"{self.task.name}: encoders are of kind {kind} (validation RMSE of short trainings {rmse[1]}, of "
                f"{encoder_choice.USUAL} {rmse[0]})"
            )
        return kind, [record for trained in found if trained for record in trained.ledger.history]

    def _trial(self, kind: EncoderKind) -> NetworkTraining:
        """A short training with such encoders."""
        settings = encoder_choice.trial_of(self.settings, kind)
        shape = network_shape(self.transforms, self.train.lists, settings.network)
        task = replace(self.task, trial=kind)
        return NetworkTraining(task, shape, self._rows(None), settings, self.store, self.processes)

    def _of_these_encoders(self) -> Trained:
        """With boosted scores, or without."""
        use = self.settings.features.boosted
        few = self.train.rows < FEWEST_ROWS or self.trees.units < FEWEST_FOLDS
        if use == "off" or (use == "auto" and few):
            return self._all(None)
        lightgbm()  # whether it is missing must not show after an hour of training only
        if use == "auto":
            return self._better()
        fitted = self._scores()
        return self._mixed(self._all(fitted), fitted.scores)

    def _all(self, fitted: FittedScores | None) -> Trained:
        """Every network with scores, or without."""
        first, further = self._start(fitted), self._further(fitted)
        return self._whole(first.result(), further, fitted)

    def _better(self) -> Trained:
        """Networks that are likely to be wanted are begun before it is known, where workers have nothing else to do."""
        first = self._start(None)
        fitted = self._scores()
        further = self._further(None)
        alone = self._error(self._prediction_of_scores(fitted))
        plain = first.result()
        if not alone < loss_of(plain):
            self._tell("no inputs of the encoders: alone they predict worse than the network", alone, plain)
            return self._mixed(self._whole(plain, further, None), fitted.scores)
        drop(further)
        first, further = self._start(fitted), self._further(fitted)
        boosted = first.result()
        used = loss_of(boosted) < loss_of(plain)
        if not used:
            drop(further)
            further = self._further(None)
        what = (
            "inputs of the encoders" if used else "no inputs of the encoders: the network is worse with them"
        )
        self._tell(what, loss_of(boosted), plain)
        better = boosted if used else plain
        trained = self._whole(better, further, fitted if used else None)
        rest = trained.ledger.history[len(better.ledger.history) :]
        order = (plain, boosted) if used else (boosted, plain)  # the model that is deployed comes last
        history = [*(record for one in order for record in one.ledger.history), *rest]
        ledger = replace(trained.ledger, history=history)
        return self._mixed(replace(trained, ledger=ledger), fitted.scores)

    def _tell(self, what: str, with_scores: float, plain: TrainedModel) -> None:
        unit = self.transforms.target.original.sd
        rmse = [f"{unit * np.sqrt(loss):.4g}" for loss in (with_scores, loss_of(plain))]
        text = f"{self.task.name}: boosted scores of the modalities are {what}"
        self.progress.notice(f"{text} (validation RMSE {rmse[0]} against {rmse[1]})")

    def _inputs(self, fitted: FittedScores | None) -> Transforms:
        """Transforms of the encoders' inputs."""
        if fitted is None:
            return self.transforms
        return replace(self.transforms, boosted=fitted.scores, encoded=True)

    def _start(self, fitted: FittedScores | None, member: int = 0) -> Pending[TrainedModel]:
        """Begin the training of a network, with scores where there are some."""
        task = replace(self.task, scored=fitted is not None, member=member)
        # Folds hide nothing from networks that read what trees found of them: these are best of different kinds.
        settings = self.asked if fitted is not None and member else self.settings
        shape = network_shape(self._inputs(fitted), self.train.lists, settings.network, member)
        return self.workers.start(
            NetworkTraining(task, shape, self._rows(fitted), settings, self.store, self.processes)
        )

    def _further(self, fitted: FittedScores | None) -> list[Pending[TrainedModel]]:
        """Begin all networks but the first."""
        return [self._start(fitted, member) for member in range(1, networks_of(self.settings))]

    def _rows(self, fitted: FittedScores | None) -> tuple[TrainingRows, Rows]:
        """Training and validation rows as networks read them; the same for all networks."""
        scored = fitted is not None
        if scored not in self._ready:
            transforms = self._inputs(fitted)
            scores = None if fitted is None else fitted.out_of_fold
            # Those of the other kind go: of a large table two copies would be much.
            self._ready = {
                scored: (
                    transforms.rows(self.train, self.device, scores)
                    if self.streamed is None
                    else self.streamed,
                    transforms.rows(self.valid, self.device, transforms.encoder_scores(self.valid)),
                )
            }
        return self._ready[scored]

    def _whole(
        self, first: TrainedModel, further: Iterable[Pending[TrainedModel]], fitted: FittedScores | None
    ) -> Trained:
        """The model of the first network and of the others."""
        found = [first, *(network.result() for network in further)]
        networks = tuple(one.network for one in found)
        ledger = replace(
            first.ledger,
            boosted=fitted is not None,
            history=[record for one in found for record in one.ledger.history],
            batch=min((one.ledger.batch for one in found if one.ledger.batch is not None), default=None),
        )
        return Trained(FittedModel(self.train.columns, self._inputs(fitted), networks), ledger)

    def _mixed(self, trained: Trained, scores: BoostedScores) -> Trained:
        """Give the trees of all modalities the share of the prediction that suits rows best that did not train.

        A model that keeps any scores gets those of every set, for its readouts.
        """
        model = trained.model
        share, history = self._share(model, scores)
        ledger = replace(trained.ledger, history=[*history, *trained.ledger.history])
        if not (share or model.transforms.encoded):
            return replace(trained, ledger=ledger)
        transforms = replace(model.transforms, boosted=self.trees.completed(scores, self.workers.threads))
        mixed = replace(model, transforms=transforms, tree_share=share)
        return Trained(mixed, replace(ledger, tree_share=share))

    def _share(self, model: FittedModel, scores: BoostedScores) -> tuple[float, list[EpochRecord]]:
        """Of the trees of all modalities, and how trainings went that were made to know it."""
        self._ready.clear()  # networks have read them
        rows, given = (self.train, self.valid), (self.settings, self.device, self.progress, self.store)
        share = TreeShare(self.task, rows, *given, self.workers, self.processes, self.apart)
        return share.of(model, scores)

    def _prediction_of_scores(self, fitted: FittedScores) -> Floats:
        """Standardised target of the validation rows by the scores alone: of all modalities, else stacked."""
        transforms = replace(self.transforms, boosted=fitted.scores)
        if fitted.scores.full is not None:
            return transforms.scores(self.valid, [fitted.scores.full])[fitted.scores.full]
        alone = single_scores(transforms.scores(self.valid, singles(len(self.train.names))))
        return stacked((fitted.out_of_fold, self.targets[0]), alone)

    def _error(self, prediction: Floats) -> float:
        """Mean squared error of the standardised target on the validation rows."""
        return self.processes.number_of_first(float(np.mean(np.square(prediction - self.targets[1]))))

    def _scores(self) -> FittedScores:
        """Scores of the training rows, from the store where an interrupted fit left them."""
        name = scores_name(self.task.number)
        stored = shared_checkpoint(self.store, name, torch.device("cpu"), self.processes)
        if stored is not None:
            document, tensors = stored
            return self._restored(document["folds"], tensors)
        self.progress.begin(f"{self.task.name}, boosted trees", self.settings.boosting.rounds)
        fitted = self.trees.deciding(self.workers.spare)
        self.progress.finish()
        if self.store is not None:
            tensors = fitted.scores.to_tensors() | {OUT_OF_FOLD: torch.from_numpy(fitted.out_of_fold)}
            write_checkpoint(self.store, name, {"folds": fitted.scores.folds}, tensors)
        return fitted

    def _restored(self, folds: int, tensors: dict[str, torch.Tensor]) -> FittedScores:
        out_of_fold = tensors.pop(OUT_OF_FOLD).numpy()
        features = {name: block.shape[1] for name, block in self.train.features.items()}
        masks = deciding_sets(len(features))
        try:
            return FittedScores(BoostedScores.from_tensors(features, folds, masks, tensors), out_of_fold)
        except ValueError as error:
            raise RunError(
                "run.checkpoint", f"a checkpoint cannot be read: {error}", "start again with --force"
            ) from error


def drop(trainings: Iterable[Pending[TrainedModel]]) -> None:
    """Nobody asks for these any more."""
    for training in trainings:
        training.drop()


def loss_of(trained: TrainedModel | None) -> float:
    """Mean squared error of the standardised target on the validation rows; infinite where there is none."""
    loss = None if trained is None else trained.ledger.best_loss
    return float("inf") if loss is None else loss
