"""The part of a synthetic target that is not linear in the latents, and how each subset of latents sees it.

Every interaction is, given one mixing variable t, a normal variable. So is then the whole target, which
reduces the information of any subset of modalities to integrals over t and two normal variables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Mixture:
    """A part of the target given the mixing variable, as one subset of modalities sees it.

    At node k, of probability ``weights[k]``, the part is ``N(seen_mean, seen_variance)`` that the subset
    knows plus an independent ``N(unseen_mean, unseen_variance)`` that it does not; all of shape (n_nodes,).
    ``hidden`` says that the subset does not know the mixing variable, and then the seen law is the same at
    every node; otherwise it knows it, or the unseen law is the same at every node.
    """

    weights: Floats
    seen_mean: Floats
    seen_variance: Floats
    unseen_mean: Floats
    unseen_variance: Floats
    hidden: bool

    def plus_linear(self, seen: float, unseen: float) -> Mixture:
        """The same with an independent normal part, of variances ``seen`` and ``unseen``, added."""
        return Mixture(
            self.weights,
            self.seen_mean,
            self.seen_variance + seen,
            self.unseen_mean,
            self.unseen_variance + unseen,
            self.hidden,
        )


class Interaction(Protocol):
    """A non-linear function of latents that are standard normal and appear nowhere else in the target."""

    @property
    def latents(self) -> tuple[str, ...]:
        """Names of the latents that it is made of."""

    def shown(self, latent: Floats) -> Floats:
        """What the modality that sees one of these latents shows of it, shape (n_rows,)."""

    def values(self, latents: Mapping[str, Floats]) -> Floats:
        """The contribution to the target, shape (n_rows,)."""

    def mixture(self, seen: frozenset[str]) -> Mixture:
        """The contribution's law for a subset that sees the latents ``seen``."""


def normal_rule(step: float = 0.125, reach: float = 7.5) -> tuple[Floats, Floats]:
    """Nodes and weights of the trapezoidal rule for a standard normal: exponentially accurate if smooth."""
    nodes = np.linspace(-reach, reach, 2 * round(reach / step) + 1)
    density = np.exp(-0.5 * nodes**2)
    return nodes, density / density.sum()


def _half_normal_rule() -> tuple[Floats, Floats]:
    """The same for |t|: the nodes from zero on, each standing for both signs."""
    nodes, weights = normal_rule()
    middle = len(nodes) // 2
    folded = 2.0 * weights[middle:]
    folded[0] /= 2.0
    return nodes[middle:], folded


@dataclass(frozen=True)
class NoInteraction:
    """A target that is linear in the latents."""

    latents: tuple[str, ...] = ()

    def shown(self, latent: Floats) -> Floats:
        """The latent itself."""
        return latent

    def values(self, latents: Mapping[str, Floats]) -> Floats:
        """Zero."""
        return np.zeros(1)

    def mixture(self, seen: frozenset[str]) -> Mixture:
        """One node at zero."""
        zero = np.zeros(1)
        return Mixture(np.ones(1), zero, zero, zero, zero, hidden=False)


@dataclass(frozen=True)
class Product:
    """``weight * first * second``: given ``t = |first|``, normal with standard deviation ``weight t``."""

    first: str
    second: str
    weight: float

    @property
    def latents(self) -> tuple[str, ...]:
        """Both factors."""
        return (self.first, self.second)

    def shown(self, latent: Floats) -> Floats:
        """The latent itself."""
        return latent

    def values(self, latents: Mapping[str, Floats]) -> Floats:
        """The product, weighted."""
        return self.weight * latents[self.first] * latents[self.second]

    def mixture(self, seen: frozenset[str]) -> Mixture:
        """Known with both factors, of known variance with one (whichever), of unknown variance with none."""
        nodes, weights = _half_normal_rule()
        zero, variance = np.zeros_like(nodes), (self.weight * nodes) ** 2
        if seen.issuperset(self.latents):
            return Mixture(weights, zero, variance, zero, zero, hidden=False)
        return Mixture(weights, zero, zero, zero, variance, hidden=seen.isdisjoint(self.latents))


@dataclass(frozen=True)
class SignProduct:
    """``weight * sign(first) * sign(second)``: the exclusive or of two fair bits, t being its sign."""

    first: str
    second: str
    weight: float

    @property
    def latents(self) -> tuple[str, ...]:
        """Both factors."""
        return (self.first, self.second)

    def shown(self, latent: Floats) -> Floats:
        """The latent with a gap around zero: the sign stays readable through a smooth encoder."""
        return latent + np.where(latent < 0.0, -0.5, 0.5)

    def values(self, latents: Mapping[str, Floats]) -> Floats:
        """The product of the signs, weighted."""
        same = (latents[self.first] < 0.0) == (latents[self.second] < 0.0)
        return np.where(same, self.weight, -self.weight)

    def mixture(self, seen: frozenset[str]) -> Mixture:
        """Known with both factors; one alone says nothing."""
        zero, values = np.zeros(2), np.array([-self.weight, self.weight])
        if seen.issuperset(self.latents):
            return Mixture(np.full(2, 0.5), values, zero, zero, zero, hidden=False)
        return Mixture(np.full(2, 0.5), zero, zero, values, zero, hidden=True)


@dataclass(frozen=True)
class Curve:
    """``weight * function(latent)``, elementwise: information of one latent that is not linear in it."""

    latent: str
    weight: float
    function: Callable[[Floats], Floats]

    @property
    def latents(self) -> tuple[str, ...]:
        """The one latent."""
        return (self.latent,)

    def shown(self, latent: Floats) -> Floats:
        """The latent itself."""
        return latent

    def values(self, latents: Mapping[str, Floats]) -> Floats:
        """The function's values, weighted."""
        return self.weight * self.function(latents[self.latent])

    def mixture(self, seen: frozenset[str]) -> Mixture:
        """Known with the latent, unknown without."""
        nodes, weights = normal_rule()
        zero, values = np.zeros_like(nodes), self.weight * self.function(nodes)
        if self.latent in seen:
            return Mixture(weights, values, zero, zero, zero, hidden=False)
        return Mixture(weights, zero, zero, values, zero, hidden=True)
