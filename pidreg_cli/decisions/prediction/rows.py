"""Predictions of rows by a fitted model: from all that a row has, from less where something is absent."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.decisions.prediction.calibrated import Calibrated
from pidreg_cli.decisions.prediction.set_predictor import SCORE, TARGET
from pidreg_cli.decisions.prediction.set_scores import SetScores, joined_scores, nothing
from pidreg_cli.information.completion import distances_of
from pidreg_cli.information.lattice import sources_of
from pidreg_cli.information.pointwise import prediction_divergence, row_information
from pidreg_cli.threads import in_order
from pidreg_cli.training.calibration_rows import completed_prediction, presence
from pidreg_cli.training.fitted import FittedModel
from pidreg_cli.training.reading import CHUNK, Reading

Floats = NDArray[np.float64]

CELLS = 2**21  # numbers of a chunk: 16 MB of doubles, of which a reading makes a few copies
FEWEST_CHUNK = 64


@dataclass(frozen=True)
class Explanation:
    """``bits`` (N, n) by which each modality moves the prediction of Y', and ``shift`` (N, n) in the target's units:
    the prediction less that without the modality. NaN where a row lacks the modality or it is left out.
    ``without``, ``without_errors`` (N, n): Y' predicted without it, and the mean squared error to expect then.
    """

    bits: Floats
    shift: Floats
    without: Floats
    without_errors: Floats

    def information(self, found: RowPredictions, score: Floats) -> tuple[Floats, Floats]:
        """Bits (N,) that all predictions say of known values Y' ``score`` (N,), and what each modality adds (N, n)."""
        nothing, own = found.score_errors.T
        total = row_information(score, (found.score_alone, found.score), (nothing, own))
        added = row_information(
            score[:, None], (self.without, found.score[:, None]), (self.without_errors, own[:, None])
        )
        return total, added


@dataclass(frozen=True)
class RowPredictions:
    """Of N rows, in the target's units. ``lower``, ``upper``: of the interval, infinite where rows were too few.

    ``sets`` (N,): bitmask of the modalities the prediction is made of. ``score`` and ``score_alone`` (N,): Y' predicted
    from these, and without any modality; ``score_errors`` (N, 2): mean squared errors of Y' to expect, without any
    and with these. ``far`` (N, n): modalities unlike those of the training rows; ``code_sums`` (n, d): sums of the
    whitened codes of the rows that have each. ``explanation``: where asked for.
    """

    prediction: Floats
    lower: Floats
    upper: Floats
    sets: NDArray[np.int64]
    score: Floats
    score_alone: Floats
    score_errors: Floats
    far: NDArray[np.bool_]
    code_sums: Floats
    explanation: Explanation | None

    @classmethod
    def joined(cls, parts: Iterable[RowPredictions]) -> RowPredictions:
        """Parts one after the other."""
        found = list(parts)
        names = [f.name for f in fields(cls) if f.name not in ("explanation", "code_sums")]
        columns: dict[str, Any] = {name: np.concatenate([getattr(p, name) for p in found]) for name in names}
        columns["code_sums"] = np.sum([part.code_sums for part in found], axis=0)
        explained = [part.explanation for part in found if part.explanation is not None]
        if not explained:
            return cls(**columns, explanation=None)
        whole = (np.concatenate([getattr(one, f.name) for one in explained]) for f in fields(Explanation))
        return cls(**columns, explanation=Explanation(*whole))


@dataclass(frozen=True)
class Request:
    """``level`` of the intervals in (0, 1); ``explain``; ``use``: bitmask of the modalities to predict from, None where
    no modality is kept from all rows: what a row lacks then it lacks by itself.
    """

    level: float = 0.9
    explain: bool = False
    use: int | None = None


