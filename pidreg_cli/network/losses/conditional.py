"""Conditional independence of a code and the other modalities given the code's own input, by kernels.

The Cauchy-Schwarz divergence between ``p(x1) p(x1, x2, z)`` and ``p(x1, x2) p(x1, z)``, each integral a sample mean.
Since Z_i is a function of X_i and independent noise, the true value is 0 for any encoder: at a finite bandwidth the
term acts as a smoothness penalty on the encoder, not as a leak detector.
"""

from __future__ import annotations

import torch
from torch import Tensor

BANDWIDTH_FACTOR = 0.5  # of the median distance; at 0.1 the order of a leak and no leak inverts


def squared_distances(x: Tensor) -> Tensor:
    """Pairwise squared Euclidean distances of rows, ``(*, n, p) -> (*, n, n)``, never below zero."""
    squares = x.square().sum(-1)
    crossed = x @ x.transpose(-1, -2)
    return (squares[..., :, None] + squares[..., None, :] - 2 * crossed).clamp_min(0)


def gaussian_kernel(squared: Tensor) -> Tensor:
    """``exp(-D / (2 s^2))`` of ``(*, n, n)``, s half the median distance of the batch (taken as a constant)."""
    n = squared.shape[-1]
    # Above the diagonal are all pairs; the matrix is symmetric.
    pairs = squared.detach()[..., *torch.triu_indices(n, n, 1, device=squared.device)]
    median = pairs.median(-1).values
    # More than half of the rows alike (a binary column): the mean still tells a scale.
    scale = torch.where(median > 0, median, pairs.mean(-1)).clamp_min(1e-12)
    return torch.exp(squared * (-1 / (2 * BANDWIDTH_FACTOR**2 * scale))[..., None, None])


def conditional_cs(condition: Tensor, other: Tensor, code: Tensor) -> Tensor:
    """CMI (nats, >= 0) of kernel matrices M (condition), K (other), L (code), ``(*, n, n) -> (*)``, symmetric.

    ``-2 log mean_j[M_j KM_j LM_j] + log mean_j[KLM_j M_j^2] + log mean_j[KM_j^2 LM_j^2 / KLM_j]``, non-negative by the
    Cauchy-Schwarz inequality over the sample.
    """
    both = other * condition
    m, km = condition.mean(-1), both.mean(-1)
    lm, klm = (code * condition).mean(-1), (code * both).mean(-1)
    cross = (m * km * lm).mean(-1).log()
    whole, parted = (klm * m.square()).mean(-1).log(), (km.square() * lm.square() / klm).mean(-1).log()
    return whole + parted - 2 * cross


def conditional_independence(inputs: list[Tensor], codes: list[Tensor]) -> Tensor:
    """Sum over modalities of ``CMI(Z_i ; X_rest | X_i)``; ``inputs[i]`` (n, p_i), ``codes[i]`` (n, d). 0 for one."""
    if len(inputs) < 2:
        return codes[0].new_zeros(())
    own = torch.stack([squared_distances(x) for x in inputs])
    rest = (own.sum(0) - own).clamp_min(0)
    code = squared_distances(torch.stack(codes))
    return conditional_cs(gaussian_kernel(own), gaussian_kernel(rest), gaussian_kernel(code)).sum()
