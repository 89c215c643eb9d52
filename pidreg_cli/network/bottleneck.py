"""The linear-noise information bottleneck between an encoder and its code."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from pidreg_cli.network.noise import Noise

MOMENTUM = (
    0.05  # of the running mean: a horizon of 20 batches follows the encoder and averages the batch noise
)


class LinearNoiseBottleneck(nn.Module):
    """``Z = lam h + (1 - lam) eps``, ``eps ~ N(mu_batch, sigma2_batch)`` per dimension, ``lam = sigmoid(logit)``.

    Shape: ``(batch, d) -> (batch, d)``. In evaluation eps is its running mean, so that a code is a function of its
    row. Source: PIDReg (arXiv 2512.22102), the bottleneck between encoder and code.
    """

    running_mean: Tensor

    def __init__(self, code_dim: int, start: float) -> None:
        super().__init__()
        self.logit = nn.Parameter(torch.tensor(math.log(start / (1 - start))))
        self.register_buffer("running_mean", torch.zeros(code_dim))

    @property
    def share(self) -> Tensor:
        """lambda, the share of signal, in (0, 1)."""
        return torch.sigmoid(self.logit)

    def forward(self, h: Tensor, noise: Noise) -> Tensor:
        """Mix ``h`` with noise of its own batch moments, or with the running mean in evaluation."""
        if noise is None:
            return self.share * h + (1 - self.share) * self.running_mean
        mean = h.mean(0)
        # ``std`` takes several times as long on a CPU; the gradient of a norm, too, is 0 where nothing varies.
        deviation = torch.linalg.vector_norm(h - mean, dim=0) * len(h) ** -0.5
        with torch.no_grad():
            self.running_mean.lerp_(mean, MOMENTUM)
        standard = torch.empty_like(h).normal_(generator=noise)
        noisy: Tensor = mean + deviation * standard
        return self.share * h + (1 - self.share) * noisy
