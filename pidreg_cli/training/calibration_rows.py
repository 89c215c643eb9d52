"""What a model says of rows that did not train it, set of modalities by set: predictions are calibrated on these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.information.completion import CodeMoments, Completion
from pidreg_cli.training.evaluation import ReadoutRows
from pidreg_cli.training.fitted import FittedModel
from pidreg_cli.training.reading import CHUNK

Floats = NDArray[np.float64]

ALL_SETS = 5
"""Up to so many modalities predictions are kept for every set of them, 31 at most."""
MOST_MOMENT_ROWS = 10_000  # training rows behind the moments of codes
BY_SET = ("heads", "trees", "completed")
FEWEST_COMPLETE_ROWS = 500
"""Rows with every modality from which they alone are enough: codes of absent modalities are not like others."""


def served_sets(modalities: int) -> tuple[int, ...]:
    """Non-empty sets that get predictions of their own, as bitmasks: with more than five modalities those of one or
    two, and those that lack two or fewer.
    """
    sizes = (
        range(modalities + 1)
        if modalities <= ALL_SETS
        else (1, 2, modalities - 2, modalities - 1, modalities)
    )
    return tuple(mask for mask in range(1, 1 << modalities) if mask.bit_count() in sizes)


def presence(arrays: MultimodalArrays) -> NDArray[np.bool_]:
    """Which modalities each row has, (n_rows, n_modalities)."""
    return np.column_stack([~np.isnan(block).all(axis=1) for block in arrays.features.values()])


def code_moments(model: FittedModel, train: MultimodalArrays) -> CodeMoments:
    """Moments of the codes of training rows, of those with every modality where there are enough."""
    complete = np.flatnonzero(presence(train).all(axis=1))
    enough = len(complete) >= min(FEWEST_COMPLETE_ROWS, train.rows)
    rows = complete if enough else np.arange(train.rows)
    return CodeMoments.of(model.read(train.take(rows[:: -(-len(rows) // MOST_MOMENT_ROWS)]), []).codes)


@torch.no_grad()
def completed_prediction(model: FittedModel, completion: Completion, codes: Sequence[Floats]) -> Floats:
    """Standardised predictions (N,) from the codes of one set, the others as expected from them.

    By the network whose codes they are, the first of the model. Rows are taken together, so that their number is
    best kept to ``CHUNK``.
    """
    network, device = model.networks[0], model.device
    completed = [
        torch.as_tensor(code, dtype=torch.float32, device=device) for code in completion.codes(codes)
    ]
    excess = torch.as_tensor(completion.excess, dtype=torch.float32, device=device)
    return network.predict(completed, excess=excess).double().cpu().numpy()


@dataclass(frozen=True)
class CalibrationRows:
    """Rows that did not train the model that speaks of them.

    For the sets of ``served_sets``: ``heads[mask]`` and ``trees[mask]`` (N,), predictions of Y' where the model has
    such of the set, and ``completed[mask]`` (N,), predictions in the target's units by completed codes. ``distances``
    (N, n): of the codes from those of the training rows. ``present`` (N, n): modalities of the row. ``prediction``
    (N,): the model's own, in the target's units. ``targets`` (N, 2): Y' and target. ``groups`` (N,).
    """

    heads: Mapping[int, Floats]
    trees: Mapping[int, Floats]
    completed: Mapping[int, Floats]
    distances: Floats
    present: NDArray[np.bool_]
    prediction: Floats
    targets: Floats
    groups: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        model: FittedModel,
        moments: CodeMoments,
        rows: ReadoutRows,
        arrays: MultimodalArrays,
        prediction: Floats,
        *,
        heads: bool,
    ) -> CalibrationRows:
        """From the rows as readouts see them; ``arrays``, ``prediction``: of the same rows; ``heads``: were trained."""
        codes = [np.asarray(code, np.float64) for code in rows.blocks.codes]
        sets = served_sets(len(codes))
        boosted = model.transforms.boosted
        return cls(
            heads={mask: _column(rows, mask, 0) for mask in sets} if heads else {},
            trees={mask: _column(rows, mask, -1) for mask in sets if boosted and mask in boosted.models},
            completed={mask: _completed(model, Completion.of(moments, mask), codes) for mask in sets},
            distances=moments.distances(codes),
            present=presence(arrays),
            prediction=prediction,
            targets=rows.targets,
            groups=rows.groups,
        )

    @classmethod
    def pooled(cls, parts: Sequence[CalibrationRows]) -> CalibrationRows:
        """Of several models together; trees where all models have some."""
        first, *others = (part.to_arrays() for part in parts)
        names = [name for name in first if all(name in other for other in others)]
        return cls.from_arrays(
            {n: np.concatenate([first[n], *(other[n] for other in others)]) for n in names}
        )

    def some(self, most: int, rng: np.random.Generator) -> CalibrationRows:
        """At most so many of the rows, in their order."""
        if len(self.targets) <= most:
            return self
        index = np.sort(rng.choice(len(self.targets), most, replace=False))
        return CalibrationRows.from_arrays({name: array[index] for name, array in self.to_arrays().items()})

    def to_arrays(self) -> dict[str, Any]:
        """Plain arrays by name; ``from_arrays`` restores the rows exactly."""
        by_set = {f"{name}.{mask}": a for name in BY_SET for mask, a in getattr(self, name).items()}
        return by_set | {f.name: getattr(self, f.name) for f in fields(self)[len(BY_SET) :]}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Any]) -> CalibrationRows:
        """Inverse of ``to_arrays``."""
        by_set: dict[str, Any] = {name: _by_mask(arrays, f"{name}.") for name in BY_SET}
        return cls(**by_set, **{f.name: arrays[f.name] for f in fields(cls)[len(BY_SET) :]})


def _column(rows: ReadoutRows, mask: int, place: int) -> Floats:
    """A column of the scores of a set: of its heads first, of its trees last."""
    return np.asarray(rows.blocks.scores[mask])[:, place]


def _completed(model: FittedModel, completion: Completion, codes: Sequence[Floats]) -> Floats:
    starts = range(0, len(codes[0]), CHUNK)
    parts = [completed_prediction(model, completion, [c[s : s + CHUNK] for c in codes]) for s in starts]
    return model.transforms.target.restore(np.concatenate(parts))


def _by_mask(arrays: Mapping[str, Any], prefix: str) -> dict[int, Floats]:
    masks = sorted(int(name.removeprefix(prefix)) for name in arrays if name.startswith(prefix))
    return {mask: np.asarray(arrays[f"{prefix}{mask}"], np.float64) for mask in masks}
