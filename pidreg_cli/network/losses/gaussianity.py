"""Joint Gaussianity of the target and the codes.

If (Y', Z) is jointly normal, so is every mixture of Y' with a coordinate, or with a direction, of the codes. The term
is the mean one-dimensional Cauchy-Schwarz divergence of such standardised mixtures to the normal. NOTE[DIFF]: the
published statistic (a whitened Shapiro-Francia form) hardly moves on skewed data; this one does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from pidreg_cli.network.losses.cauchy_schwarz import cs_to_normal, random_directions

MINIMUM_DEVIATION = (
    1e-4  # of a projection before it is standardised: a collapsed code must not read as infinite
)


def standardise(x: Tensor) -> Tensor:
    """Columns at mean 0 and deviation 1 over the rows."""
    centred = x - x.mean(0)
    # Clamped before the root: its gradient at 0, of a code that is one value, is no number.
    return centred / centred.square().mean(0).clamp_min(MINIMUM_DEVIATION**2).sqrt()


def mixing_directions(dimension: int, count: int, noise: torch.Generator, like: Tensor) -> Tensor:
    """Unit directions of (Y', Z), (1 + dimension, count): Y' with one coordinate, and Y' with all, half and half.

    One coordinate at a time, because a mixture of many is near normal whatever they are. The angle to Y' is between
    30 and 60 degrees, so that neither part drowns the other.
    """
    angle = like.new_empty(count).uniform_(math.pi / 6, math.pi / 3, generator=noise)
    chosen = torch.randint(dimension, (count,), generator=noise, device=like.device)
    codes = random_directions(dimension, count, noise, like)
    half = count // 2 + count % 2
    codes[:, :half] = torch.nn.functional.one_hot(chosen[:half], dimension).T.to(codes.dtype)
    return torch.cat([torch.cos(angle)[None], torch.sin(angle) * codes])


def mixtures(score: Tensor, codes: Sequence[Tensor], directions: Tensor) -> Tensor:
    """Standardised mixtures (n, k) of target and codes along ``directions`` (1 + sum d, k); ``score`` (n,)."""
    joint = standardise(torch.cat([score[:, None], *codes], -1))
    return standardise(joint @ directions)


def joint_gaussianity(score: Tensor, codes: list[Tensor], bandwidth: float, directions: Tensor) -> Tensor:
    """Mean divergence (nats, >= 0) of the ``mixtures`` from the normal."""
    return cs_to_normal(mixtures(score, codes, directions), bandwidth).mean()
