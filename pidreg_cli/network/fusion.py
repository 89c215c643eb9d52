"""Fusion of the codes by the weights of the decomposition, with Hadamard products for synergy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn

LEAST = 0.1
"""Of f: what is told late, by products alone, is let through enough to be learned yet."""


def pair_indices(modalities: int) -> list[tuple[int, int]]:
    """All pairs i < j in lexicographic order."""
    return list(combinations(range(modalities), 2))


def hadamard_products(codes: Sequence[Tensor]) -> list[Tensor]:
    """``Z_i * Z_j`` for i < j, each of the shape of a code."""
    return [codes[i] * codes[j] for i, j in pair_indices(len(codes))]


class Fusion(nn.Module):
    """``Z = sum_i g_i Z_i + sum_{i<j} g_ij Z_i * Z_j``, ``g ~ (1 - floor) w / ||w|| + floor f / ||f||``, ``||g|| = 1``.

    Shape: n codes ``(batch, d)`` -> ``(batch, d)``. ``weights`` w holds the singles, then the pairs; they sum to one
    and are set from the atoms, never by gradients. NOTE[DIFF]: unit norm keeps Z at unit scale for independent
    standard codes, so that the predictor sees the same scale for two modalities as for eight. The floor, 0 as
    published, lets every code through: for one target at most one modality has a unique part, so what another adds
    counts as synergy, its code gets hardly any weight of its own, and products alone carry an additive contribution
    badly (PM2.5 of ``weather`` and ``calendar`` beside ``gases``: 38.4 without a floor, 34.9 with .7).

    f is 1 for terms of modalities whose terms have weights of ``involvement`` and more in sum, and for others less, as
    they have less: a code of noise alone would mix its noise into Z as if it told something.
    """

    weights: Tensor
    members: Tensor

    def __init__(self, modalities: int, floor: float = 0.0, involvement: float = 0.0) -> None:
        super().__init__()
        self.floor, self.involvement = floor, involvement
        single = torch.eye(modalities)
        first, second = torch.triu_indices(modalities, modalities, 1)
        # Which modalities a term is made of, 1 or 0: (terms, modalities). By tensors, which need no memory of a
        # network that is only laid out.
        self.register_buffer("members", torch.cat([single, single[first] + single[second]]), persistent=False)
        terms = len(self.members)
        self.register_buffer("weights", torch.full((terms,), 1 / terms))

    @property
    def gains(self) -> Tensor:
        """g, of unit norm."""
        alike = self._alike()
        mixed = (1 - self.floor) * self.weights / self.weights.norm() + self.floor * alike
        gains: Tensor = mixed / mixed.norm()
        return gains

    def _alike(self) -> Tensor:
        """f (terms,) of unit norm: of a product the least of its modalities'."""
        if self.involvement == 0.0:
            return torch.full_like(self.weights, len(self.weights) ** -0.5)
        noticed = (self.weights @ self.members / self.involvement).clamp(LEAST, 1.0)
        least = torch.where(self.members > 0, noticed, 1.0).amin(-1)
        unit: Tensor = least / least.norm()
        return unit

    def forward(self, codes: Sequence[Tensor], excess: Tensor | None = None) -> Tensor:
        """Fuse the codes. ``excess`` (pairs, d): what products are expected beyond those of expected codes."""
        products = hadamard_products(codes)
        if excess is not None:
            products = [product + more for product, more in zip(products, excess, strict=True)]
        terms = torch.stack([*codes, *products])
        fused: Tensor = torch.tensordot(self.gains, terms, dims=1)
        return fused
