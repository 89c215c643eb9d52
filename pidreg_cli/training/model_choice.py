"""One model on given rows: with boosted scores as further inputs, or without, as its validation rows decide."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.errors import RunError
from pidreg_cli.training.boosting import BoostedScores, FittedScores, fit_scores, stacked_error
from pidreg_cli.training.checkpoints import CheckpointStore, read_checkpoint, scores_name, write_checkpoint
from pidreg_cli.training.fitted import FittedModel, Transforms, network_shape
from pidreg_cli.training.model_fit import ModelFit, ModelTask
from pidreg_cli.training.progress import Progress
from pidreg_cli.training.state import Ledger
from pidreg_cli.training.trees import lightgbm

FEWEST_ROWS = 1000
"""Training rows from which ``auto`` considers scores: with fewer, the eighth that validates is too small to tell, by
its noise, a better network from a luckier one, and trees of four fifths of the rows are weak."""
OUT_OF_FOLD = "out_of_fold"


@dataclass(frozen=True)
class Trained:
    """A model and how its training went."""

    model: FittedModel
    ledger: Ledger

    @property
    def loss(self) -> float:
        """Mean squared error of the standardised target on the validation rows."""
        return float("inf") if self.ledger.best_loss is None else self.ledger.best_loss


class ModelChoice:
    """Training of one model of a run, from rows to a fitted model.

    ``auto`` judges by validation rows, because scores are no gain everywhere: where the network alone predicts better
    than trees, they cost 5 to 8 % of RMSE (gas turbines; PM2.5 split by time, where scores of rows between the
    training rows promise too much for later ones).
    """

    def __init__(
        self,
        task: ModelTask,
        rows: tuple[MultimodalArrays, MultimodalArrays],
        settings: Settings,
        device: torch.device,
        progress: Progress,
        store: CheckpointStore | None,
    ) -> None:
        self.task, self.settings, self.device = task, settings, device
        self.progress, self.store = progress, store
        self.train, self.valid = rows
        self.transforms = Transforms.fit(self.train, settings.features.transform)

    def run(self) -> Trained:
        """Train, and choose. Raises TrainingError, and UsageError where LightGBM is needed and missing."""
        use = self.settings.features.boosted
        if use == "off" or (use == "auto" and self.train.rows < FEWEST_ROWS):
            return self._network(None)
        lightgbm()  # whether it is missing must not show after an hour of training only
        return self._network(self._scores()) if use == "on" else self._better()

    def _better(self) -> Trained:
        plain = self._network(None)
        fitted = self._scores()
        alone = self._error_of_scores(fitted)
        if not alone < plain.loss:
            self._tell("not used: alone they predict worse than the network", alone, plain.loss)
            return plain
        boosted = self._network(fitted)
        best = boosted if boosted.loss < plain.loss else plain
        verb = "used as inputs" if best is boosted else "not used, the network is worse with them"
        self._tell(verb, boosted.loss, plain.loss)
        history = [*plain.ledger.history, *boosted.ledger.history]
        return replace(best, ledger=replace(best.ledger, history=history))

    def _tell(self, what: str, with_scores: float, without: float) -> None:
        unit = self.transforms.target.original.sd
        rmse = (f"{unit * np.sqrt(loss):.4g}" for loss in (with_scores, without))
        text = f"{self.task.name}: boosted scores of the modalities are {what} (validation RMSE {{}} against {{}})"
        self.progress.notice(text.format(*rmse))

    def _network(self, fitted: FittedScores | None) -> Trained:
        """Train the network, with scores where there are some."""
        task, transforms, out_of_fold = self.task, self.transforms, None
        if fitted is not None:
            task = task.boosted()
            transforms, out_of_fold = replace(transforms, boosted=fitted.scores), fitted.out_of_fold
        shape = network_shape(transforms, self.settings.network)
        rows = (
            transforms.rows(self.train, self.device, out_of_fold),
            transforms.rows(self.valid, self.device),
        )
        found = ModelFit(task, shape, rows, self.settings, self.progress, self.store).run()
        model = FittedModel(self.train.columns, transforms, shape, found.network)
        return Trained(model, replace(found.ledger, boosted=fitted is not None))

    def _error_of_scores(self, fitted: FittedScores) -> float:
        """Mean squared error of the standardised target on the validation rows, by the scores alone."""
        target = self.transforms.target
        return stacked_error(
            (fitted.out_of_fold, target.standardise(self.train.required_target)),
            (
                self.transforms.scores(self.valid, fitted.scores),
                target.standardise(self.valid.required_target),
            ),
        )

    def _scores(self) -> FittedScores:
        """Scores of the training rows, from the store where an interrupted fit left them."""
        name = scores_name(self.task.number)
        stored = read_checkpoint(self.store, name, torch.device("cpu")) if self.store else None
        if stored is not None:
            document, tensors = stored
            return self._restored(document["folds"], tensors)
        self.progress.begin(f"{self.task.name}, boosted trees", self.settings.boosting.rounds)
        target = self.transforms.target.standardise(self.train.required_target)
        fitted = fit_scores(self.train, target, self.settings.boosting, self.settings.seed, self.task.number)
        self.progress.finish()
        if self.store is not None:
            tensors = fitted.scores.to_tensors() | {OUT_OF_FOLD: torch.from_numpy(fitted.out_of_fold)}
            write_checkpoint(self.store, name, {"folds": fitted.scores.folds}, tensors)
        return fitted

    def _restored(self, folds: int, tensors: dict[str, torch.Tensor]) -> FittedScores:
        out_of_fold = tensors.pop(OUT_OF_FOLD).numpy()
        features = {name: block.shape[1] for name, block in self.train.features.items()}
        try:
            return FittedScores(BoostedScores.from_tensors(features, folds, tensors), out_of_fold)
        except ValueError as error:
            raise RunError(
                "run.checkpoint", f"a checkpoint cannot be read: {error}", "start again with --force"
            ) from error
