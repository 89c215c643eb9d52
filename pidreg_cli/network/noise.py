"""Randomness inside the network, from an explicit generator: ``None`` means evaluation, where nothing is random."""

from __future__ import annotations

import torch
from torch import Tensor

Noise = torch.Generator | None


def dropout(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """Inverted dropout of any shape; identity in evaluation. (torch's own draws from global state.)"""
    if noise is None or rate == 0:
        return x
    keep = torch.empty_like(x).bernoulli_(1 - rate, generator=noise)
    return x * keep / (1 - rate)
