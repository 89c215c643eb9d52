"""Integrals behind the truths: the population's inverse normal transform, and information under a mixture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import entr, log_ndtr, logsumexp, ndtr, ndtri, ndtri_exp

from pidreg_cli.data.synthetic.interactions import Floats, Mixture, normal_rule

Transform = Callable[[Floats], Floats]

# Cells of tabulated functions of the target.
CELLS = 4000
# Functions of the target are tabulated up to this log probability of either tail (9 standard deviations of a
# normal): what lies beyond weighs nothing.
_LOG_TAIL = -44.0


@dataclass(frozen=True)
class NormalMixture:
    """A mixture of normals: ``weights``, ``mean``, ``variance``, each of shape (n_nodes,)."""

    weights: Floats
    mean: Floats
    variance: Floats

    def log_tail(self, y: Floats, side: float) -> Floats:
        """Log of P(Y <= y) for side 1, of P(Y >= y) for side -1, at ``y`` of shape (n,)."""
        z = side * (y[:, None] - self.mean) / np.sqrt(self.variance)
        return np.asarray(logsumexp(log_ndtr(z), b=self.weights, axis=1))

    def density(self, y: Floats) -> Floats:
        """Density at ``y`` of shape (n,)."""
        z = (y[:, None] - self.mean) / np.sqrt(self.variance)
        return np.asarray(np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi * self.variance) @ self.weights)

    def grid(self) -> Floats:
        """Evenly spaced values, shape (CELLS + 1,), from the lower tail's end to the upper's."""
        return np.linspace(self._end(1.0), self._end(-1.0), CELLS + 1)

    def entropy(self) -> float:
        """Differential entropy in bits."""
        y = self.grid()
        density = self.density(y)
        return float(-np.sum(density * np.log2(density)) * (y[1] - y[0]))

    def component_entropies(self) -> Floats:
        """Differential entropies of the components in bits, shape (n_nodes,)."""
        return np.asarray(0.5 * np.log2(2.0 * np.pi * np.e * self.variance))

    def normal_transform(self) -> Transform:
        """The map y -> Phi^-1(F(y)) that makes Y standard normal, F its distribution function.

        Each half is taken from its own tail, so that neither rounds to probability one.
        """
        y = self.grid()
        below, above = self.log_tail(y, 1.0), self.log_tail(y, -1.0)
        spline = CubicSpline(y, np.where(below < above, ndtri_exp(below), -ndtri_exp(above)))
        return lambda values: np.asarray(spline(np.clip(values, y[0], y[-1])))

    def _end(self, side: float) -> float:
        def excess(y: float) -> float:
            return float(self.log_tail(np.array([y]), side)[0]) - _LOG_TAIL

        reach = 1.0
        while excess(-side * reach) > 0.0:
            reach *= 2.0
        return float(brentq(excess, -side * reach, side * reach))


def target_law(mixture: Mixture) -> NormalMixture:
    """The law of the whole part: what the subset sees and what it does not."""
    return NormalMixture(
        mixture.weights,
        mixture.seen_mean + mixture.unseen_mean,
        mixture.seen_variance + mixture.unseen_variance,
    )


def exponential_margin(mixture: Mixture, values: Floats) -> Floats:
    """``-ln P(Y > values)``, which has the standard exponential distribution where Y is the whole of ``mixture``."""
    return np.asarray(-log_ndtr(-target_law(mixture).normal_transform()(values)))


class Scores(Protocol):
    """The normal scores Y' as a function of the target, with their ``mean`` and ``variance`` in the population."""

    @property
    def mean(self) -> float:
        """E[Y']."""

    @property
    def variance(self) -> float:
        """Var Y'."""

    def expected(self, known: Floats, mean: float, sd: float) -> Floats:
        """E[Y'] where ``known`` (n,) is known of the target and the rest is N(mean, sd^2), shape (n,)."""


@dataclass(frozen=True)
class ContinuousScores:
    """Scores of a target without ties: standard normal, through a smooth ``transform``."""

    transform: Transform
    mean: float = 0.0
    variance: float = 1.0

    def expected(self, known: Floats, mean: float, sd: float) -> Floats:
        """By the trapezoidal rule over what is not known."""
        nodes, rule = normal_rule()
        return np.asarray(self.transform(known[:, None] + (mean + sd * nodes)) @ rule)


