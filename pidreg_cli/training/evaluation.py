"""What a fitted model says of rows that did not train it: the raw material of information and selection."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import torch
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.information.debiased import debiased_allowed, debiased_jackknife
from pidreg_cli.information.features import ReadoutBlocks
from pidreg_cli.information.intervals import GROUPS, error_sums, null_targets
from pidreg_cli.information.readouts import balanced_folds, cross_fitted_predictions
from pidreg_cli.network.losses.gaussianity import joint_gaussianity, mixing_directions
from pidreg_cli.training.fitted import FittedModel
from pidreg_cli.training.reading import all_masks, readout_blocks
from pidreg_cli.training.seeds import Stream, torch_generator

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

NULL_DRAWS = 99
"""Null targets per p-value: the smallest is then .01, enough to tell signal from noise; more cost time only."""

DIVERGENCE_ROWS = (128, 512)
"""Fewest rows for the divergence of the codes to mean anything, and most that are needed (its cost is quadratic)."""
DIVERGENCE_DIRECTIONS = 64


@dataclass(frozen=True)
class Readouts:
    """Cross-fitted predictions of the same rows from every set of modalities.

    ``rows`` (N,): positions in the run's table. ``score`` (N,): Y'; ``score_predictions`` (N, 2**n): column = bitmask,
    column 0 the mean of the rows that fitted. ``score_influences`` (N, 2**n): see ``CrossFit``. ``target``,
    ``target_predictions``, ``target_influences``: the same in the target's units.
    """

    rows: Index
    score: Floats
    score_predictions: Floats
    score_influences: Floats
    target: Floats
    target_predictions: Floats
    target_influences: Floats

    @property
    def score_errors(self) -> Floats:
        """Squared errors of Y', (N, 2**n)."""
        return np.square(self.score[:, None] - self.score_predictions)

    @property
    def target_errors(self) -> Floats:
        """Squared errors in the target's units, (N, 2**n)."""
        return np.square(self.target[:, None] - self.target_predictions)


def pooled(parts: Sequence[Readouts]) -> Readouts:
    """Rows of several models together.

    Influences stay valid: sums of squared errors add over models, and a row fits readouts, other than as a validation
    row, in the model that holds it out alone. What it did to networks and as a validation row is held fixed.
    """
    return Readouts(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Readouts)))


@dataclass(frozen=True)
class ReadoutRows:
    """Rows as the readouts see them: features, Y' and target (N, 2), positions in the table (N,).

    ``groups`` (N,): number of the row's group in the table, or its position where every row stands alone.
    """

    blocks: ReadoutBlocks
    targets: Floats
    groups: NDArray[np.int64]
    rows: Index

    @classmethod
    def of(
        cls, model: FittedModel, arrays: MultimodalArrays, index: Index, settings: Settings
    ) -> ReadoutRows:
        """The rows at ``index`` of a table with a target."""
        rows = arrays.take(index)
        transform, target = model.transforms.target, rows.required_target
        masks = all_masks(len(rows.names))
        # Without the sufficiency term the heads never learned: their scores would be noise.
        reading = model.read(rows, masks if settings.loss.sufficiency else [], masks)
        targets = np.column_stack([transform.forward(target), target])
        blocks = readout_blocks(reading, lambda standard: transform.forward(transform.restore(standard)))
        # The network computes codes in single precision: nothing is lost, and memory halved.
        codes = tuple(np.asarray(code, np.float32) for code in blocks.codes)
        return cls(replace(blocks, codes=codes), targets, group_numbers(arrays)[index], index)


def group_numbers(arrays: MultimodalArrays) -> NDArray[np.int64]:
    """Number of each row's group, in the order of the labels; its position where every row stands alone."""
    if arrays.groups is None:
        return np.arange(arrays.rows)
    return np.asarray(np.unique(arrays.groups, return_inverse=True)[1], np.int64)


