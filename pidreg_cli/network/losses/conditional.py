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
    """Pairwise squared Euclidean distances, (n, n), never below zero."""
    squares = x.square().sum(-1)
    return (squares[:, None] + squares[None] - 2 * x @ x.T).clamp_min(0)


def gaussian_kernel(squared: Tensor) -> Tensor:
    """``exp(-D / (2 s^2))`` with s half the median distance of the batch (taken as a constant)."""
    n = len(squared)
    off_diagonal = squared.detach()[~torch.eye(n, dtype=torch.bool, device=squared.device)]
    median = off_diagonal.median()
    # More than half of the rows alike (a binary column): the mean still tells a scale.
    scale = torch.where(median > 0, median, off_diagonal.mean()).clamp_min(1e-12)
    return torch.exp(-squared / (2 * BANDWIDTH_FACTOR**2 * scale))


def conditional_cs(condition: Tensor, other: Tensor, code: Tensor) -> Tensor:
    """CMI (nats, >= 0) of kernel matrices M (condition), K (other), L (code), each (n, n).

    ``-2 log mean_j[M_j KM_j LM_j] + log mean_j[KLM_j M_j^2] + log mean_j[KM_j^2 LM_j^2 / KLM_j]``, non-negative by the
    Cauchy-Schwarz inequality over the sample.
    """
    m = condition.mean(0)
    km = (other * condition).mean(0)
    lm = (code * condition).mean(0)
    klm = (other * code * condition).mean(0)
    cross = (m * km * lm).mean().log()
    return (klm * m.square()).mean().log() + (km.square() * lm.square() / klm).mean().log() - 2 * cross


def conditional_independence(inputs: list[Tensor], codes: list[Tensor]) -> Tensor:
    """Sum over modalities of ``CMI(Z_i ; X_rest | X_i)``; ``inputs[i]`` (n, p_i), ``codes[i]`` (n, d). 0 for one."""
    if len(inputs) < 2:
        return codes[0].new_zeros(())
    distances = [squared_distances(x) for x in inputs]
    total = torch.stack(distances).sum(0)
    terms = [
        conditional_cs(
            gaussian_kernel(own),
            gaussian_kernel((total - own).clamp_min(0)),
            gaussian_kernel(squared_distances(code)),
        )
        for own, code in zip(distances, codes, strict=True)
    ]
    return torch.stack(terms).sum()
