"""What a network and trees say of rows of another time: blocked cross-validation on the training rows of a model.

Where all validation rows come after all training rows, as in a split by time, they are one season: what predicts it
best need not predict the next one. So blocks of consecutive training rows are left out in turn (Roberts et al. 2017,
Ecography 40, 913-929). Folds at random would not tell: their rows lie between training rows of the same hours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.training.boosting import SEEDS, BoostedScores, joined
from pidreg_cli.training.checkpoints import CheckpointStore
from pidreg_cli.training.fitted import FittedModel, Transforms, network_shape
from pidreg_cli.training.model_fit import ModelTask, NetworkTraining
from pidreg_cli.training.processes import Processes
from pidreg_cli.training.progress import EpochRecord, Progress
from pidreg_cli.training.seeds import Stream, numpy_generator
from pidreg_cli.training.trees import fit_trees

Floats = NDArray[np.float64]

SMALLEST_ERROR = 1e-12
"""Mean squared error, of a target of variance one, below which all errors are alike."""


@dataclass(frozen=True)
class LeftOut:
    """Rows that trained neither of what predicts them: ``network``, ``trees``, ``target``, (N,), in one unit."""

    network: Floats
    trees: Floats
    target: Floats

    def error(self, share: float) -> float:
        """Mean squared error with such a share of trees in [0, 1]."""
        mixed = (1 - share) * self.network + share * self.trees
        return float(np.mean(np.square(mixed - self.target)))

    @property
    def least_error(self) -> float:
        """That of the best share."""
        return self.error(best_share(self.network, self.trees, self.target))

    def scaled(self, factor: float) -> LeftOut:
        """In another unit."""
        return LeftOut(factor * self.network, factor * self.trees, factor * self.target)

    @classmethod
    def pooled(cls, parts: Sequence[LeftOut]) -> LeftOut:
        """All rows, each once."""
        names = ("network", "trees", "target")
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))


def consecutive(rows: int, count: int) -> list[slice]:
    """``count`` blocks of consecutive rows, in sizes that differ by a row at most."""
    edges = np.linspace(0, rows, count + 1).astype(int).tolist()
    return [slice(start, stop) for start, stop in pairwise(edges)]


@dataclass(frozen=True)
class BlockedFold:
    """A network, and trees of all modalities, of all training rows but a block: still to do, by any process.

    ``rows``: those that train a model, and those that validate it; ``task``: of the block. NOTE[DIFF]: one network and
    one model of trees stand for the several of a model, whose means err less, both of them: more would take as many
    times as long.
    """

    task: ModelTask
    rows: tuple[MultimodalArrays, MultimodalArrays]
    block: slice
    settings: Settings
    device: torch.device
    store: CheckpointStore | None
    processes: Processes

    def __call__(self, progress: Progress) -> tuple[LeftOut, list[EpochRecord]] | None:
        """What both say of the block, in the target's units, and how training went; None where all other rows have
        one value of the target.
        """
        train, valid = self.rows
        kept = np.ones(train.rows, dtype=bool)
        kept[self.block] = False
        rest, held = train.take(kept), train.take(self.block)
        if np.ptp(rest.required_target) == 0:
            return None
        features, hides = self.settings.features, self.settings.training.modality_dropout > 0
        transforms = Transforms.fit(rest, features.transform, features.imputation, hides=hides)
        trees = self._trees(rest, held, transforms)
        shape = network_shape(transforms, rest.lists, self.settings.network)
        rows = transforms.rows(rest, self.device), transforms.rows(valid, self.device)
        training = NetworkTraining(self.task, shape, rows, self.settings, self.store, self.processes)
        trained = training(progress)
        network = FittedModel(rest.columns, transforms, (trained.network,)).predict(held)
        return LeftOut(network, trees, held.required_target), trained.ledger.history

    def _trees(self, rest: MultimodalArrays, held: MultimodalArrays, transforms: Transforms) -> Floats:
        full = (1 << len(rest.names)) - 1
        path = (Stream.BLOCKED_TREES, self.task.number, self.task.block)
        seed = int(numpy_generator(self.settings.seed, *path).integers(SEEDS))
        target = transforms.target.standardise(rest.required_target)
        trees = fit_trees(joined(rest.features, rest.names, full), target, self.settings.boosting, seed)
        scored = replace(transforms, boosted=BoostedScores(rest.names, {full: (trees,)}))
        return transforms.target.restore(scored.scores(held, [full])[full])


def best_share(first: Floats, second: Floats, target: Floats) -> float:
    """Share in [0, 1] of ``second`` in the mixture of two predictions with the least squared error; (n,) each."""
    difference = second - first
    spread = float(np.square(difference).sum())
    return float(np.clip(difference @ (target - first) / spread, 0.0, 1.0)) if spread > 0 else 0.0


def common_share(parts: Sequence[LeftOut]) -> float:
    """Share of trees in [0, 1] that is best for all ``parts``, each measured by the error of its own best share.

    Seasons differ in how far anything errs, and the worst of them must not decide alone: least squares with the
    variance of each part.
    """
    if len(parts) > 1:
        parts = [part.scaled(max(part.least_error, SMALLEST_ERROR) ** -0.5) for part in parts]
    rows = LeftOut.pooled(parts)
    return best_share(rows.network, rows.trees, rows.target)
