"""Plug-in information of held-out rows less its exact bias.

For a Gaussian target and p linear features on N rows, ``E[-1/2 ln(SSE/SST)]`` exceeds the truth by
``1/2 [psi(v/2) - psi((v-p)/2)]`` nats, v = N - 1: the scalar case of the digamma terms of Gaussian entropies
(Ahmed & Gokhale 1989; Goodman 1963). It holds for any features as long as the residual is Gaussian.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import lapack
from scipy.special import digamma

from pidreg_cli.information.arrays import Floats, Ints, columns
from pidreg_cli.information.errors import ShapeError, TooFewRowsError
from pidreg_cli.information.features import FeatureLayout, Interactions, ReadoutBlocks, feature_table
from pidreg_cli.information.intervals import Jackknife
from pidreg_cli.information.moments import Moments, merged, without_each
from pidreg_cli.information.readouts import finite_informations, row_weights

# Rows per feature below which the correction is larger than what it corrects.
ROWS_PER_FEATURE = 1.5
# Share of a standardised feature's variance not explained by those before it, below which it adds no
# dimension.
DEPENDENT = 1e-10


# From effective rows and numbers of features to a bias in bits.
Bias = Callable[[float, Floats], Floats]


def scalar_bias(rows: float, features: Floats) -> Floats:
    """Bias in bits of the plug-in information of a scalar target on ``features`` columns of ``rows`` rows."""
    v = rows - 1.0
    return np.asarray((digamma(v / 2.0) - digamma((v - features) / 2.0)) / (2.0 * np.log(2.0)))


@dataclass(frozen=True)
class ReadoutSize:
    """Features of the readout of all modalities, ``given`` of them covariates, and the effective rows it has."""

    features: int
    given: int
    rows: float

    @classmethod
    def of(cls, layout: FeatureLayout, modalities: int, rows: float) -> ReadoutSize:
        """By the layout of the features."""
        return cls(layout.columns((1 << modalities) - 1).size, layout.given.size, rows)

    @classmethod
    def of_blocks(
        cls, blocks: ReadoutBlocks, rows: int, interactions: Interactions = "products"
    ) -> ReadoutSize:
        """Of so many rows with their weights."""
        layout = feature_table(blocks, interactions).layout
        return cls.of(layout, len(blocks.codes), effective_rows(blocks, rows))

    @property
    def debiased_rows(self) -> float:
        """Effective rows that the debiased estimate needs."""
        return ROWS_PER_FEATURE * self.features

    @property
    def plugin_rows(self) -> int:
        """Rows that the plug-in estimate needs where no feature depends on others: the mean takes one, errors one."""
        return self.features + 2

    @property
    def excess(self) -> float:
        """Bits by which the plug-in information of all modalities is expected to be too high."""
        # Features that depend on others count for nothing, so that there may be more of them than rows.
        most = max(self.rows - 2.0, 0.0)
        whole, given = scalar_bias(self.rows, np.minimum([self.features, self.given], most))
        return float(whole - given)


def effective_rows(blocks: ReadoutBlocks, rows: int) -> float:
    """Rows without weights that carry the same precision (Kish 1965)."""
    weights = row_weights(blocks, rows)
    return float(weights.sum() ** 2 / (weights @ weights)) if weights.any() else 0.0


def debiased_allowed(rows: float, blocks: ReadoutBlocks, interactions: Interactions = "products") -> bool:
    """Whether that many effective ``rows`` suffice: 1.5 per feature of the readout of all modalities."""
    layout = feature_table(blocks, interactions).layout
    return rows >= ReadoutSize.of(layout, len(blocks.codes), rows).debiased_rows


def debiased_jackknife(
    held: ReadoutBlocks, target: ArrayLike, groups: Ints, interactions: Interactions = "products"
) -> Jackknife:
    """Debiased informations of every subset on held-out rows and their group jackknife (bits).

    ``target`` (N,), ``groups`` (N,). Intervals are about the information of the readouts' features. Raises
    TooFewRowsError below 1.5 rows per feature, or of one group. Moments of all groups are held at once.
    """
    size = ReadoutSize.of_blocks(held, len(groups), interactions)
    if size.rows < size.debiased_rows:
        raise _too_few(size)
    return _jackknife(held, target, groups, interactions, scalar_bias)


def plugin_jackknife(
    held: ReadoutBlocks, target: ArrayLike, groups: Ints, interactions: Interactions = "products"
) -> Jackknife:
    """The same without the correction: the published estimate, biased upwards by about p / (2 N ln 2)
    bits.
    """
    return _jackknife(held, target, groups, interactions, _no_bias)


def _jackknife(
    held: ReadoutBlocks, target: ArrayLike, groups: Ints, interactions: Interactions, bias: Bias
) -> Jackknife:
    table = feature_table(held, interactions)
    outcome = columns(target, "target")
    if outcome.shape != (table.values.shape[0], 1) or len(groups) != len(outcome):
        raise ShapeError(
            f"codes of {table.values.shape[0]} rows need one target and group each, "
            f"however: {outcome.shape}, {len(groups)}"
        )
    rows = _standardised(np.hstack([table.values, outcome]))
    weights = row_weights(held, rows.shape[0])
    inside = (groups == group for group in np.unique(groups))
    parts = [Moments.of(rows[group], weights[group]) for group in inside]
    return _of_moments(parts, table.layout, len(held.codes), bias)


def moments_jackknife(
    parts: Sequence[Moments], layout: FeatureLayout, modalities: int, *, debias: bool = True
) -> Jackknife:
    """The debiased or the plug-in informations from moments of [features, target] of groups of rows, and the jackknife
    over these groups.

    Raises TooFewRowsError as the functions of rows do.
    """
    size = ReadoutSize.of(layout, modalities, merged(parts).effective_rows)
    if debias and size.rows < size.debiased_rows:
        raise _too_few(size)
    bias = scalar_bias if debias else _no_bias
    return _of_moments(parts, layout, modalities, bias)


def plugin_correlations(moments: Moments, layout: FeatureLayout, modalities: int) -> Floats:
    """Correlation (n,) between least-squares predictions from each modality and from all the others, each less that of
    covariates, from moments of [features, target] of all rows: what the plug-in informations are of.

    0 where a prediction does not vary or there are no others.
    """
    scatter, full = moments.scatter[:-1, :-1], (1 << modalities) - 1
    given = _slopes(moments.scatter, layout.given)
    found = []
    for i in range(modalities):
        one, other = (
            _slopes(moments.scatter, layout.columns(mask)) - given for mask in (1 << i, full - (1 << i))
        )
        size = float((one @ scatter @ one) * (other @ scatter @ other))
        found.append(
            float(np.clip(one @ scatter @ other / math.sqrt(size), -1.0, 1.0)) if size > 0.0 else 0.0
        )
    return np.array(found)


def rows_correlations(
    held: ReadoutBlocks, target: ArrayLike, interactions: Interactions = "products"
) -> Floats:
    """The same of rows: ``target`` (N,)."""
    table = feature_table(held, interactions)
    rows = np.hstack([table.values, columns(target, "target")])
    moments = Moments.of(_standardised(rows), row_weights(held, rows.shape[0]))
    return plugin_correlations(moments, table.layout, len(held.codes))


def _slopes(scatter: Floats, chosen: Ints) -> Floats:
    """Slopes (P,) of the target, the last column, on the features ``chosen``, 0 elsewhere."""
    spread = np.sqrt(np.diag(scatter)[chosen])
    unit = np.where(spread > 0.0, spread, np.inf)
    gram, products = scatter[np.ix_(chosen, chosen)] / np.outer(unit, unit), scatter[chosen, -1] / unit
    slopes = np.zeros(len(scatter) - 1)
    slopes[chosen] = np.linalg.lstsq(gram, products, rcond=DEPENDENT)[0] / unit
    return slopes


def _of_moments(parts: Sequence[Moments], layout: FeatureLayout, modalities: int, bias: Bias) -> Jackknife:
    """From the moments of groups. Raises TooFewRowsError where there is one alone."""
    if len(parts) < 2:
        raise TooFewRowsError(
            "the jackknife leaves out one group after the other, however: there is one alone",
            "give two groups of rows or more",
        )
    # The empty set first: the readout of covariates, or the mean.
    chosen = [layout.columns(mask) for mask in range(1 << modalities)]
    estimate, *replicates = (
        _informations(part, chosen, bias) for part in (merged(parts), *without_each(parts))
    )
    return Jackknife(estimate, np.stack(replicates))


def _too_few(size: ReadoutSize) -> TooFewRowsError:
    return TooFewRowsError(
        f"the debiased estimate needs {ROWS_PER_FEATURE} rows per feature, {math.ceil(size.debiased_rows):,} for the "
        f"{size.features:,} of the readout of all modalities, however: {size.rows:.4g} rows",
        "use fewer features (interactions 'none' of codes), or the heldout estimator",
    )


def _no_bias(rows: float, features: Floats) -> Floats:
    return np.zeros_like(features)


def _standardised(rows: Floats) -> Floats:
    spread = rows.std(axis=0)
    return np.asarray((rows - rows.mean(axis=0)) / np.where(spread > 0.0, spread, 1.0))


def _informations(moments: Moments, chosen: Sequence[Ints], bias: Bias) -> Floats:
    """Of subsets with the features ``chosen``, beyond the first of them."""
    fits = list(_fits(moments.scatter, chosen))
    sums = np.array([residual for residual, _ in fits])
    dimensions = np.array([rank for _, rank in fits], dtype=np.float64)
    if dimensions.max() >= moments.effective_rows - 1.0:
        raise TooFewRowsError(
            f"a readout of {chosen[-1].size:,} features needs {chosen[-1].size + 2:,} rows or more, also without a "
            f"group of them, however: {moments.effective_rows:.4g} rows",
            "use fewer features, or the heldout estimator",
        )
    excess = bias(moments.effective_rows, dimensions)
    return np.asarray(finite_informations(sums) - (excess - excess[0]))


def _fits(centred: Floats, chosen: Sequence[Ints]) -> Iterator[tuple[float, int]]:
    """Residual sum of squares and number of independent features of each subset."""
    for columns_of in chosen:
        gram = centred[np.ix_(columns_of, columns_of)]
        yield _residual(gram, centred[columns_of, -1], float(centred[-1, -1]))


def _residual(gram: Floats, products: Floats, square: float) -> tuple[float, int]:
    """Pivoted Cholesky, so that repeated or constant features count for nothing instead of failing."""
    scale = float(np.max(np.diag(gram), initial=0.0))
    if not gram.size:
        return square, 0
    factor, pivots, rank, _ = lapack.dpstrf(gram, lower=1, tol=DEPENDENT * scale)
    if not rank:
        return square, 0
    chosen = pivots[:rank] - 1
    explained, _ = lapack.dtrtrs(factor[:rank, :rank], products[chosen], lower=1)
    return square - float(explained @ explained), int(rank)