def cross_fitted(
    held: ReadoutRows, fit: ReadoutRows | None, settings: Settings, rng: np.random.Generator
) -> Readouts:
    """Readouts of ``held``, cross-fitted among them, with the rows of ``fit`` always among those that fit."""
    count = len(held.blocks.codes)
    found = cross_fitted_predictions(
        held.blocks,
        held.targets,
        readout_folds(held, settings, rng),
        all_masks(count),
        fit=None if fit is None else fit.blocks,
        fit_target=None if fit is None else fit.targets,
        interactions=settings.information.interactions,
        influences=True,
    )
    predictions = np.concatenate([found.baseline[:, None], found.predictions], 1)
    influences = np.asarray(found.influences)
    score, target = ((held.targets[:, t], predictions[:, :, t], influences[:, :, t]) for t in (0, 1))
    return Readouts(held.rows, *score, *target)


def readout_folds(held: ReadoutRows, settings: Settings, rng: np.random.Generator) -> NDArray[np.int64]:
    """Folds of the readouts, groups together; fewer than configured where there are fewer groups."""
    groups = len(np.unique(held.groups))
    return balanced_folds(held.groups, min(settings.information.folds, groups), rng)


def tested_masks(modalities: int) -> list[int]:
    """Sets whose information gets a p-value: each modality, and all together."""
    return list(dict.fromkeys([*(1 << i for i in range(modalities)), 2**modalities - 1]))


def null_error_sums(
    held: ReadoutRows, fit: ReadoutRows | None, settings: Settings, rng: np.random.Generator
) -> Floats:
    """Error sums (1 + tested sets, 1 + draws) of Y' and of null targets; they add over models."""
    folds = readout_folds(held, settings, rng)
    targets = with_null_targets(held, rng)
    found = cross_fitted_predictions(
        held.blocks,
        targets,
        folds,
        tested_masks(len(held.blocks.codes)),
        fit=None if fit is None else fit.blocks,
        fit_target=None if fit is None else with_null_targets(fit, rng),
        interactions=settings.information.interactions,
    )
    return error_sums(targets, found)


def with_null_targets(rows: ReadoutRows, rng: np.random.Generator) -> Floats:
    """Y' and its null versions as columns, (N, 1 + draws)."""
    score = rows.targets[:, 0]
    return np.column_stack([score, null_targets(score, NULL_DRAWS, rng, rows.groups)])


def jackknife_groups(labels: NDArray[np.generic], rng: np.random.Generator) -> NDArray[np.int64]:
    """Jackknife group of each row, rows with one label together; fewer groups than usual with few labels."""
    return balanced_folds(labels, min(GROUPS, len(np.unique(labels))), rng)


def debiased_informations(held: ReadoutRows, settings: Settings, rng: np.random.Generator) -> Floats:
    """Debiased informations and their jackknife replicates, (1 + groups, 2**n); NaN where rows are too few."""
    groups = jackknife_groups(held.groups, rng)
    interactions = settings.information.interactions
    # A replicate has one group less, and must bear the estimate too.
    remaining = int(len(groups) * (1 - 1 / GROUPS))
    if len(np.unique(groups)) < GROUPS or not debiased_allowed(remaining, held.blocks, interactions):
        return np.full((1 + GROUPS, 2 ** len(held.blocks.codes)), np.nan)
    found = debiased_jackknife(held.blocks, held.targets[:, 0], groups, interactions)
    return np.vstack([found.estimate, found.replicates])


def code_divergence(held: ReadoutRows, settings: Settings, number: int) -> float:
    """Mean one-dimensional Cauchy-Schwarz divergence of (Y', codes) from a joint normal; NaN with few rows."""
    fewest, most = DIVERGENCE_ROWS
    if len(held.rows) < fewest:
        return float("nan")
    codes = [torch.from_numpy(np.asarray(code, np.float64)[:most]) for code in held.blocks.codes]
    noise = torch_generator(settings.seed, Stream.DIVERGENCE, number)
    width = sum(code.shape[1] for code in codes)
    directions = mixing_directions(width, DIVERGENCE_DIRECTIONS, noise, codes[0])
    score = torch.from_numpy(held.targets[:most, 0])
    return float(joint_gaussianity(score, codes, settings.loss.bandwidth, directions))
