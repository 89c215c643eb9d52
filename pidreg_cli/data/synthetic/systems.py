"""Synthetic systems whose information is known: what each modality sees and how the target is made of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np

from pidreg_cli.data.synthetic.interactions import (
    Curve,
    Interaction,
    Mixture,
    NoInteraction,
    Product,
    SignProduct,
)
from pidreg_cli.errors import UsageError


@dataclass(frozen=True)
class SyntheticSystem:
    """A target ``Y = T(sum_l linear[l] l + interaction + noise * eps)`` of independent standard normals.

    ``modalities`` names the latents that each modality shows; modalities that show the same latent share it.
    ``T`` is the identity or one of three. ``tail``: ``T(y) = y exp(tail y^2 / 2)``, Tukey's g-and-h map with
    g = 0, which of a unit normal leaves the moments of orders below ``1 / tail`` only. ``exponential``: the map
    that gives Y the standard exponential distribution. Both are strictly increasing and change no information.
    ``edges``: Y is the number of them below y, an integer; the information is that which this leaves.
    """

    name: str
    description: str
    modalities: Mapping[str, tuple[str, ...]]
    noise: float
    linear: Mapping[str, float] = field(default_factory=dict)
    interaction: Interaction = field(default_factory=NoInteraction)
    tail: float = 0.0
    exponential: bool = False
    edges: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.noise <= 0.0:
            raise ValueError(f"the noise must be positive, however: noise={self.noise}")
        if (self.tail != 0.0) + self.exponential + bool(self.edges) > 1:
            raise ValueError("a target is heavy-tailed, exponential or an integer: two of them at once")
        if not all(low < high for low, high in pairwise(self.edges)):
            raise ValueError(f"edges must increase, however: edges={self.edges}")
        shared = sorted(set(self.linear) & set(self.interaction.latents))
        if shared:
            raise ValueError(f"latents in both the linear part and the interaction: {shared}")
        hidden = sorted({*self.linear, *self.interaction.latents} - self.latents_of(self.modalities))
        if hidden:
            raise ValueError(f"latents that no modality shows: {hidden}")

    def latents_of(self, names: Iterable[str]) -> frozenset[str]:
        """The latents that the modalities ``names`` see together."""
        return frozenset(latent for name in names for latent in self.modalities[name])

    def mixture(self, latents: frozenset[str]) -> Mixture:
        """The law of the target (before T) for a subset of modalities that sees ``latents``."""
        seen = sum(c * c for latent, c in self.linear.items() if latent in latents)
        unseen = sum(c * c for latent, c in self.linear.items() if latent not in latents)
        return self.interaction.mixture(latents).plus_linear(seen, unseen + self.noise**2)


_ALL = (
    SyntheticSystem(
        "unique",
        "only a informs; b is noise",
        {"a": ("u",), "b": ()},
        linear={"u": 1.0},
        noise=0.5,
    ),
    SyntheticSystem(
        "redundant",
        "a and b show the same latent: either alone says all that both say",
        {"a": ("m",), "b": ("m",)},
        linear={"m": 1.0},
        noise=0.5,
    ),
    SyntheticSystem(
        "synergy",
        "the product of a latent of a and a latent of b: neither alone predicts anything",
        {"a": ("p",), "b": ("q",)},
        interaction=Product("p", "q", 1.0),
        noise=0.45,
    ),
    SyntheticSystem(
        "xor",
        "the product of a sign in a and a sign in b (exclusive or) with continuous noise",
        {"a": ("p",), "b": ("q",)},
        interaction=SignProduct("p", "q", 1.0),
        noise=0.4,
    ),
    SyntheticSystem(
        "mixed",
        "a common latent, a latent unique to a, and a product of a and b",
        {"a": ("m", "u", "p"), "b": ("m", "q")},
        linear={"m": 0.50, "u": 0.57},
        interaction=Product("p", "q", 0.57),
        noise=0.30,
    ),
    SyntheticSystem("null", "no modality informs", {"a": (), "b": ()}, noise=1.0),
    SyntheticSystem(
        "dominant",
        "a informs strongly, b weakly and almost only about what a says too",
        {"a": ("u", "m"), "b": ("m", "v")},
        linear={"u": 0.86, "m": 0.20, "v": 0.05},
        noise=0.45,
    ),
    SyntheticSystem(
        "three",
        "a latent common to a, b and c, latents unique to a and to b, and a product of b and c",
        {"a": ("m", "u"), "b": ("m", "v", "p"), "c": ("m", "q")},
        linear={"m": 0.45, "u": 0.70, "v": 0.30},
        interaction=Product("p", "q", 0.45),
        noise=0.30,
    ),
    SyntheticSystem(
        "heavy-tail",
        "a common and two unique latents under a target with a power-law tail (no fourth moment)",
        {"a": ("m", "u"), "b": ("m", "v")},
        linear={"m": 0.60, "u": 0.60, "v": 0.30},
        noise=0.43,
        tail=0.3,
    ),
    SyntheticSystem(
        "square",
        "the square of a latent of a; b is noise: unique, though not linear",
        {"a": ("u",), "b": ()},
        interaction=Curve("u", 1.0, np.square),
        noise=0.5,
    ),
    SyntheticSystem(
        "sine",
        "a sine of a latent of a; b is noise: unique, though not linear",
        {"a": ("u",), "b": ()},
        interaction=Curve("u", 1.0, lambda u: np.sin(2.0 * u)),
        noise=0.3,
    ),
    SyntheticSystem(
        "fast-sine",
        "a sine of a latent of a that turns half as fast again; b is noise",
        {"a": ("u",), "b": ()},
        interaction=Curve("u", 1.0, lambda u: np.sin(3.0 * u)),
        noise=0.35,
    ),
    SyntheticSystem(
        "additive",
        "the sum of a latent of a and a weaker one of b: together they tell more than the better one",
        {"a": ("u",), "b": ("v",)},
        linear={"u": 0.80, "v": 0.50},
        noise=0.35,
    ),
    SyntheticSystem(
        "pairwise",
        "three modalities, each two of which show a latent of their own",
        {"a": ("l", "m"), "b": ("m", "n"), "c": ("n", "l")},
        linear={"l": 0.40, "m": 0.70, "n": 0.50},
        noise=0.35,
    ),
    SyntheticSystem(
        "exponential",
        "a common and two unique latents under a target with an exponential distribution",
        {"a": ("m", "u"), "b": ("m", "v")},
        linear={"m": 0.50, "u": 0.40, "v": 0.70},
        noise=0.40,
        exponential=True,
    ),
    SyntheticSystem(
        "integer",
        "a common and two unique latents under a target rounded to integers from 0 to 12",
        {"a": ("m", "u"), "b": ("m", "v")},
        linear={"m": 0.60, "u": 0.65, "v": 0.30},
        noise=0.40,
        edges=tuple(0.5 * k + 0.25 for k in range(-6, 6)),
    ),
)

SYSTEMS: Mapping[str, SyntheticSystem] = {system.name: system for system in _ALL}


def system_named(name: str) -> SyntheticSystem:
    """The system of that name.

    Raises:
        UsageError: there is none; the hint lists all names.
    """
    if name not in SYSTEMS:
        raise UsageError(
            "synth.unknown_system",
            f"there is no synthetic system {name!r}",
            f"choose one of: {', '.join(SYSTEMS)}",
        )
    return SYSTEMS[name]
