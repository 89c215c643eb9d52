"""Stage 1's atoms: information of the sets of modalities on validation rows, and the fusion weights that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pidreg_cli.config.settings import Settings
from pidreg_cli.information.features import ReadoutBlocks
from pidreg_cli.information.lattice import monotone_closure, summary
from pidreg_cli.information.readouts import (
    cross_fitted_predictions,
    information_of_predictions,
)
from pidreg_cli.information.shapley import fusion_weights
from pidreg_cli.network.fusion import pair_indices
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.training.batches import Rows
from pidreg_cli.training.reading import Reading, read, summary_masks
from pidreg_cli.training.seeds import Stream, numpy_generator
from pidreg_cli.training.stages import smoothed

Floats = NDArray[np.float64]

READOUT_FOLDS = 5  # enough for readouts of a few scores; the report's own readouts use the configured number


@dataclass(frozen=True)
class StageAtoms:
    """``information`` (2**n,) smoothed, ``atoms``: unique of each, redundant, synergistic; ``weights``: of fusion."""

    information: list[float]
    atoms: list[float]
    weights: Tensor

    def named(self, names: Sequence[str]) -> dict[str, float]:
        """Atoms by name, for the history."""
        keys = [*(f"unique.{name}" for name in names), "redundant", "synergistic"]
        return dict(zip(keys, self.atoms, strict=True))


def stage_atoms(
    network: PIDRegNetwork, valid: Rows, previous: Sequence[float], settings: Settings, number: int
) -> StageAtoms:
    """Atoms and weights after an epoch of stage 1. ``previous``: smoothed informations of the last epoch, or empty."""
    n = len(valid.inputs)
    masks = summary_masks(n)
    trained_heads = settings.loss.sufficiency > 0
    reading = read(network, valid.inputs, masks if trained_heads else [])
    rng = numpy_generator(settings.seed, Stream.READOUT, number)
    folds = rng.permutation(np.arange(len(valid)) % READOUT_FOLDS)
    score = valid.score.double().cpu().numpy()
    blocks = stage_blocks(reading)
    interactions = settings.information.interactions
    found = cross_fitted_predictions(blocks, score[:, None], folds, masks, interactions=interactions)
    raw = np.zeros(2**n)
    for position, mask in enumerate(masks):
        raw[mask] = information_of_predictions(score, found.predictions[:, position, 0], found.baseline[:, 0])
    information = monotone_closure(smoothed(previous, monotone_closure(raw)))
    return StageAtoms(information.tolist(), atom_vector(information), weight_vector(information))


def stage_blocks(reading: Reading) -> ReadoutBlocks:
    """Features of stage 1's readouts: the heads' scores, which a few validation rows can bear; codes without heads."""
    if not reading.scores:
        return ReadoutBlocks(tuple(reading.codes), {})
    rows = len(reading.prediction)
    empty = tuple(np.empty((rows, 0)) for _ in reading.codes)
    return ReadoutBlocks(empty, {mask: score[:, None] for mask, score in reading.scores.items()})


def atom_vector(information: Floats) -> list[float]:
    """Unique information of each modality, redundant, synergistic (bits)."""
    parts = summary(information)
    return [*parts.unique, parts.redundant, parts.synergistic]


def weight_vector(information: Floats) -> Tensor:
    """Fusion weights in the order of ``Fusion.weights``: singles, then pairs."""
    weights = fusion_weights(information)
    n = len(weights.singles)
    pairs = [weights.pairs[i, j] for i, j in pair_indices(n)]
    return torch.tensor([*weights.singles, *pairs], dtype=torch.float32)
