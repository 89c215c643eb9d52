"""Cross-fitted readouts from moments alone: one pass over rows that need not fit in memory.

Readouts are linear in their features, so moments of [features, targets] of each group of rows say all that the rows
would: the fit without a fold, the squared errors of the fold, what leaving a group out does to the fits of the others
(to first order, as ``CrossFit.influences``), and the correlation of predictions. The numbers are those of
``cross_fitted_predictions`` on the same rows and folds.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np

from pidreg_cli.information.arrays import Floats, Ints, Singles, finite
from pidreg_cli.information.errors import ShapeError
from pidreg_cli.information.features import FeatureLayout
from pidreg_cli.information.intervals import Jackknife, jackknife_of_sums, p_values
from pidreg_cli.information.moments import NO_SPREAD, Moments, merged, without_each
from pidreg_cli.information.readouts import FoldReadouts, baseline_and, finite_informations
from pidreg_cli.information.ridge import penalised_inverse

NEAR = {np.dtype(np.float64): 4.0, np.dtype(np.float32): 1.0}
"""Standard deviations, by precision: means within lose one digit of sixteen where sums of squares are about zero, or a
third of one of seven."""
SHARES = 4
"""Of the groups, for each thread: one that was kept from work leaves some to the others."""


class GroupedSums:
    """Moments of the rows of each of ``groups`` groups, batch by batch. Columns: features, then targets.

    Sums are about one point near all rows, so that one pass over them gives the moments and no digits are lost: about
    zero where the first rows lie around it in every column, else about the mean of these. Within ``shared`` groups are
    summed by several threads, each group by one of them: the sums do not depend on how many. Rows in single precision
    are summed in it within a batch, and batches in double.
    """

    def __init__(self, groups: int, columns: int) -> None:
        self._origin: Floats | None = None
        self._moved = False
        self._counts = np.zeros(groups)
        self._totals = np.zeros((groups, columns))
        self._products = np.zeros((groups, columns, columns))
        self._threads = 1
        self._pool: ThreadPoolExecutor | None = None

    @contextmanager
    def shared(self, threads: int) -> Iterator[GroupedSums]:
        """These sums, made by so many threads. One is best for linear algebra then: products of a group are small."""
        self._threads = max(1, min(threads, len(self._counts)))
        with ThreadPoolExecutor(self._threads) as self._pool:
            try:
                yield self
            finally:
                self._pool = None

    def add(self, rows: Floats | Singles, labels: Ints) -> None:
        """Rows (n, q) and the group 0..groups-1 of each, (n,)."""
        if self._origin is None:
            self._origin, self._moved = _origin(rows)
        if np.any(labels[1:] < labels[:-1]):
            order = np.argsort(labels, kind="stable")
            rows, labels = rows[order], labels[order]
        ends = np.searchsorted(labels, np.arange(len(self._counts) + 1))
        spans = [(group, rows[start:end]) for group, (start, end) in enumerate(pairwise(ends)) if end > start]
        add = partial(self._add_groups, self._origin)
        if self._pool is None:
            add(spans)
        else:
            shares = SHARES * self._threads
            list(self._pool.map(add, (spans[number::shares] for number in range(shares))))

    def _add_groups(self, origin: Floats, spans: Iterable[tuple[int, Floats | Singles]]) -> None:
        """Rows by their group."""
        for group, rows in spans:
            own = rows - origin.astype(rows.dtype) if self._moved else rows
            self._counts[group] += len(own)
            self._totals[group] += np.ones(len(own), own.dtype) @ own
            self._products[group] += own.T @ own

    @property
    def sizes(self) -> Floats:
        """Root mean squares (q,) of the columns about the point: what rounding of their sums is a share of."""
        squares = np.einsum("gqq->q", self._products)
        return np.asarray(np.sqrt(squares / max(float(self._counts.sum()), 1.0)))

    @property
    def parts(self) -> tuple[Moments, ...]:
        """Moments of each group. Raises NonFiniteError where a row held what is no number."""
        origin = np.zeros(self._totals.shape[1]) if self._origin is None else self._origin
        finite(self._totals, "sums of the rows")
        return tuple(
            Moments(
                float(count),
                float(count),
                origin + total / max(count, 1.0),
                products - np.outer(total, total) / max(count, 1.0),
            )
            for count, total, products in zip(self._counts, self._totals, self._products, strict=True)
        )


def _origin(rows: Floats | Singles) -> tuple[Floats, bool]:
    """A point (q,) near the rows (n, q), of numbers of their precision, and whether it is another than zero."""
    mean, spread = np.asarray(rows.mean(axis=0), np.float64), rows.std(axis=0)
    far = bool(np.any(np.abs(mean) > NEAR[rows.dtype] * spread))
    return (mean, True) if far else (np.zeros_like(mean), False)


@dataclass(frozen=True)
class GroupedReadouts:
    """Readouts of the subsets ``masks``, each group's rows predicted by a fit without the group's fold.

    ``folds`` holds, per fold, its groups and its readouts. ``sums`` and ``growth`` (groups, 1 + len(masks), t): squared
    errors of each group's rows, and by how much those of other folds would grow without the group; index 0 is the mean,
    or with covariates their own readout. ``centre`` (q,) and ``unit`` (q,): what rows are shifted and divided by.
    """

    masks: tuple[int, ...]
    sums: Floats
    growth: Floats
    correlations: Floats
    folds: tuple[tuple[Ints, FoldReadouts], ...]
    centre: Floats
    unit: Floats

    def jackknife(self, target: int = 0) -> Jackknife:
        """Informations of every subset and their jackknife over the groups; needs every subset among ``masks``."""
        if self.masks != tuple(range(1, len(self.masks) + 1)):
            raise ShapeError("a jackknife needs the readouts of all subsets")
        finite_informations(self.sums[:, :, target].sum(axis=0))
        return jackknife_of_sums(self.sums[:, :, target], self.growth[:, :, target])

    def predictions(self, rows: Floats, labels: Ints) -> Floats:
        """Of rows (n, q) of groups ``labels`` (n,): (n, 1 + len(masks), t), each by the fit without its fold."""
        standard = (rows - self.centre) / self.unit
        features = self.folds[0][1].mean.size
        found = np.empty((len(rows), 1 + len(self.masks), rows.shape[1] - features))
        for groups, readouts in self.folds:
            inside = np.isin(labels, groups)
            weights, constants = _linear(readouts, len(self.masks))
            moved = standard[inside, :features] - readouts.mean
            found[inside] = constants + np.tensordot(moved, weights, 1)
        return found + self.centre[features:]


def grouped_readouts(
    parts: Sequence[Moments],
    folds: Ints,
    layout: FeatureLayout,
    masks: Sequence[int],
    *,
    influences: bool = True,
) -> GroupedReadouts:
    """Fit and score the readouts of ``masks`` from the moments of each group; ``folds`` (groups,): its fold.

    Raises TooFewRowsError, ConstantTargetError and DeterministicTargetError as readouts of rows do.
    """
    centre, unit = _location(merged(parts), layout.width)
    scaled = [_scaled(part, centre, unit) for part in parts]
    names = np.unique(folds)
    by_fold = [merged([scaled[group] for group in np.flatnonzero(folds == fold)]) for fold in names]
    shape = (len(parts), 1 + len(masks), centre.size - layout.width)
    sums, growth = np.zeros(shape), np.zeros(shape)
    spread = _PredictionMoments(masks, layout)
    fitted = []
    for fold, others in zip(names, without_each(by_fold), strict=True):
        inside = np.flatnonzero(folds == fold)
        outside = np.flatnonzero(folds != fold)
        held = [scaled[group] for group in inside]
        readouts = FoldReadouts.fitted(others, layout, baseline_and(layout, masks))
        fitted.append((inside, readouts))
        functionals = _Functionals.of(readouts, len(masks))
        for group, part in zip(inside, held, strict=True):
            sums[group] = functionals.squares(part)
        spread.add(readouts, held)
        if influences:
            levers = functionals.levers(readouts, held)
            for group in outside:
                growth[group] += functionals.growth(scaled[group], levers)
    return GroupedReadouts(tuple(masks), sums, growth, spread.correlations(), tuple(fitted), centre, unit)


def apart_in_each_fit(parts: Sequence[Moments], folds: Ints, sizes: Floats, least: float) -> bool:
    """Whether columns are ``Moments.apart`` in the rows of every fit: all groups but those of a fold."""
    chosen = (np.flatnonzero(folds == fold).tolist() for fold in np.unique(folds))
    by_fold = [merged([parts[group] for group in groups]) for groups in chosen]
    return all(others.apart(sizes, least) for others in without_each(by_fold))


def rounding_grown(readouts: GroupedReadouts, sizes: Floats, rows: float) -> float:
    """How many times as large as errors of sums those of informations may be, at most and to first order.

    Sums are off by a share of the ``sizes`` (P,) of their columns: slopes by these are squared, and compared with the
    mean squared error, of the first target, for every set and fit.
    """
    errors = readouts.sums[:, 1:, 0].sum(axis=0) / rows
    relative = (sizes / readouts.unit[: sizes.size])[:, None]
    slopes = [_linear(fitted, len(readouts.masks))[0][:, 1:, 0] * relative for _, fitted in readouts.folds]
    squares = np.max([np.square(one).sum(axis=0) for one in slopes], axis=0)
    return float(np.max(squares / errors)) if errors.min() > 0.0 else np.inf


def _location(everything: Moments, features: int) -> tuple[Floats, Floats]:
    """Means of all columns, and units of the features: infinite for a column without variance, which reads zero."""
    spread = np.sqrt(np.maximum(np.diag(everything.scatter), 0.0) / max(everything.count, 1.0))
    unit = np.where(spread > NO_SPREAD * np.abs(everything.mean), spread, np.inf)
    unit[features:] = 1.0
    return everything.mean, unit


def _scaled(part: Moments, centre: Floats, unit: Floats) -> Moments:
    return Moments(part.count, part.squares, (part.mean - centre) / unit, part.scatter / np.outer(unit, unit))


def _linear(readouts: FoldReadouts, masks: int) -> tuple[Floats, Floats]:
    """Slopes (P, 1 + masks, t) on features about their mean, and constants (1 + masks, t), the baseline's first."""
    features, targets = readouts.mean.size, readouts.baseline.size
    weights = np.zeros((features, 1 + masks, targets))
    first = 1 + masks - len(readouts.fits)
    for place, (chosen, fit) in enumerate(zip(readouts.chosen, readouts.fits, strict=True), start=first):
        weights[chosen, place] = fit.coefficients / readouts.scale[chosen, None]
    return weights, np.broadcast_to(readouts.baseline, (1 + masks, targets))


