"""Stage 1's atoms: information of the sets of modalities on validation rows, and the fusion weights that follow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pidreg_cli.config.settings import Settings
from pidreg_cli.information.errors import ConstantTargetError, TooFewRowsError
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
from pidreg_cli.training.processes import ALONE, Processes
from pidreg_cli.training.reading import read, summary_masks
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
    network: PIDRegNetwork,
    valid: Rows,
    previous: Sequence[float],
    settings: Settings,
    number: int,
    processes: Processes = ALONE,
) -> StageAtoms:
    """Atoms and weights after an epoch of stage 1. ``previous``: smoothed informations of the last epoch, or empty.

    Each process reads its part of the validation rows, and all go on from what the first finds.
    """
    n, rows = len(valid.inputs), len(valid)
    masks = summary_masks(n)
    score = valid.score.double().cpu().numpy()
    own = valid.part(processes.own(rows)).inputs
    if settings.loss.sufficiency > 0:
        scores = read(network, own, masks).scores
        columns = joined([score[:, None] for score in scores.values()], rows, processes)
        found = information_of_heads({m: c[:, 0] for m, c in zip(scores, columns, strict=True)}, score)
    else:
        rng = numpy_generator(settings.seed, Stream.READOUT, number)
        codes = joined(read(network, own, []).codes, rows, processes)
        found = information_of_codes(codes, score, masks, settings, rng)
    raw = np.zeros(2**n)
    raw[masks] = processes.numbers_of_first([found[mask] for mask in masks])
    information = monotone_closure(smoothed(previous, monotone_closure(raw)))
    return StageAtoms(information.tolist(), atom_vector(information), weight_vector(information))


def joined(own: Sequence[Floats], rows: int, processes: Processes) -> list[Floats]:
    """All ``rows`` of each of some tables (n, k), of which every process has its own."""
    if processes.alone:
        return [*own]
    whole = processes.joined(torch.from_numpy(np.hstack(own)), rows).numpy()
    return np.split(whole, np.cumsum([part.shape[1] for part in own])[:-1], 1)


def information_of_heads(scores: Mapping[int, Floats], score: Floats) -> dict[int, float]:
    """Information in the heads' own predictions of Y': they never saw these rows, so nothing is fitted, and a few
    rows suffice.
    """
    mean = np.zeros_like(score)  # of Y' on the training rows
    return {mask: information_of_predictions(score, s, mean) for mask, s in scores.items()}


def information_of_codes(
    codes: Sequence[Floats], score: Floats, masks: Sequence[int], settings: Settings, rng: np.random.Generator
) -> dict[int, float]:
    """Information in cross-fitted readouts of the codes, where the heads are not trained; none where the rows are too
    few, or too alike, for a readout.
    """
    folds = rng.permutation(np.arange(len(score)) % min(READOUT_FOLDS, len(score)))
    blocks = ReadoutBlocks(tuple(codes), {})
    interactions = settings.information.interactions
    try:
        fit = cross_fitted_predictions(blocks, score[:, None], folds, masks, interactions=interactions)
        columns = zip(masks, fit.predictions[:, :, 0].T, strict=True)
        return {m: information_of_predictions(score, column, fit.baseline[:, 0]) for m, column in columns}
    except (TooFewRowsError, ConstantTargetError):
        return dict.fromkeys(masks, 0.0)


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
