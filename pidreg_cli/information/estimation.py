"""From codes to subset informations: the three estimators side by side.

``heldout``: cross-fitted readouts, a lower bound (the default). ``debiased``: the plug-in covariance of
held-out rows less its exact bias, an estimate of the information itself where rows outnumber features by
half. ``plugin``: the same without the correction, as published; noise reads as signal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from pidreg_cli.information.arrays import Floats, Ints
from pidreg_cli.information.arrays import columns as as_columns
from pidreg_cli.information.covariance import checked_correlation, column_order
from pidreg_cli.information.debiased import debiased_jackknife, plugin_jackknife
from pidreg_cli.information.errors import ShapeError, TooFewRowsError, UnknownMeasureError
from pidreg_cli.information.features import Interactions, ReadoutBlocks
from pidreg_cli.information.gaussian import (
    conditional_covariances,
    information_bias,
    subset_informations,
    subset_widths,
)
from pidreg_cli.information.intervals import GROUPS, Jackknife, jackknife_of_errors
from pidreg_cli.information.lattice import largest_repair, monotone_closure
from pidreg_cli.information.moments import Moments
from pidreg_cli.information.readouts import (
    balanced_folds,
    cross_fitted_predictions,
    finite_informations,
    squared_errors,
    training_influences,
)

Estimator = Literal["heldout", "debiased", "plugin"]


@dataclass(frozen=True)
class Estimate:
    """Subset informations in bits: ``raw`` as estimated, ``values`` made coherent, both (2**n,), and the
    jackknife.
    """

    estimator: Estimator
    jackknife: Jackknife

    @property
    def raw(self) -> Floats:
        """As estimated: may be negative or not monotone."""
        return self.jackknife.estimate

    @property
    def values(self) -> Floats:
        """The monotone closure, from which atoms, summary, shares and weights are computed."""
        return monotone_closure(self.raw)

    @property
    def repair(self) -> float:
        """The most that the closure moved any subset (bits)."""
        return largest_repair(self.raw, self.values)


def estimate_information(
    blocks: ReadoutBlocks,
    target: ArrayLike,
    rng: np.random.Generator,
    estimator: Estimator = "heldout",
    interactions: Interactions = "products",
    folds: int = 10,
    groups: ArrayLike | None = None,
) -> Estimate:
    """I of every subset of n blocks about ``target`` (N,), which must not have trained the codes.

    ``groups`` (N,) keeps rows together in folds and in the jackknife. Raises TooFewRowsError, ShapeError,
    NonFiniteError, ConstantTargetError.
    """
    outcome = _scalar_target(target)
    labels = np.arange(outcome.size) if groups is None else np.asarray(groups)
    if labels.shape != outcome.shape:
        raise ShapeError(f"groups must have shape {outcome.shape}, however: {labels.shape}")
    apart = np.unique(labels).size
    if min(folds, apart) < 2:
        raise TooFewRowsError(f"at least 2 folds and groups are needed, however: {folds} and {apart}")
    left_out = balanced_folds(labels, min(GROUPS, apart), rng)
    if estimator == "debiased":
        return Estimate(estimator, debiased_jackknife(blocks, outcome, left_out, interactions))
    if estimator == "plugin":
        return Estimate(estimator, plugin_jackknife(blocks, outcome, left_out, interactions))
    if estimator == "heldout":
        return Estimate(
            estimator, _heldout(blocks, outcome, balanced_folds(labels, folds, rng), left_out, interactions)
        )
    raise UnknownMeasureError(f"estimator must be one of {get_args(Estimator)}, however: {estimator!r}")


def _scalar_target(target: ArrayLike) -> Floats:
    outcome = as_columns(target, "target")
    if outcome.shape[1] != 1:
        raise ShapeError(f"target must be one column, however: {outcome.shape}")
    return outcome[:, 0]


def _heldout(
    blocks: ReadoutBlocks, target: Floats, folds: Ints, left_out: Ints, interactions: Interactions
) -> Jackknife:
    n = len(blocks.codes)
    fitted = cross_fitted_predictions(
        blocks, target, folds, range(1, 1 << n), interactions=interactions, influences=True
    )
    errors = squared_errors(target, fitted, n, blocks.weights)
    # Refuses a target without variance or without error, which the jackknife would read as a number.
    finite_informations(errors.sum(axis=0))
    return jackknife_of_errors(errors, left_out, training_influences(fitted, blocks.weights))


def linear_informations(
    moments: Moments,
    target: Sequence[int],
    sources: Sequence[Sequence[int]],
    columns: Sequence[str] | None = None,
    debias: bool = True,
) -> Floats:
    """I of every subset of sources (columns of ``moments``) about the target, (2**n,) in bits, linear
    readouts.

    One pass over the rows, in batches or processes, gives the moments. Raises TooFewRowsError unless there
    are more effective rows than columns, and the errors of ``checked_correlation`` with names from
    ``columns``.
    """
    named = {f"source {place}": block for place, block in enumerate(sources)}
    order = column_order(moments.mean.size, target, named, columns)
    rows = moments.effective_rows
    if rows - 1.0 <= len(order):
        raise TooFewRowsError(
            f"{len(order)} columns need more than {len(order) + 1} rows, however: {rows:g}",
            "use fewer columns, or the heldout estimator",
        )
    widths = [len(block) for block in sources]
    raw = subset_informations(
        conditional_covariances(*checked_correlation(moments.exact_scatter, order, columns), widths)
    )
    return raw - information_bias(rows, len(target), subset_widths(widths)) if debias else np.asarray(raw)
