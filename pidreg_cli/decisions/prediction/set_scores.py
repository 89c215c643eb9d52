"""What a model says of rows from one set of modalities, as the few numbers that its predictions are made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.transforms import TargetTransform
from pidreg_cli.information.conformal import hinges
from pidreg_cli.information.lattice import sources_of
from pidreg_cli.training.calibration_rows import CalibrationRows

Floats = NDArray[np.float64]

FARTHEST = 1e3  # distances end here: their logarithms are features


@dataclass(frozen=True, eq=False)
class SetScores:
    """Of N rows and one set: ``completed`` (N,), by completed codes, of the standardised target; ``scores`` (N, k),
    of Y', by heads and trees; ``distances`` (N, m), of the codes in the set from those of the training rows; and
    ``prediction`` (N,), the model's own of the standardised target, for the set of all modalities alone.
    """

    completed: Floats
    scores: Floats
    distances: Floats
    prediction: Floats | None

    @property
    def rows(self) -> int:
        """N."""
        return len(self.distances)

    def take(self, index: NDArray[np.bool_] | NDArray[np.intp]) -> SetScores:
        """The rows at ``index``."""
        return SetScores(
            self.completed[index],
            self.scores[index],
            self.distances[index],
            None if self.prediction is None else self.prediction[index],
        )

    def design(self, target: TargetTransform) -> Floats:
        """Features (N, p) of the prediction: scores also in the units of the standardised target."""
        if self.distances.shape[1] == 0:
            return self.distances
        standard = target.standardise(target.inverse(self.scores))
        own = [] if self.prediction is None else [self.prediction]
        return np.column_stack([*own, self.completed, self.scores, standard])

    def unlikeness(self, predicted: Floats, knots: Floats, target: TargetTransform) -> Floats:
        """Features (N, q) of the size of the error: where the prediction lies, how much its parts disagree, and how
        far the codes are from those of the training rows.
        """
        if self.distances.shape[1] == 0:
            return self.distances
        apart = np.abs(self.design(target) - predicted[:, None])
        apart = apart[:, [i for i in range(apart.shape[1]) if not self._is_score(i)]]
        far = np.log1p(np.minimum(self.distances, FARTHEST))
        return np.hstack([hinges(predicted, knots), apart, far])

    def _is_score(self, column: int) -> bool:
        """Whether a column of the design is a prediction of Y', not in the units of the others."""
        first = 1 + (self.prediction is not None)
        return bool(first <= column < first + self.scores.shape[1])


def nothing(rows: int) -> SetScores:
    """Of the empty set."""
    return SetScores(np.zeros(rows), np.zeros((rows, 0)), np.zeros((rows, 0)), None)


def scores_of(rows: CalibrationRows, mask: int, target: TargetTransform, *, trees: bool) -> SetScores:
    """Of calibration rows; ``trees``: whether the deployed model has any."""
    if mask == 0:
        return nothing(len(rows.targets))
    kinds = [rows.heads, rows.trees] if trees else [rows.heads]
    found = [kind[mask] for kind in kinds if mask in kind]
    completed, prediction = (target.standardise(one) for one in (rows.completed[mask], rows.prediction))
    return joined_scores(completed, found, rows.distances, mask, prediction)


def joined_scores(
    completed: Floats, scores: Sequence[Floats], distances: Floats, mask: int, prediction: Floats
) -> SetScores:
    """Columns together; ``distances`` (N, n) and ``prediction`` are those of all modalities."""
    full = mask == (1 << distances.shape[1]) - 1
    columns = np.column_stack(scores) if scores else np.zeros((len(completed), 0))
    return SetScores(completed, columns, distances[:, list(sources_of(mask))], prediction if full else None)