@dataclass(frozen=True)
class TiedScores:
    """Scores of an integer target, cut at ``edges`` (n,): each of the n + 1 values has its mean rank's score."""

    edges: Floats
    probabilities: Floats

    @property
    def values(self) -> Floats:
        """Phi^-1 of the middle of each value's ranks, shape (n + 1,)."""
        return np.asarray(ndtri(np.cumsum(self.probabilities) - 0.5 * self.probabilities))

    @property
    def mean(self) -> float:
        """E[Y'], zero only where the target is symmetric."""
        return float(self.probabilities @ self.values)

    @property
    def variance(self) -> float:
        """Var Y', below one."""
        return float(self.probabilities @ (self.values - self.mean) ** 2)

    def expected(self, known: Floats, mean: float, sd: float) -> Floats:
        """In closed form."""
        return np.asarray(cell_probabilities(self.edges, known + mean, sd) @ self.values)


def cell_probabilities(edges: Floats, means: Floats, sd: float) -> Floats:
    """Probabilities (n_means, n_edges + 1) of the cells between ``edges`` under N(means, sd^2)."""
    below = ndtr((edges - means[:, None]) / sd)
    return np.diff(below, axis=1, prepend=0.0, append=1.0)


def scores_of(law: NormalMixture, edges: Sequence[float]) -> Scores:
    """Y' of a target of that law: as it is, or where there are ``edges`` cut into integers."""
    if not edges:
        return ContinuousScores(law.normal_transform())
    cuts = np.asarray(edges)
    return TiedScores(cuts, np.diff(np.exp(law.log_tail(cuts, 1.0)), prepend=0.0, append=1.0))


def reported_information(mixture: Mixture, scores: Scores) -> float:
    """-1/2 log2(1 - R2) in bits, R2 that of Y' on its expectation given what is seen."""
    _, rule = normal_rule()
    expectation = expected_score(mixture, scores) - scores.mean
    if mixture.hidden:
        return _bits(float((mixture.weights @ expectation) ** 2 @ rule) / scores.variance)
    return _bits(float(mixture.weights @ expectation**2 @ rule) / scores.variance)


def expected_score(mixture: Mixture, scores: Scores) -> Floats:
    """E[Y' | seen part, mixing variable], shape (n_nodes, n), at the normal rule's n nodes of the seen part."""
    sds = np.sqrt(mixture.unseen_variance)
    parts = zip(_seen(mixture), mixture.unseen_mean, sds, strict=True)
    return np.stack([scores.expected(known, mean, sd) for known, mean, sd in parts])


def _seen(mixture: Mixture) -> Floats:
    nodes, _ = normal_rule()
    return np.asarray(mixture.seen_mean[:, None] + np.sqrt(mixture.seen_variance)[:, None] * nodes)


def _bits(share: float) -> float:
    return max(0.0, float(-0.5 * np.log2(1.0 - share)))


def mutual_information(mixture: Mixture) -> float:
    """I(Y; what the subset sees) in bits: the target's differential entropy less that of what is not seen."""
    unseen = NormalMixture(mixture.weights, mixture.unseen_mean, mixture.unseen_variance)
    remaining = unseen.entropy() if mixture.hidden else float(mixture.weights @ unseen.component_entropies())
    return max(0.0, target_law(mixture).entropy() - remaining)


def integer_information(mixture: Mixture, edges: Sequence[float]) -> float:
    """I(Y; what the subset sees) in bits where Y is the number of ``edges`` below the target."""
    _, rule = normal_rule()
    sds, cuts = np.sqrt(mixture.unseen_variance), np.asarray(edges)
    parts = zip(_seen(mixture) + mixture.unseen_mean[:, None], sds, strict=True)
    cells = np.stack([cell_probabilities(cuts, means, sd) for means, sd in parts])
    average = np.tensordot(mixture.weights, cells, axes=1)
    remaining = _entropies(average) if mixture.hidden else mixture.weights @ _entropies(cells)
    return max(0.0, float(_entropies(rule @ average) - remaining @ rule))


def _entropies(probabilities: Floats) -> Floats:
    """Entropies in bits over the last axis."""
    return np.asarray(entr(probabilities).sum(axis=-1) / np.log(2.0))
