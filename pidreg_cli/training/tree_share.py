"""The share of boosted trees of all modalities in a prediction: what suits rows best that trained neither."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.training.blocked_folds import BlockedFold, LeftOut, common_share, consecutive
from pidreg_cli.training.boosting import BoostedScores
from pidreg_cli.training.checkpoints import CheckpointStore
from pidreg_cli.training.fitted import FittedModel
from pidreg_cli.training.model_fit import ModelTask, tried
from pidreg_cli.training.processes import Processes
from pidreg_cli.training.progress import EpochRecord, Progress
from pidreg_cli.training.workers import Workers

SMALLEST_SHARE = 0.05
"""Of trees in a prediction: a smaller one gains less than it costs to keep and evaluate them."""


@dataclass(frozen=True)
class TreeShare:
    """Search for the share in the prediction of a model of these training and validation rows.

    ``apart``: all validation rows come after all training rows, or before: blocks of these are asked, too.
    """

    task: ModelTask
    rows: tuple[MultimodalArrays, MultimodalArrays]
    settings: Settings
    device: torch.device
    progress: Progress
    store: CheckpointStore | None
    workers: Workers
    processes: Processes
    apart: bool

    def of(self, model: FittedModel, scores: BoostedScores) -> tuple[float, list[EpochRecord]]:
        """The share in [0, 1], and how trainings without a block went.

        0 where there are no trees of all modalities, or too little of them is wanted.
        """
        if scores.full is None:
            return 0.0, []
        blocks, history = self._blocks(model)
        parts = [self._validation(model, scores, scores.full), *blocks]
        share = self.processes.number_of_first(common_share(parts))
        if share < SMALLEST_SHARE:
            return 0.0, history
        text = f"{self.task.name}: boosted trees of all modalities are {share:.0%} of the prediction"
        unit, judged = model.transforms.target.original.sd, LeftOut.pooled(parts)
        errors = [self.processes.number_of_first(judged.error(of_trees)) for of_trees in (share, 0.0)]
        after, before = (f"{unit * np.sqrt(error):.4g}" for error in errors)
        rows = "validation"
        if blocks:
            rows = (
                "best for validation rows and training rows left out in blocks, each by its own error; their"
            )
        self.progress.notice(f"{text} ({rows} RMSE {after}, without them {before})")
        return share, history

    def _validation(self, model: FittedModel, scores: BoostedScores, full: int) -> LeftOut:
        valid = self.rows[1]
        trees = replace(model.transforms, boosted=scores).scores(valid, [full])[full]
        target = model.transforms.target.standardise(valid.required_target)
        return LeftOut(model.read(valid, []).prediction, trees, target)

    def _blocks(self, model: FittedModel) -> tuple[list[LeftOut], list[EpochRecord]]:
        """Blocks of training rows as models without them predict them, standardised, and how their trainings went.

        None where encoders read scores: each block would need scores of its own, fold by fold.
        """
        count = self.settings.boosting.blocked_folds
        if not (count and self.apart) or model.transforms.encoded:
            return [], []
        self.progress.notice(
            f"{self.task.name}: validation rows are apart from the training rows, as in a split by time: {count} "
            "blocks of these are left out in turn, to say how much of the prediction trees should be "
            "(boosting.blocked_folds=0: validation rows alone)"
        )
        given = (self.settings, self.device, self.store, self.processes)
        folds = [
            BlockedFold(replace(self.task, block=number), self.rows, block, *given)
            for number, block in enumerate(consecutive(self.rows[0].rows, count), start=1)
        ]
        found = {
            fold.task.name: tried(training)
            for fold, training in [(fold, self.workers.start(fold)) for fold in folds]
        }
        for name in [name for name, one in found.items() if one is None]:
            self.progress.notice(f"{name}: nothing could be learnt, it has no say")
        counted = [one for one in found.values() if one is not None]
        standardise = model.transforms.target.standardise
        parts = [LeftOut(*map(standardise, (part.network, part.trees, part.target))) for part, _ in counted]
        return parts, [record for _, history in counted for record in history]
