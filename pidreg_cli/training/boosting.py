"""Boosted scores: what gradient boosted trees say of the target from each modality alone, as inputs of its encoder.

Trees resolve steps and sharp interactions of raw columns that a network of the same rows does not (Grinsztajn et al.
2022, arXiv 2207.08815). NOTE[DIFF]: the paper's encoders read the columns alone. A score is a function of its own
modality, so each code still is, and information and atoms mean what they meant.

A training row is scored by trees that did not see it, nor a row of its group: scores of rows that fitted them would
promise more than they hold, and the network would trust them too far. New rows get the mean of the fold models.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pidreg_cli.config.settings import BoostingSettings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.splits import fold_assignment
from pidreg_cli.training.seeds import Stream, numpy_generator
from pidreg_cli.training.trees import Block, Trees, fit_trees

Floats = NDArray[np.float64]

FEWEST_FOLDS = 2
SEEDS = 2**31 - 1  # LightGBM's seeds are 32-bit integers with a sign


@dataclass(frozen=True)
class BoostedScores:
    """Fold models of every modality; they predict the standardised target."""

    models: Mapping[str, tuple[Trees, ...]]

    @property
    def folds(self) -> int:
        """Models of a modality."""
        return len(next(iter(self.models.values())))

    def predict(self, blocks: Mapping[str, Block]) -> Floats:
        """Scores (n_rows, n_modalities) of rows that fitted none of the models: the mean over these.

        ``blocks``: raw features by modality, each (n_rows, n_features), NaN where missing.
        """
        columns = [
            np.mean([trees.predict(blocks[name]) for trees in models], axis=0)
            for name, models in self.models.items()
        ]
        return np.column_stack(columns)

    def to_tensors(self) -> dict[str, Tensor]:
        """Compressed models as bytes, uint8, named ``modality.fold`` by position."""
        return {
            f"{position}.{fold}": torch.frombuffer(bytearray(trees.packed()), dtype=torch.uint8)
            for position, models in enumerate(self.models.values())
            for fold, trees in enumerate(models)
        }

    @classmethod
    def from_tensors(
        cls, features: Mapping[str, int], folds: int, tensors: Mapping[str, Tensor]
    ) -> BoostedScores:
        """Inverse of ``to_tensors``; ``features``: number of columns by modality. Raises ValueError."""
        pairs = len(features) * folds
        names = [f"{i}.{fold}" for i in range(len(features)) for fold in range(min(folds, len(tensors)))]
        if pairs < 1 or pairs != len(tensors) or set(names) != set(tensors):
            raise ValueError("boosted trees are missing, or there are too many")
        found = {
            name: tuple(
                Trees.unpacked(tensors[f"{position}.{fold}"].cpu().numpy().tobytes()) for fold in range(folds)
            )
            for position, name in enumerate(features)
        }
        for name, models in found.items():
            if any(trees.features != features[name] for trees in models):
                raise ValueError(f"boosted trees of {name!r} read another number of columns")
        return cls(found)


@dataclass(frozen=True)
class FittedScores:
    """Scores and what they say of the rows that fitted them, each row by models without it: (n_rows, n_modalities)."""

    scores: BoostedScores
    out_of_fold: Floats


def fit_scores(
    arrays: MultimodalArrays, target: Floats, settings: BoostingSettings, seed: int, number: int
) -> FittedScores:
    """Fit on training rows. ``target`` (n_rows,): standardised; ``number``: of the model, in the seeds.

    Raises DataError where there are fewer than two rows or groups.
    """
    units = arrays.rows if arrays.groups is None else len(np.unique(arrays.groups))
    count = max(FEWEST_FOLDS, min(settings.folds, units))
    rng = numpy_generator(seed, Stream.BOOSTING_FOLDS, number)
    folds = fold_assignment(arrays.rows, count, rng, arrays.groups)
    seeds = numpy_generator(seed, Stream.BOOSTING, number).integers(SEEDS, size=(len(arrays.names), count))
    models = {}
    out_of_fold = np.empty((arrays.rows, len(arrays.names)))
    for position, (name, block) in enumerate(arrays.features.items()):
        fitted = []
        for fold in range(count):
            held = folds == fold
            trees = fit_trees(block[~held], target[~held], settings, int(seeds[position, fold]))
            out_of_fold[held, position] = trees.predict(block[held])
            fitted.append(trees)
        models[name] = tuple(fitted)
    return FittedScores(BoostedScores(models), out_of_fold)


def stacked_error(fit: tuple[Floats, Floats], new: tuple[Floats, Floats]) -> float:
    """Mean squared error on ``new`` of the best linear combination of scores on ``fit``.

    Both are scores (n_rows, n_modalities) and target (n_rows,).
    """

    def design(scores: Floats) -> Floats:
        return np.column_stack([np.ones(len(scores)), scores])

    weights, *_ = np.linalg.lstsq(design(fit[0]), fit[1], rcond=None)
    return float(np.mean(np.square(design(new[0]) @ weights - new[1])))
