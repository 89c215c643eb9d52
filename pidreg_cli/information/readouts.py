"""Cross-fitted readouts: how well each subset of codes predicts the target on rows that fitted nothing.

For a subset A the reported information is ``I_A = -1/2 log2(1 - R2)`` with R2 that of the target on its best
prediction from A: exact for Gaussian systems, a lower bound for a Gaussian target otherwise. Predictions are
made per model (``cross_fitted_predictions``); information is that of errors, so pooling several models is
concatenating their errors (``squared_errors``, then ``subset_informations``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pidreg_cli.information.arrays import Floats, Ints, columns, finite
from pidreg_cli.information.errors import (
    ConstantTargetError,
    DeterministicTargetError,
    ShapeError,
    TooFewRowsError,
)
from pidreg_cli.information.features import FeatureLayout, Interactions, ReadoutBlocks, feature_table
from pidreg_cli.information.moments import NO_SPREAD, Moments, checked_weights, without_each
from pidreg_cli.information.ridge import RidgeFit, RidgeProblem, penalised_inverse, solve

# Share of the target's variance below which an error is rounding: 16.6 bits and more count as infinite.
NO_ERROR = 1e-10
DETERMINED = "the target is predicted without error: its information is infinite"


@dataclass(frozen=True)
class CrossFit:
    """Predictions for held-out rows, each from a fit without the row's fold.

    ``predictions`` has shape (N, len(masks), t); ``baseline`` (N, t) is the mean of the rows of that fit, or with
    covariates the readout of these alone.
    ``influences`` (N, 1 + len(masks), t), baseline first, where they were asked for: by how much the sum of squared
    errors of the other folds would grow if the row had not been there to fit on, to first order.
    """

    masks: tuple[int, ...]
    predictions: Floats
    baseline: Floats
    influences: Floats | None = None


def balanced_folds(labels: ArrayLike, count: int, rng: np.random.Generator) -> Ints:
    """Fold 0..count-1 of each row; rows with the same label stay together, sizes are as equal as that allows.

    ``labels`` has shape (N,): groups of rows, or ``np.arange(N)`` where every row stands alone. Raises
    TooFewRowsError where there are fewer labels than folds.
    """
    _, cluster, sizes = np.unique(np.asarray(labels), return_inverse=True, return_counts=True)
    if sizes.size < count:
        raise TooFewRowsError(f"{count} folds need at least as many groups, however: {sizes.size}")
    loads, fold = np.zeros(count), np.empty(sizes.size, dtype=np.int64)
    # Largest groups first, each to the emptiest fold; the shuffle decides among equal sizes.
    shuffled = rng.permutation(sizes.size)
    for group in shuffled[np.argsort(-sizes[shuffled], kind="stable")]:
        fold[group] = np.argmin(loads)
        loads[fold[group]] += sizes[group]
    return np.asarray(fold[cluster])


def cross_fitted_predictions(
    held: ReadoutBlocks,
    target: ArrayLike,
    folds: Ints,
    masks: Sequence[int],
    fit: ReadoutBlocks | None = None,
    fit_target: ArrayLike | None = None,
    interactions: Interactions = "products",
    influences: bool = False,
) -> CrossFit:
    """Predict ``target`` (N,) or (N, t) of each held-out row by a readout of every subset in ``masks``.

    Each fold is predicted from the other folds and the ``fit`` rows (rows that stopped the training, never
    those that trained), with features standardised on those rows and a ridge penalty per subset, fold and
    target column. The same folds serve all subsets. ``influences`` are for intervals: see ``CrossFit``.
    Raises ShapeError, NonFiniteError, TooFewRowsError.
    """
    outcome = columns(target, "target")
    folds = _checked_folds(folds, outcome.shape[0])
    table = feature_table(held, interactions)
    if table.values.shape[0] != outcome.shape[0]:
        raise ShapeError(f"target has {outcome.shape[0]} rows, the codes {table.values.shape[0]}")
    rows = np.hstack([table.values, outcome])
    others = _fit_rows(fit, fit_target, interactions, rows.shape[1])
    readouts_of = baseline_and(table.layout, masks)
    # About a common point and in common units: sums of products of far larger numbers would lose digits.
    centre, unit = _location(rows, outcome.shape[1])
    rows, others = (rows - centre) / unit, (others - centre) / unit
    weights = row_weights(held, rows.shape[0])
    parts = {int(f): Moments.of(rows[folds == f], weights[folds == f]) for f in np.unique(folds)}
    always = Moments.of(others, None if fit is None else fit.weights)
    predictions = np.empty((rows.shape[0], len(masks), outcome.shape[1]))
    baseline = np.empty_like(outcome)
    influence = np.zeros((rows.shape[0], 1 + len(masks), outcome.shape[1])) if influences else None
    for fold, rest in zip(parts, without_each([*parts.values()], always), strict=True):
        inside = folds == fold
        readouts = FoldReadouts.fitted(rest, table.layout, readouts_of)
        found = readouts.predictions(rows[inside])
        predictions[inside] = found[:, len(readouts_of) - len(masks) :]
        baseline[inside] = found[:, 0] if table.layout.given.size else readouts.baseline
        if influence is not None:
            grown = readouts.influences(rows[~inside], rows[inside], weights[inside])
            influence[~inside] += grown[:, -1 - len(masks) :]
    shift = centre[table.values.shape[1] :]
    return CrossFit(tuple(masks), predictions + shift, baseline + shift, influence)


def baseline_and(layout: FeatureLayout, masks: Sequence[int]) -> tuple[int, ...]:
    """The subsets to fit: with covariates their own readout, of the empty set, comes first."""
    return (0, *masks) if layout.given.size else tuple(masks)


def _location(rows: Floats, targets: int) -> tuple[Floats, Floats]:
    """Means of all columns and units of the features; those of the last ``targets`` columns are kept.

    A column that does not vary beyond rounding gets an infinite unit and becomes exactly zero.
    """
    centre, spread = rows.mean(axis=0), rows.std(axis=0)
    unit = np.where(spread > NO_SPREAD * np.abs(centre), spread, np.inf)
    unit[rows.shape[1] - targets :] = 1.0
    return centre, unit


def _checked_folds(folds: Ints, rows: int) -> Ints:
    folds = np.asarray(folds)
    if folds.shape != (rows,):
        raise ShapeError(f"folds must have shape ({rows},), however: {folds.shape}")
    return folds


def _fit_rows(
    fit: ReadoutBlocks | None, target: ArrayLike | None, interactions: Interactions, width: int
) -> Floats:
    if (fit is None) != (target is None):
        raise ShapeError("fit rows need their target and the other way round")
    if fit is None or target is None:
        return np.empty((0, width))
    rows = np.hstack([feature_table(fit, interactions).values, columns(target, "target of the fit rows")])
    if rows.shape[1] != width:
        raise ShapeError(f"fit rows must have the features of the held-out rows: {rows.shape[1]} and {width}")
    return rows


@dataclass(frozen=True)
class FoldReadouts:
    """The readouts of some subsets fitted on the same rows, linear in the standardised features.

    ``mean`` and ``scale`` (P,) of the features, ``gram`` (P, P) their standardised sums of products, ``baseline``
    (t,) the mean of the targets, ``count`` the rows; for each subset its columns and its fit.
    """

    mean: Floats
    scale: Floats
    gram: Floats
    baseline: Floats
    count: float
    chosen: tuple[Ints, ...]
    fits: tuple[RidgeFit, ...]

    @classmethod
    def fitted(cls, moments: Moments, layout: FeatureLayout, masks: Sequence[int]) -> FoldReadouts:
        """Fit every subset from the moments of [features, targets], features ordered as in ``layout``."""
        width = layout.width
        if moments.count < 2:
            raise TooFewRowsError(
                f"a readout needs at least 2 rows to fit, however: {moments.count:g}",
                "weights count rows: scale them to a mean of one",
            )
        centred = moments.scatter
        spread = np.sqrt(np.maximum(np.diag(centred)[:width], 0.0) / moments.count)
        # A column constant on the fit rows has coefficient zero.
        scale = np.where(spread > NO_SPREAD, spread, np.inf)
        gram = centred[:width, :width] / np.outer(scale, scale)
        products, squares = centred[:width, width:] / scale[:, None], np.diag(centred)[width:]
        chosen = tuple(layout.columns(mask) for mask in masks)
        fits = tuple(
            solve(
                RidgeProblem(gram[np.ix_(c, c)], products[c], squares, moments.count), layout.free(mask).size
            )
            for c, mask in zip(chosen, masks, strict=True)
        )
        return cls(moments.mean[:width], scale, gram, moments.mean[width:], moments.count, chosen, fits)

    def predictions(self, rows: Floats) -> Floats:
        """Of rows (n, P + t) or (n, P), features first: shape (n, len(masks), t)."""
        standard = self._standard(rows)
        readouts = zip(self.chosen, self.fits, strict=True)
        return np.stack([self.baseline + standard[:, c] @ fit.coefficients for c, fit in readouts], axis=1)

    def influences(self, fit: Floats, scored: Floats, weights: Floats) -> Floats:
        """By how much the squared errors of ``scored`` (m, P + t) would grow without each row of ``fit`` (n, P + t).

        To first order in the row's part of the sums, penalties and scales held fixed: shape (n, 1 + len(masks), t),
        that of the baseline first. ``weights`` (m,) are those of the scored rows.
        """
        size, width = self.baseline.size, self.mean.size
        here = self._standard(scored)
        left, missed = fit[:, -size:] - self.baseline, (scored[:, -size:] - self.baseline) * weights[:, None]
        # For every readout how a row of features moves the sum of squares, and what it predicts; the mean's first.
        levers, slopes = np.zeros((2, width, 1 + len(self.fits), size))
        constants = np.empty((1 + len(self.fits), size))
        constants[0] = missed.sum(axis=0)
        for place, (c, ridge) in enumerate(zip(self.chosen, self.fits, strict=True), start=1):
            chosen = here[:, c]
            errors = missed - chosen @ ridge.coefficients * weights[:, None]
            levers[c, place] = penalised_inverse(self.gram[np.ix_(c, c)], ridge.penalties, chosen.T @ errors)
            slopes[c, place], constants[place] = ridge.coefficients, errors.sum(axis=0)
        apart = self._standard(fit)
        moved = np.tensordot(apart, levers, 1) + constants / self.count
        return np.asarray(2.0 * (left[:, None] - np.tensordot(apart, slopes, 1)) * moved)

    def _standard(self, rows: Floats) -> Floats:
        return (rows[:, : self.mean.size] - self.mean) / self.scale


def row_weights(blocks: ReadoutBlocks, rows: int) -> Floats:
    """The weights of the rows, shape (rows,): ones where none are given."""
    return np.ones(rows) if blocks.weights is None else checked_weights(blocks.weights, rows)


def squared_errors(
    target: ArrayLike, fitted: CrossFit, modalities: int, weights: ArrayLike | None = None
) -> Floats:
    """Squared errors of every subset for one target (N,): shape (N, 2**n), column 0 that of the baseline.

    Times the row's weight (N,) where weights are given.

    ``fitted`` must hold every non-empty subset once. Errors of several models are pooled by stacking their
    rows.
    """
    outcome = finite(target, "target")
    if sorted(fitted.masks) != list(range(1, 1 << modalities)):
        raise ShapeError(f"errors need all {(1 << modalities) - 1} subsets, however: {len(fitted.masks)}")
    errors = np.empty((outcome.size, 1 << modalities))
    errors[:, 0] = (outcome - fitted.baseline[:, 0]) ** 2
    errors[:, list(fitted.masks)] = (outcome[:, None] - fitted.predictions[:, :, 0]) ** 2
    return errors if weights is None else errors * checked_weights(weights, outcome.size)[:, None]


def training_influences(fitted: CrossFit, weights: ArrayLike | None = None) -> Floats:
    """Influences of every subset for one target, (N, 2**n) as ``squared_errors``, times the row's weight (N,).

    ``fitted`` must hold every non-empty subset once and its influences.
    """
    if fitted.influences is None:
        raise ShapeError("the readouts were fitted without influences")
    found = fitted.influences[:, np.argsort([0, *fitted.masks]), 0]
    return found if weights is None else found * checked_weights(weights, len(found))[:, None]


def subset_informations(errors: Floats) -> Floats:
    """Raw ``I_A = -1/2 log2(SSE_A / SST)`` in bits, shape (2**n,), from squared errors (N, 2**n).

    Negative where a readout does worse than the mean. Raises ConstantTargetError, and DeterministicTargetError where
    the errors are rounding.
    """
    return finite_informations(finite(errors, "squared errors").sum(axis=0))


def finite_informations(sums: Floats) -> Floats:
    """``informations_of_sums`` that refuses to read rounding as information: 16.6 bits and more."""
    if np.any((sums < NO_ERROR * sums[..., :1]) & (sums[..., :1] > 0.0)):
        raise DeterministicTargetError(DETERMINED)
    return informations_of_sums(sums)


def informations_of_sums(sums: Floats) -> Floats:
    """The same from sums of squared errors, shape (..., 2**n), index 0 the baseline."""
    if np.any(sums[..., 0] <= 0.0):
        raise ConstantTargetError(
            "the target does not vary on the rows that say the information", "give rows whose target varies"
        )
    if np.any(sums <= 0.0):
        raise DeterministicTargetError(DETERMINED)
    return np.asarray(-0.5 * np.log2(sums / sums[..., :1]))


def information_of_predictions(target: ArrayLike, prediction: ArrayLike, baseline: ArrayLike) -> float:
    """``-1/2 log2(SSE/SST)`` in bits of one prediction (N,) of ``target`` (N,); may be negative."""
    outcome = finite(target, "target")
    errors = [(outcome - finite(guess, "prediction")) ** 2 for guess in (baseline, prediction)]
    return float(subset_informations(np.stack(errors, axis=1))[1])
