"""Integrals behind the truths: the population's inverse normal transform, and information under a mixture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import log_ndtr, logsumexp, ndtri_exp

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


def reported_information(mixture: Mixture, transform: Transform) -> float:
    """-1/2 log2(1 - R2) in bits, R2 that of Y' = transform(Y) on its expectation given what is seen."""
    nodes, rule = normal_rule()
    seen = mixture.seen_mean[:, None] + np.sqrt(mixture.seen_variance)[:, None] * nodes
    expectation = expected_score(mixture, transform, seen)
    if mixture.hidden:
        return _bits(float((mixture.weights @ expectation) ** 2 @ rule))
    return _bits(float(mixture.weights @ expectation**2 @ rule))


def expected_score(mixture: Mixture, transform: Transform, seen: Floats) -> Floats:
    """E[Y' | seen part, mixing variable] at ``seen`` of shape (n_nodes, n), of the same shape."""
    nodes, rule = normal_rule()
    unseen = mixture.unseen_mean[:, None] + np.sqrt(mixture.unseen_variance)[:, None] * nodes
    return np.stack([transform(s[:, None] + u) @ rule for s, u in zip(seen, unseen, strict=True)])


def _bits(share: float) -> float:
    return max(0.0, float(-0.5 * np.log2(1.0 - share)))


def mutual_information(mixture: Mixture) -> float:
    """I(Y; what the subset sees) in bits: the target's differential entropy less that of what is not seen."""
    unseen = NormalMixture(mixture.weights, mixture.unseen_mean, mixture.unseen_variance)
    remaining = unseen.entropy() if mixture.hidden else float(mixture.weights @ unseen.component_entropies())
    return max(0.0, target_law(mixture).entropy() - remaining)
