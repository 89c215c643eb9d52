"""Systems that nothing is tuned on, of other structure than those of ``pidreg synth``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from pidreg_cli.data.synthetic.interactions import Floats, Mixture, Product
from pidreg_cli.data.synthetic.systems import SyntheticSystem

# Of the integrals over each piece between breaks; the outermost end at 8.5 standard deviations.
_NODES = 80
_REACH = 8.5


@dataclass(frozen=True)
class PiecewiseCurve:
    """``function(latent)``, smooth between ``breaks`` only: with a kink or a jump at each of them."""

    latent: str
    function: Callable[[Floats], Floats]
    breaks: tuple[float, ...]

    @property
    def latents(self) -> tuple[str, ...]:
        """The one latent."""
        return (self.latent,)

    def shown(self, latent: Floats) -> Floats:
        """The latent itself."""
        return latent

    def values(self, latents: Mapping[str, Floats]) -> Floats:
        """The function's values."""
        return self.function(latents[self.latent])

    def mixture(self, seen: frozenset[str]) -> Mixture:
        """Known with the latent, unknown without."""
        nodes, weights = self._rule()
        zero, values = np.zeros_like(nodes), self.function(nodes)
        if self.latent in seen:
            return Mixture(weights, values, zero, zero, zero, hidden=False)
        return Mixture(weights, zero, zero, values, zero, hidden=True)

    def _rule(self) -> tuple[Floats, Floats]:
        """Gauss-Legendre in each piece, where the function is smooth."""
        points, heights = np.polynomial.legendre.leggauss(_NODES)
        ends = list(pairwise((-_REACH, *self.breaks, _REACH)))
        nodes = np.concatenate([(low + high) / 2.0 + (high - low) / 2.0 * points for low, high in ends])
        lengths = np.concatenate([(high - low) / 2.0 * heights for low, high in ends])
        weights = lengths * np.exp(-0.5 * nodes**2)
        return nodes, weights / weights.sum()


@dataclass(frozen=True)
class TwoProducts:
    """``first + second``, products whose factors any modality sees as many of in one as in the other."""

    first: Product
    second: Product

    @property
    def latents(self) -> tuple[str, ...]:
        """All four factors."""
        return (*self.first.latents, *self.second.latents)

    def shown(self, latent: Floats) -> Floats:
        """The latent itself."""
        return latent

    def values(self, latents: Mapping[str, Floats]) -> Floats:
        """The sum of the products."""
        return self.first.values(latents) + self.second.values(latents)

    def mixture(self, seen: frozenset[str]) -> Mixture:
        """Given the absolute values of a factor each, the sum of two normals.

        Raises ValueError where one of the products is seen otherwise than the other.
        """
        one, two = (self.first.mixture(seen), self.second.mixture(seen))
        seen_factors = [sum(k in seen for k in product.latents) for product in (self.first, self.second)]
        if seen_factors[0] != seen_factors[1]:
            raise ValueError(f"factors of the two products seen: {seen_factors}")
        return Mixture(
            np.outer(one.weights, two.weights).ravel(),
            np.zeros(one.weights.size * two.weights.size),
            np.add.outer(one.seen_variance, two.seen_variance).ravel(),
            np.zeros(one.weights.size * two.weights.size),
            np.add.outer(one.unseen_variance, two.unseen_variance).ravel(),
            one.hidden,
        )


_ALL = (
    SyntheticSystem(
        "two-products",
        "two products, of two latents of a with two of b",
        {"a": ("p", "r"), "b": ("q", "s")},
        interaction=TwoProducts(Product("p", "q", 0.8), Product("r", "s", 0.6)),
        noise=0.4,
    ),
    SyntheticSystem(
        "threshold",
        "a step of a latent of b and a line in one of a",
        {"a": ("u",), "b": ("v",)},
        linear={"u": 0.5},
        interaction=PiecewiseCurve("v", lambda v: np.where(v > 0.5, 1.2, 0.0), (0.5,)),
        noise=0.35,
    ),
    SyntheticSystem(
        "absolute",
        "the absolute value of a latent that a and b show, and a line in one of b",
        {"a": ("m",), "b": ("m", "v")},
        linear={"v": 0.5},
        interaction=PiecewiseCurve("m", np.abs, (0.0,)),
        noise=0.35,
    ),
    SyntheticSystem(
        "bystander",
        "a latent of a and a product of a and b; c is noise",
        {"a": ("u", "p"), "b": ("q",), "c": ()},
        linear={"u": 0.6},
        interaction=Product("p", "q", 0.6),
        noise=0.4,
    ),
    SyntheticSystem(
        "within",
        "a product of two latents of a, and a latent that a and b show",
        {"a": ("u", "w", "m"), "b": ("m",)},
        linear={"m": 0.5},
        interaction=Product("u", "w", 0.7),
        noise=0.4,
    ),
    SyntheticSystem(
        "count",
        "a product of a and b and a common latent under a skewed count, a quarter of it zeros",
        {"a": ("m", "p"), "b": ("m", "q")},
        linear={"m": 0.7},
        interaction=Product("p", "q", 0.5),
        noise=0.35,
        edges=(-0.6, -0.2, 0.1, 0.4, 0.7, 1.0, 1.3, 1.7, 2.1, 2.6),
    ),
)

HELD_BACK: Mapping[str, SyntheticSystem] = {system.name: system for system in _ALL}
