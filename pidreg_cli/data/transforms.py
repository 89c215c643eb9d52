"""What turns raw columns into numbers for the network; fitted on training rows only, stored as plain numbers.

The target goes to normal scores for everything in bits, and is standardised in its own units for the
prediction loss. Features go to normal scores, are standardised, or both: scores resolve the bulk of a skewed
feature, its own units keep the distances in its tails. A missing cell reads what the row's other cells of the modality
let expect, or the training median or mean, and is flagged by an indicator.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import compress
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.counted import Counted
from pidreg_cli.data.imputation import ConditionalMeans
from pidreg_cli.data.scales import Floats, NormalScores, Standardiser
from pidreg_cli.errors import DataError

FeatureKind = Literal["quantile", "standard", "both"]
Imputation = Literal["conditional", "median"]
Block = NDArray[np.float32]

# Equally spaced scores that choose the stored knots (at most twice as many): 16,000 rows span scores of -4 to
# 4, so that linear interpolation is off by less than 0.008 (target) or 0.032 (features).
TARGET_RESOLUTION = 1000
FEATURE_RESOLUTION = 250
# Normal scores of features end here, new extreme rows included.
SCORE_LIMIT = 5.0
# Standardised values beside normal scores end here: one wild row must not outweigh a batch.
UNIT_LIMIT = 8.0


@dataclass(frozen=True, eq=False)
class TargetTransform:
    """The target as normal scores (rank-based inverse normal, Blom 1958) and standardised in its own units.

    ``distinct`` counts the distinct training values, ``tie_share`` is the share of training rows whose value
    occurs more than once, ``largest_tie`` the share of rows with the most frequent value, both in [0, 1]:
    with heavy ties the scores are far from normal and bits read too high.
    """

    scores: NormalScores
    original: Standardiser
    distinct: int
    tie_share: float
    largest_tie: float

    @classmethod
    def fit(cls, target: Floats, counted: Counted | None = None) -> TargetTransform:
        """Fit on the training rows' target, shape (n,), finite; ``counted``: its values, where they are known.

        Raises DataError where it is constant.
        """
        values, counts = counted or Counted.of(target)
        if len(values) < 2:
            raise DataError(
                "data.constant_target",
                "The target has the same value in every training row; it must vary there.",
                "Choose another target or another split.",
            )
        return cls(
            NormalScores.of_ties(values, counts, TARGET_RESOLUTION),
            Standardiser.fit(target),
            distinct=len(values),
            tie_share=float(counts[counts > 1].sum() / len(target)),
            largest_tie=float(counts.max() / len(target)),
        )

    def outside(self, target: Floats) -> int:
        """How many of ``target`` (n,) lie beyond the training range: all on one side read as about one normal score."""
        low, high = self.scores.values[[1, -2]]
        return int(np.sum((target < low) | (target > high)))

    def forward(self, target: Floats) -> Floats:
        """Original units to normal scores, shape kept."""
        return self.scores.forward(target)

    def inverse(self, scores: Floats) -> Floats:
        """Normal scores to original units, shape kept; at most one score beyond the training range."""
        return self.scores.inverse(scores)

    def standardise(self, target: Floats) -> Floats:
        """Original units to training mean 0 and standard deviation 1."""
        return self.original.forward(target)

    def restore(self, standard: Floats) -> Floats:
        """Standardised values back to original units."""
        return self.original.inverse(standard)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers; ``from_dict`` restores them exactly, also through JSON."""
        return {
            "scores": self.scores.to_dict(),
            "original": self.original.to_dict(),
            "distinct": self.distinct,
            "tie_share": self.tie_share,
            "largest_tie": self.largest_tie,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> TargetTransform:
        """Restore what ``to_dict`` wrote; raises KeyError, TypeError or ValueError on anything else."""
        return cls(
            NormalScores.from_dict(stored["scores"]),
            Standardiser.from_dict(stored["original"]),
            int(stored["distinct"]),
            float(stored["tie_share"]),
            float(stored["largest_tie"]),
        )


class FeatureArrays(NamedTuple):
    """``values`` of shape (n_rows, n_features), no NaN; ``indicators``, 0 or 1, (n_rows, n_indicators).

    ``units`` are the standardised features where ``values`` are their normal scores and both were asked for, of the
    shape of ``values``; else of shape (n_rows, 0).
    """

    values: Block
    indicators: Block
    units: Block


@dataclass(frozen=True, eq=False)
class FeatureTransform:
    """One modality's columns to numbers. ``scales`` holds None for a column without two training values; ``units``
    are the standardisers of kind "both", None at the same columns, and empty for the other kinds.

    ``flagged`` are positions of columns with an indicator of missing cells: those that miss some, but not
    all, of the training rows that have the modality. ``flags_absence`` says whether the last indicator marks
    rows without any cell, as training rows were; the other indicators are 0 on these rows. ``means`` fill missing
    cells, None for the median (kind "standard": the mean). ``hides``: training hides the modality from rows, so that
    these are marked also where the table has none without it: else they would read as rows in the middle of everything.
    """

    kind: FeatureKind
    columns: tuple[str, ...]
    scales: tuple[NormalScores | Standardiser | None, ...]
    units: tuple[Standardiser | None, ...]
    empty_columns: tuple[str, ...]
    flagged: tuple[int, ...]
    flags_absence: bool
    means: ConditionalMeans | None = None
    hides: bool = False

    def __post_init__(self) -> None:
        width = len(self.columns)
        if not all(isinstance(name, str) for name in (*self.columns, *self.empty_columns)):
            raise ValueError("names of columns must be texts")
        if len(self.scales) != width or len(self.units) != (width if self.kind == "both" else 0):
            raise ValueError(f"{width} columns, but {len(self.scales)} scales and {len(self.units)} units")
        if not all(type(place) is int and 0 <= place < width for place in self.flagged):
            raise ValueError("flagged columns must be positions of columns")
        if self.means is not None and len(self.means.noise) != width:
            raise ValueError("means are of another number of columns")

    @classmethod
    def fit(
        cls, block: Block, columns: Sequence[str], kind: FeatureKind, imputation: Imputation = "median"
    ) -> FeatureTransform:
        """Fit on training rows, shape (n, p), NaN where missing; ``columns`` are the p names."""
        missing = np.isnan(block)
        absent = missing.all(axis=1)
        gaps = missing[~absent]
        present = [column[~np.isnan(column)] for column in block.T.astype(np.float64)]
        plain = cls(
            kind,
            tuple(columns),
            tuple(_scale(column, kind) for column in present),
            tuple(_standardiser(column) for column in present) if kind == "both" else (),
            tuple(compress(columns, np.all(missing, axis=0))),
            tuple(np.flatnonzero(gaps.any(axis=0) & ~gaps.all(axis=0)).tolist()),
            bool(absent.any()),
        )
        if imputation == "median":
            return plain
        values = plain.apply(block).values.astype(np.float64)
        return replace(plain, means=ConditionalMeans.fit(values, plain.unread(missing)))

    @property
    def indicators(self) -> int:
        """Number of indicator columns."""
        return len(self.flagged) + self.marks_absence

    @property
    def marks_absence(self) -> bool:
        """Whether the last indicator marks rows without any cell."""
        return self.flags_absence or self.hides

    @property
    def constant_columns(self) -> tuple[str, ...]:
        """Columns with one value in training: they read 0 everywhere and say nothing."""
        unused = (name for name, scale in zip(self.columns, self.scales, strict=True) if scale is None)
        return tuple(name for name in unused if name not in self.empty_columns)

    def apply(self, block: Block) -> FeatureArrays:
        """Transform rows of shape (n, p), NaN where missing."""
        missing = np.isnan(block)
        values = _applied(self.scales, block, SCORE_LIMIT if self.kind != "standard" else None)
        if self.means is not None and missing.any():
            values = self._filled(self.means, values, missing)
            block = np.where(missing & ~missing.all(axis=1, keepdims=True), self._expected(values), block)
        units = _applied(self.units, block[:, : len(self.units)], UNIT_LIMIT)
        return FeatureArrays(values, self._indicators(missing), units)

    def unread(self, missing: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """``missing`` (n, p), and every cell of a column that reads 0 everywhere."""
        return np.asarray(missing | np.array([scale is None for scale in self.scales]))

    def _filled(self, means: ConditionalMeans, values: Block, missing: NDArray[np.bool_]) -> Block:
        """``values`` (n, p) with the expected ones of missing cells, within the limits of scores."""
        filled = means.fill(values.astype(np.float64), self.unread(missing))
        return np.where(missing, np.clip(filled, -SCORE_LIMIT, SCORE_LIMIT), values).astype(np.float32)

    def _expected(self, values: Block) -> Block:
        """Raw cells (n, p) that read as ``values``; 0 of columns without a scale."""
        columns = [
            np.zeros(len(values)) if scale is None else scale.inverse(column)
            for scale, column in zip(self.scales, values.T, strict=True)
        ]
        return np.column_stack(columns).astype(np.float32)

    def completed(self, block: Block) -> Block:
        """Raw rows, shape kept: a cell of a column that no training row missed reads as the training median or mean.

        For models of raw columns that learn what a missing cell means, and know nothing of one they never met.
        """
        if self.flags_absence:
            return block
        filled = block.copy()
        for position, scale in enumerate(self.scales):
            if scale is not None and position not in self.flagged:
                filled[np.isnan(block[:, position]), position] = scale.inverse(np.zeros(1))[0]
        return filled

    def _indicators(self, missing: NDArray[np.bool_]) -> Block:
        flags = missing[:, list(self.flagged)]
        if self.marks_absence:
            absent = missing.all(axis=1, keepdims=True)
            flags = np.hstack([flags & ~absent, absent])
        return flags.astype(np.float32)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers and texts; ``from_dict`` restores them exactly, also through JSON."""
        return {
            "kind": self.kind,
            "columns": list(self.columns),
            "scales": [None if scale is None else scale.to_dict() for scale in self.scales],
            "units": [None if unit is None else unit.to_dict() for unit in self.units],
            "empty_columns": list(self.empty_columns),
            "flagged": list(self.flagged),
            "flags_absence": self.flags_absence,
            "means": None if self.means is None else self.means.to_dict(),
            "hides": self.hides,
        }

    @classmethod
    def from_dict(cls, stored: Mapping[str, Any]) -> FeatureTransform:
        """Restore what ``to_dict`` wrote; raises KeyError, TypeError or ValueError on anything else."""
        scale = _SCALES[stored["kind"]]
        return cls(
            stored["kind"],
            tuple(stored["columns"]),
            tuple(None if one is None else scale.from_dict(one) for one in stored["scales"]),
            tuple(None if one is None else Standardiser.from_dict(one) for one in stored["units"]),
            tuple(stored["empty_columns"]),
            tuple(stored["flagged"]),
            bool(stored["flags_absence"]),
            None if stored.get("means") is None else ConditionalMeans.from_dict(stored["means"]),
            bool(stored.get("hides", False)),
        )


_SCALES: Mapping[FeatureKind, type[NormalScores] | type[Standardiser]] = {
    "quantile": NormalScores,
    "standard": Standardiser,
    "both": NormalScores,
}


def _scale(present: Floats, kind: FeatureKind) -> NormalScores | Standardiser | None:
    if _constant(present):
        return None
    return Standardiser.fit(present) if kind == "standard" else NormalScores.fit(present, FEATURE_RESOLUTION)


def _standardiser(present: Floats) -> Standardiser | None:
    return None if _constant(present) else Standardiser.fit(present)


def _constant(present: Floats) -> bool:
    return len(present) == 0 or present.min() == present.max()


def _applied(
    scales: Sequence[NormalScores | Standardiser | None], block: Block, limit: float | None
) -> Block:
    """Each column by its scale, within ``limit`` of zero; 0 where missing or without a scale."""
    # A row of memory for each column, which is how they are filled.
    values = np.zeros((len(scales), len(block)), np.float32)
    for position, scale in enumerate(scales):
        if scale is not None:
            values[position] = scale.forward(block[:, position])
    if limit is not None:
        np.clip(values, -limit, limit, out=values)
    values[np.isnan(values)] = 0
    return np.ascontiguousarray(values.T)