@dataclass(frozen=True)
class Predictor:
    """A fitted model with what its predictions were calibrated to."""

    model: FittedModel
    calibrated: Calibrated

    def predict(
        self, arrays: MultimodalArrays, request: Request | None = None, workers: int = 1
    ) -> RowPredictions:
        """Predictions of rows. Each run of ``chunk`` rows is read by itself, and does not depend on the others; at most
        ``workers`` of them are at the same time.
        """
        starts = range(0, max(arrays.rows, 1), self.chunk)
        parts = (arrays.take(slice(s, s + self.chunk)) for s in starts)
        read = partial(self._read, request=request or Request())
        found = in_order(read, parts, workers) if min(workers, len(starts)) > 1 else map(read, parts)
        return RowPredictions.joined(found)

    @property
    def chunk(self) -> int:
        """Rows that are read together: fewer of wide tables, for bounded memory."""
        width = sum(map(len, self.model.columns.values()))
        return max(FEWEST_CHUNK, min(CHUNK, 1 << (CELLS // max(width, 1)).bit_length() - 1))

    def _read(self, arrays: MultimodalArrays, request: Request) -> RowPredictions:
        there = presence(arrays)
        patterns = there @ (1 << np.arange(there.shape[1]))
        if request.use is not None:
            patterns &= request.use
        sets = self._serving[patterns]
        alone = None if request.use is not None else sets == patterns
        chunk = _Chunk(self, arrays, self._masks(sets, explain=request.explain), alone)
        return self._answered(chunk, sets, there, request)

    @cached_property
    def _serving(self) -> NDArray[np.int64]:
        every = range(1 << self.calibrated.modalities)
        return np.array([self.calibrated.serving(present) for present in every], np.int64)

    def _masks(self, sets: NDArray[np.int64], *, explain: bool) -> list[int]:
        """Sets whose predictions are needed."""
        wanted = {int(mask) for mask in np.unique(sets)} | {0}
        if explain:
            wanted |= {int(self._serving[mask & ~(1 << i)]) for mask in wanted for i in sources_of(mask)}
        return sorted(wanted)

    def _answered(
        self, chunk: _Chunk, sets: NDArray[np.int64], there: NDArray[np.bool_], request: Request
    ) -> RowPredictions:
        restore, errors = self.model.transforms.target.restore, self.calibrated.sets
        found = np.empty((len(sets), 2))
        half = np.empty(len(sets))
        own = np.empty((len(sets), 2))
        for mask in np.unique(sets).tolist():
            here = sets == mask
            found[here], half[here] = (
                chunk.predicted[mask][here],
                chunk.half_widths(mask, request.level)[here],
            )
            own[here] = errors[0].errors[SCORE], errors[mask].errors[SCORE]
        centre = found[:, TARGET]
        return RowPredictions(
            restore(centre),
            restore(centre - half),
            restore(centre + half),
            sets,
            found[:, SCORE],
            chunk.predicted[0][:, SCORE],
            own,
            (chunk.distances > self.calibrated.far) & there,
            np.stack([there[:, i] @ one for i, one in enumerate(chunk.whitened)]),
            self._explained(chunk, sets, found) if request.explain else None,
        )

    def _explained(self, chunk: _Chunk, sets: NDArray[np.int64], found: Floats) -> Explanation:
        unit = self.model.transforms.target.original.sd
        bits, shift, without, errors = np.full((4, len(sets), self.calibrated.modalities), np.nan)
        for mask in np.unique(sets).tolist():
            here = np.flatnonzero(sets == mask)
            own = float(self.calibrated.sets[mask].errors[SCORE])
            for i in sources_of(mask):
                rest = int(self._serving[mask & ~(1 << i)])
                other = float(self.calibrated.sets[rest].errors[SCORE])
                less = chunk.predicted[rest][here]
                without[here, i], errors[here, i] = less[:, SCORE], other
                bits[here, i] = prediction_divergence(found[here, SCORE], own, less[:, SCORE], other)
                shift[here, i] = unit * (found[here, TARGET] - less[:, TARGET])
        return Explanation(bits, shift, without, errors)


class _Chunk:
    """What the model says of some rows by each of some sets. All rows are read for every set: sums over a part of
    them could round otherwise. ``alone`` (N,): rows that have by themselves what they are predicted from, and no more.
    """

    def __init__(
        self,
        predictor: Predictor,
        arrays: MultimodalArrays,
        masks: list[int],
        alone: NDArray[np.bool_] | None,
    ) -> None:
        self.model, self.calibrated, self.alone = predictor.model, predictor.calibrated, alone
        self.target = self.model.transforms.target
        read = [mask for mask in masks if mask]
        trees = read if self.calibrated.trees else []
        reading = self.model.read(arrays, read if self.calibrated.heads else [], trees)
        self.whitened = self.calibrated.moments.whitened(reading.codes)
        self.distances = distances_of(self.whitened)
        self.scores = {mask: self._scores(reading, mask, arrays.rows) for mask in masks}
        self.predicted = {
            mask: self.calibrated.sets[mask].predict(scores, self.target)
            for mask, scores in self.scores.items()
        }

    def half_widths(self, mask: int, level: float) -> Floats:
        """Half the width (n,) of the interval of each row."""
        return self.calibrated.sets[mask].half_widths(
            self.scores[mask], self.predicted[mask][:, TARGET], level, self.target, self.alone
        )

    def _scores(self, reading: Reading, mask: int, rows: int) -> SetScores:
        if mask == 0:
            return nothing(rows)
        completed = self._completed(reading, mask)
        heads = [reading.scores[mask]] if mask in reading.scores else []
        trees = [self._to_score(reading.boosted[mask])] if mask in reading.boosted else []
        return joined_scores(completed, [*heads, *trees], self.distances, mask, reading.prediction)

    def _completed(self, reading: Reading, mask: int) -> Floats:
        if mask == (1 << self.calibrated.modalities) - 1:  # nothing is to be completed
            return reading.first
        return completed_prediction(self.model, self.calibrated.completions[mask], reading.codes)

    def _to_score(self, standard: Floats) -> Floats:
        return self.target.forward(self.target.restore(standard))
