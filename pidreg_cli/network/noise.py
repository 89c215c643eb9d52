"""Randomness inside the network, from an explicit generator: ``None`` means evaluation, where nothing is random."""

from __future__ import annotations

import torch
from torch import Tensor

from pidreg_cli.network.whole_batch import Draw, WholeBatch

BatchNoise = torch.Generator | WholeBatch
"""A generator where the whole batch is here; else what is known of it."""
Noise = BatchNoise | None

LEVELS = 2**16  # of the rates that dropout knows
PER_DRAW = 4  # decisions by one draw of 64 bits


def generator_of(noise: BatchNoise) -> torch.Generator:
    """For what is drawn once for the batch."""
    return noise.generator if isinstance(noise, WholeBatch) else noise


def drawn_for(rows: int, noise: BatchNoise, draw: Draw) -> Tensor:
    """What ``draw`` draws for the ``rows`` of the batch that are here."""
    return noise.drawn(draw) if isinstance(noise, WholeBatch) else draw(rows, noise)


def normal_like(h: Tensor, noise: BatchNoise) -> Tensor:
    """Standard normal numbers for rows ``h`` (n, d)."""
    width = h.shape[1:]
    return drawn_for(len(h), noise, lambda rows, g: h.new_empty(rows, *width).normal_(generator=g))


def dropout(x: Tensor, rate: float, noise: Noise) -> Tensor:
    """Inverted dropout of rows ``x`` (n, ...); identity in evaluation. (torch's own draws from global state.)

    16 random bits decide on each element: ``bernoulli_`` draws 64 for it and takes three times as long.
    """
    dropped = round(rate * LEVELS)
    if noise is None or dropped == 0:
        return x

    def bits(rows: int, generator: torch.Generator) -> Tensor:
        elements = rows * x[0].numel()
        draws = torch.empty(-(-elements // PER_DRAW), dtype=torch.int64, device=x.device)
        draws.random_(torch.iinfo(torch.int64).min, None, generator=generator)
        return draws.view(torch.int16)[:elements].view(rows, *x.shape[1:])

    kept = drawn_for(len(x), noise, bits) >= dropped - LEVELS // 2
    return x * (kept.to(x.dtype) * (LEVELS / (LEVELS - dropped)))
