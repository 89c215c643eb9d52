"""Randomness inside the network, from an explicit generator: ``None`` means evaluation, where nothing is random."""

from __future__ import annotations

import torch
from torch import Tensor

Noise = torch.Generator | None


LEVELS = 2**16  # of the rates that dropout knows
PER_DRAW = 4  # decisions by one draw of 64 bits


def dropout(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """Inverted dropout of any shape; identity in evaluation. (torch's own draws from global state.)

    16 random bits decide on each element: ``bernoulli_`` draws 64 for it and takes three times as long.
    """
    dropped = round(rate * LEVELS)
    if noise is None or dropped == 0:
        return x
    draws = torch.empty(-(-x.numel() // PER_DRAW), dtype=torch.int64, device=x.device)
    bits = draws.random_(torch.iinfo(torch.int64).min, None, generator=noise).view(torch.int16)
    kept = bits[: x.numel()].view(x.shape) >= dropped - LEVELS // 2
    return x * (kept.to(x.dtype) * (LEVELS / (LEVELS - dropped)))