@dataclass(frozen=True)
class _Functionals:
    """Errors as linear functions of a row [x, y]: ``direction`` (P + t, M, t) on the row about ``origin`` (P + t,)."""

    origin: Floats
    direction: Floats

    @classmethod
    def of(cls, readouts: FoldReadouts, masks: int) -> _Functionals:
        weights, _ = _linear(readouts, masks)
        targets = readouts.baseline.size
        own = np.broadcast_to(np.eye(targets)[:, None], (targets, 1 + masks, targets))
        return cls(np.append(readouts.mean, readouts.baseline), np.concatenate([-weights, own]))

    def squares(self, part: Moments) -> Floats:
        """Sums of squared errors, (M, t)."""
        features = len(self.direction) - self.direction.shape[2]
        slopes, scatter = self.direction[:features], part.scatter
        # Products of an error's own target alone: those among many targets are most of the scatter.
        own = 2.0 * scatter[:features, None, features:] + np.tensordot(
            scatter[:features, :features], slopes, 1
        )
        total = part.count * np.tensordot(part.mean - self.origin, self.direction, 1)
        spread = np.einsum("pmt,pmt->mt", slopes, own) + np.diag(scatter)[features:]
        return np.asarray(spread + total**2 / max(part.count, 1.0))

    def levers(self, readouts: FoldReadouts, held: Sequence[Moments]) -> tuple[Floats, Floats]:
        """How a fitting row moves the sum of squares of ``held``: slopes (P, M, t) and constants (M, t)."""
        products, totals = (sum(parts) for parts in zip(*map(self._products, held), strict=True))
        slopes = np.zeros_like(self.direction[: readouts.mean.size])
        first = slopes.shape[1] - len(readouts.fits)
        for place, (c, fit) in enumerate(zip(readouts.chosen, readouts.fits, strict=True), start=first):
            standard = products[c, place] / readouts.scale[c, None]
            lever = penalised_inverse(readouts.gram[np.ix_(c, c)], fit.penalties, standard)
            slopes[c, place] = lever / readouts.scale[c, None]
        return slopes, np.asarray(totals) / readouts.count

    def growth(self, part: Moments, levers: tuple[Floats, Floats]) -> Floats:
        """By how much, to first order, the errors would grow without these fitting rows, (M, t)."""
        products, totals = self._products(part)
        slopes, constants = levers
        return np.asarray(2.0 * (np.sum(slopes * products[: len(slopes)], axis=0) + constants * totals))

    def _products(self, part: Moments) -> tuple[Floats, Floats]:
        """Sums over the rows of [x, y] about the origin times each error, (P + t, M, t), and of the errors, (M, t)."""
        offset = part.mean - self.origin
        totals = part.count * np.tensordot(offset, self.direction, 1)
        return np.tensordot(part.scatter, self.direction, 1) + np.multiply.outer(offset, totals), totals


