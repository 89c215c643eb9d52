"""The linear-noise information bottleneck between an encoder and its code."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pidreg_cli.network.noise import BatchNoise, Noise, normal_like
from pidreg_cli.network.whole_batch import WholeBatch

MOMENTUM = (
    0.05  # of the running mean: a horizon of 20 batches follows the encoder and averages the batch noise
)

Moments = tuple[Tensor, Tensor]
"""Mean and deviation (d,) of the columns of a batch."""


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
        """Mix ``h`` with noise of the moments of its batch, or with the running mean in evaluation."""
        if noise is None:
            return self.share * h + (1 - self.share) * self.running_mean
        return self.mixed(h, batch_moments([h], noise)[0], normal_like(h, noise))

    def mixed(self, h: Tensor, moments: Moments, standard: Tensor) -> Tensor:
        """Mix ``h`` with noise made of ``standard`` normal numbers of its shape."""
        mean, deviation = moments
        with torch.no_grad():
            self.running_mean.lerp_(mean, MOMENTUM)
        noisy: Tensor = mean + deviation * standard
        return self.share * h + (1 - self.share) * noisy


def batch_moments(hidden: Sequence[Tensor], noise: BatchNoise) -> list[Moments]:
    """Mean and deviation over the batch of each column of each of ``hidden``, rows (n, d) of the same batch."""
    if not isinstance(noise, WholeBatch) or noise.size == 1:
        return [(mean := h.mean(0), _deviation(h, mean)) for h in hidden]
    widths = [h.shape[1] for h in hidden]
    mean, deviation = noise.moments(torch.cat(list(hidden), 1))
    return list(zip(torch.split(mean, widths), torch.split(deviation, widths), strict=True))


def _deviation(h: Tensor, mean: Tensor) -> Tensor:
    # ``std`` takes several times as long on a CPU; the gradient of a norm, too, is 0 where nothing varies.
    deviation: Tensor = torch.linalg.vector_norm(h - mean, dim=0) * len(h) ** -0.5
    return deviation
