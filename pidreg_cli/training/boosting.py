"""Boosted scores: what gradient boosted trees say of the target from every set of modalities.

Trees resolve steps and sharp interactions of raw columns that a network of the same rows does not (Grinsztajn et al.
2022, arXiv 2207.08815). NOTE[DIFF]: the paper's encoders read the columns alone. A score is a function of its own
modalities, so codes and readouts of a set still know that set only, and information and atoms mean what they meant.
Every set gets one: were there a score of all modalities together and none of each, what trees see in one modality
would be booked as synergy.

A training row is scored by trees that did not see it, nor a row of its group: scores of rows that fitted them would
promise more than they hold, and the network would trust them too far. New rows get the mean of the fold models.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pidreg_cli.config.settings import BoostingSettings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.splits import fold_assignment
from pidreg_cli.information.lattice import sources_of
from pidreg_cli.threads import in_order
from pidreg_cli.training.processes import ALONE, Processes
from pidreg_cli.training.seeds import Stream, numpy_generator
from pidreg_cli.training.trees import Block, Trees, fit_trees, most_characters

Floats = NDArray[np.float64]

FEWEST_FOLDS = 2
SEEDS = 2**31 - 1  # LightGBM's seeds are 32-bit integers with a sign
MOST_MODALITIES = 4
"""With more, single modalities only are scored: the sets double with each, and all or no larger sets must be."""


def deciding_sets(modalities: int) -> list[int]:
    """Of the scored sets those that tell whether scores are worth having: each modality, and all together."""
    everything = (1 << modalities) - 1
    return [m for m in scored_sets(modalities) if m.bit_count() == 1 or m == everything]


def scored_sets(modalities: int) -> list[int]:
    """Bitmasks of the sets that get a score: every set of up to four modalities, else each modality."""
    if modalities <= MOST_MODALITIES:
        return list(range(1, 1 << modalities))
    return [1 << i for i in range(modalities)]


@dataclass(frozen=True)
class BoostedScores:
    """Fold models of every scored set, by bitmask; they predict the standardised target from ``modalities``."""

    modalities: tuple[str, ...]
    models: Mapping[int, tuple[Trees, ...]]

    @property
    def folds(self) -> int:
        """Models of a set."""
        return len(next(iter(self.models.values())))

    @property
    def full(self) -> int | None:
        """The set of all modalities where it is scored, else None."""
        everything = (1 << len(self.modalities)) - 1
        return everything if everything in self.models else None

    def predict(self, blocks: Mapping[str, Block], masks: Sequence[int]) -> dict[int, Floats]:
        """Scores (n_rows,) of the sets in ``masks`` for rows that fitted none of the models: their mean.

        ``blocks``: raw features by modality, each (n_rows, n_features), NaN where missing.
        """
        found = {}
        for mask in masks:
            block = joined(blocks, self.modalities, mask)
            found[mask] = np.mean([trees.predict(block) for trees in self.models[mask]], axis=0)
        return found

    def to_tensors(self) -> dict[str, Tensor]:
        """Compressed models as bytes, uint8, named ``set.fold``."""
        return {
            f"{mask}.{fold}": torch.frombuffer(bytearray(trees.packed()), dtype=torch.uint8)
            for mask, models in self.models.items()
            for fold, trees in enumerate(models)
        }

    @classmethod
    def from_tensors(
        cls, features: Mapping[str, int], folds: int, masks: Sequence[int], tensors: Mapping[str, Tensor]
    ) -> BoostedScores:
        """Inverse of ``to_tensors`` for scores of ``masks``; ``features``: number of columns by modality.

        Raises ValueError.
        """
        modalities = tuple(features)
        names = [f"{mask}.{fold}" for mask in masks for fold in range(min(folds, len(tensors)))]
        if folds < 1 or folds * len(masks) != len(tensors) or set(names) != set(tensors):
            raise ValueError("boosted trees are missing, or there are too many")
        left = most_characters(sum(tensor.nbytes for tensor in tensors.values()))
        unpacked: dict[str, Trees] = {}
        for name in names:
            unpacked[name] = Trees.unpacked(tensors[name].cpu().numpy().tobytes(), left)
            left -= len(unpacked[name].text)
        found = {mask: tuple(unpacked[f"{mask}.{fold}"] for fold in range(folds)) for mask in masks}
        for mask, models in found.items():
            columns = sum(features[modalities[i]] for i in sources_of(mask))
            if any(trees.features != columns for trees in models):
                raise ValueError(f"boosted trees of set {mask} read another number of columns")
        return cls(modalities, found)


@dataclass(frozen=True)
class FittedScores:
    """Scores, and what those of each modality say of the rows that fitted them, each row by models without it:
    (n_rows, n_modalities).
    """

    scores: BoostedScores
    out_of_fold: Floats


def joined(blocks: Mapping[str, Block], modalities: Sequence[str], mask: int) -> Block:
    """Columns of the modalities of a set side by side, in order."""
    chosen = [blocks[modalities[i]] for i in sources_of(mask)]
    return chosen[0] if len(chosen) == 1 else np.hstack(chosen)


@dataclass(frozen=True)
class ScoreFits:
    """Trees of sets of modalities on the training rows of a model, fold by fold.

    ``target`` (n_rows,): standardised; ``number``: of the model, in the seeds. A set is fitted the same whichever
    others are.
    """

    arrays: MultimodalArrays
    target: Floats
    settings: BoostingSettings
    seed: int
    number: int
    processes: Processes = ALONE

    @property
    def units(self) -> int:
        """Rows, or groups, that folds share."""
        groups = self.arrays.groups
        return self.arrays.rows if groups is None else len(np.unique(groups))

    @cached_property
    def folds(self) -> NDArray[np.intp]:
        """Fold of each row. Raises DataError where there are fewer than two rows or groups."""
        count = max(FEWEST_FOLDS, min(self.settings.folds, self.units))
        rng = numpy_generator(self.seed, Stream.BOOSTING_FOLDS, self.number)
        return fold_assignment(self.arrays.rows, count, rng, self.arrays.groups)

    def deciding(self, threads: int) -> FittedScores:
        """Scores of ``deciding_sets``, those of each modality also out of fold, by so many threads.

        Raises DataError as ``folds``.
        """
        models = self._models(deciding_sets(len(self.arrays.names)), threads)
        return FittedScores(BoostedScores(self.arrays.names, models), self._out_of_fold(models))

    def completed(self, scores: BoostedScores, threads: int) -> BoostedScores:
        """With the other sets."""
        masks = scored_sets(len(self.arrays.names))
        found = self._models([mask for mask in masks if mask not in scores.models], threads)
        return replace(scores, models={mask: {**scores.models, **found}[mask] for mask in masks})

    def _models(self, masks: Sequence[int], threads: int) -> dict[int, tuple[Trees, ...]]:
        """Of every set a model for each fold. Each is fitted by one thread, so that it is the same for any number."""
        count = int(self.folds.max()) + 1
        own = self._dealt([*product(masks, range(count))])
        fitted = in_order(lambda fit: self._model(*fit), own, threads)
        found = exchanged(dict(zip(own, fitted, strict=True)), self.processes)
        return {mask: tuple(found[mask, fold] for fold in range(count)) for mask in masks}

    def _dealt(self, fits: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Of fits (set, fold) those of this process; one takes as long as its set has columns."""
        widths = [block.shape[1] for block in self.arrays.features.values()]
        dealt = self.processes.dealt([sum(widths[i] for i in sources_of(mask)) for mask, _ in fits])
        return [fit for fit, rank in zip(fits, dealt, strict=True) if rank == self.processes.rank]

    def _model(self, mask: int, fold: int) -> Trees:
        """Of a set, from all rows but those of a fold."""
        count, kept = int(self.folds.max()) + 1, self.folds != fold
        seeds = numpy_generator(self.seed, Stream.BOOSTING, self.number, mask).integers(SEEDS, size=count)
        block = joined(self.arrays.features, self.arrays.names, mask)[kept]
        return fit_trees(block, self.target[kept], self.settings, int(seeds[fold]))

    def _out_of_fold(self, models: Mapping[int, tuple[Trees, ...]]) -> Floats:
        found = np.zeros((self.arrays.rows, len(self.arrays.names)))
        blocks = [*self.arrays.features.values()]
        fits = [(1 << i, fold) for i in range(len(blocks)) for fold in range(len(models[1 << i]))]
        for mask, fold in self._dealt(fits):
            position, held = mask.bit_length() - 1, self.folds == fold
            found[held, position] = models[mask][fold].predict(blocks[position][held])
        return self.processes.add(torch.from_numpy(found)).numpy()


def exchanged(own: dict[tuple[int, int], Trees], processes: Processes) -> dict[tuple[int, int], Trees]:
    """Trees by set and fold: those of every process on each."""
    if processes.alone:
        return own
    texts = {f"{mask}.{fold}": trees.text for (mask, fold), trees in own.items()}
    found = {}
    for part in processes.of_each(json.dumps(texts).encode()):
        for name, text in json.loads(part).items():
            mask, _, fold = name.partition(".")
            found[int(mask), int(fold)] = Trees(text)
    return found


def stacked(fit: tuple[Floats, Floats], new: Floats) -> Floats:
    """Predictions (m_rows,) by the best linear combination of scores on ``fit``.

    ``fit``: scores (n_rows, n_modalities) and target (n_rows,); ``new`` (m_rows, n_modalities).
    """

    def design(scores: Floats) -> Floats:
        return np.column_stack([np.ones(len(scores)), scores])

    weights, *_ = np.linalg.lstsq(design(fit[0]), fit[1], rcond=None)
    return np.asarray(design(new) @ weights)