class _PredictionMoments:
    """Correlation over all rows of predictions of the first target from each modality and from all the others, each
    less the baseline's: what covariates predict is in both, and no part of what modalities tell beyond them.
    """

    def __init__(self, masks: Sequence[int], layout: FeatureLayout) -> None:
        full = max(masks, default=0)
        pairs = [(1 << i, full - (1 << i)) for i in range(full.bit_length())]
        wanted = sorted({mask for pair in pairs for mask in pair} - {0})
        place = {mask: position for position, mask in enumerate(masks, start=1)}
        known = all(mask in place for mask in wanted)
        self._chosen = [place[mask] for mask in wanted] if known else []
        self._pairs = [(wanted.index(a), wanted.index(b)) if b else None for a, b in pairs] if known else []
        self._masks = len(masks)
        self._parts: list[Moments] = []

    def add(self, readouts: FoldReadouts, held: Sequence[Moments]) -> None:
        """The predictions of the rows of ``held``."""
        if not self._chosen:
            return
        weights, constants = _linear(readouts, self._masks)
        slopes = weights[:, self._chosen, 0] - weights[:, :1, 0]
        constant = constants[self._chosen, 0] - constants[0, 0]
        for part in held:
            size = readouts.mean.size
            mean = constant + (part.mean[:size] - readouts.mean) @ slopes
            scatter = slopes.T @ part.scatter[:size, :size] @ slopes
            self._parts.append(Moments(part.count, part.squares, mean, scatter))

    def correlations(self) -> Floats:
        """Shape (n,); 0 where a prediction does not vary or there are no others."""
        if not self._parts:
            return np.zeros(len(self._pairs))
        scatter = merged(self._parts).scatter
        return np.array([0.0 if pair is None else _correlation(scatter, *pair) for pair in self._pairs])


