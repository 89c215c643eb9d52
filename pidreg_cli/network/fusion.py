"""Fusion of the codes by the weights of the decomposition, with Hadamard products for synergy."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor, nn


def pair_indices(modalities: int) -> list[tuple[int, int]]:
    """All pairs i < j in lexicographic order."""
    return list(combinations(range(modalities), 2))


def hadamard_products(codes: Sequence[Tensor]) -> list[Tensor]:
    """``Z_i * Z_j`` for i < j, each of the shape of a code."""
    return [codes[i] * codes[j] for i, j in pair_indices(len(codes))]


class Fusion(nn.Module):
    """``Z = (sum_i w_i Z_i + sum_{i<j} w_ij Z_i * Z_j) / ||w||``.

    Shape: n codes ``(batch, d)`` -> ``(batch, d)``. ``weights`` holds the singles, then the pairs; they sum to one and
    are set from the atoms, never by gradients. NOTE[DIFF]: the division by ||w|| keeps Z at unit scale for
    independent standard codes, so that the predictor sees the same scale for two modalities as for eight.
    """

    weights: Tensor

    def __init__(self, modalities: int) -> None:
        super().__init__()
        terms = modalities + len(pair_indices(modalities))
        self.register_buffer("weights", torch.full((terms,), 1 / terms))

    def forward(self, codes: Sequence[Tensor]) -> Tensor:
        """Fuse the codes."""
        terms = torch.stack([*codes, *hadamard_products(codes)])
        fused: Tensor = torch.tensordot(self.weights / self.weights.norm(), terms, dims=1)
        return fused