def _correlation(scatter: Floats, one: int, other: int) -> float:
    size = float(scatter[one, one] * scatter[other, other])
    return float(np.clip(scatter[one, other] / np.sqrt(size), -1.0, 1.0)) if size > 0.0 else 0.0


def grouped_p_values(
    parts: Sequence[Moments],
    folds: Ints,
    layout: FeatureLayout,
    masks: Sequence[int],
    draws: int,
    rng: np.random.Generator,
) -> Floats:
    """P-value of the information of each subset in ``masks`` about the first target, (len(masks),).

    Against targets whose sign is flipped in whole groups at random: about the mean, or about what covariates predict.
    Under no information each group's products with the features are as likely with the opposite sign.
    """
    signs = rng.choice([-1.0, 1.0], size=(len(parts), draws))
    centre = merged(parts).mean
    residual = _covariate_slopes(merged(parts), layout)
    expanded = [
        _with_nulls(part, layout.width, centre, residual, flips)
        for part, flips in zip(parts, signs, strict=True)
    ]
    found = grouped_readouts(expanded, folds, layout, masks, influences=False)
    return p_values(found.sums.sum(axis=0))


def _covariate_slopes(everything: Moments, layout: FeatureLayout) -> Floats:
    """Slopes (P,) of the first target on the covariates, zero elsewhere."""
    slopes, given = np.zeros(layout.width), layout.given
    if given.size:
        gram = everything.scatter[np.ix_(given, given)]
        slopes[given] = np.linalg.lstsq(gram, everything.scatter[given, layout.width], rcond=None)[0]
    return slopes


def _with_nulls(part: Moments, features: int, centre: Floats, slopes: Floats, flips: Floats) -> Moments:
    """Moments of [features, target, flipped residuals (draws,)] of one group; products among targets left zero."""
    size, width = features + 1 + flips.size, features + 1
    weights = np.append(-slopes, 1.0)
    products = part.scatter[:width, :width] @ weights
    mean, scatter = np.empty(size), np.zeros((size, size))
    mean[:width], scatter[:width, :width] = part.mean[:width], part.scatter[:width, :width]
    # Residuals are about what their features' mean predicts, so that flipping leaves the mean of the target.
    residual = float((part.mean[:width] - centre[:width]) @ weights)
    mean[width:] = flips * residual
    scatter[:features, width:] = np.outer(products[:features], flips)
    scatter[width:, :features] = scatter[:features, width:].T
    scatter[np.arange(width, size), np.arange(width, size)] = weights @ products
    return Moments(part.count, part.squares, mean, scatter)
