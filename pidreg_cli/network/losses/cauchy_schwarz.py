"""Cauchy-Schwarz divergence of a sample to the standard normal, in closed form.

``CS(p||q) = log INT p^2 + log INT q^2 - 2 log INT pq`` (Principe 2010) with p a Gaussian-kernel density of bandwidth s
and q = N(0, I) smoothed by the same kernel; every integral is a Gaussian, so no reference sample is drawn.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def log_normal_density(squared: Tensor, variance: float) -> Tensor:
    """ln N(x; 0, variance) of scalars with the given squares."""
    return -squared / (2 * variance) - 0.5 * math.log(2 * math.pi * variance)


class _MeanKernel(torch.autograd.Function):
    """``mean_ij exp(-rate (x_i - x_j)^2)`` of each row of ``x`` (k, n); shape (k,).

    By itself torch would keep the n x n differences, squares and exponentials of each row, and walk over all of them
    again for the gradient. One buffer and a product are enough: with E the kernel,
    ``d/dx_i = -(4 rate / n^2) (x_i sum_j E_ij - sum_j E_ij x_j)``.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, rate: float) -> Tensor:
        kernel = (x[:, :, None] - x[:, None]).square_().mul_(-rate).exp_()
        ctx.save_for_backward(x, kernel)
        ctx.rate = rate
        return kernel.mean((1, 2))

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        x, kernel = ctx.saved_tensors
        sums = kernel @ torch.stack([torch.ones_like(x), x], -1)
        slope = (-4 * ctx.rate / x.shape[1] ** 2) * (x * sums[..., 0] - sums[..., 1])
        return gradient[:, None] * slope, None


def cs_to_normal(sample: Tensor, bandwidth: float) -> Tensor:
    """Divergence (nats, >= 0) of each column of ``sample`` (n, k) to N(0, 1); shape (k,).

    The one-dimensional form: in d = 64 the full kernel form is useless (a normal sample scores worse than a
    lognormal one), so callers average over directions (see ``sliced_cs_to_normal``).
    """
    # Each row's own kernel keeps this mean above 1/n: no underflow. A far-off sample could underflow the other.
    pp = _MeanKernel.apply(sample.T.contiguous(), 1 / (4 * bandwidth**2))  # type: ignore[no-untyped-call]
    log_pp = pp.log() - 0.5 * math.log(4 * math.pi * bandwidth**2)
    log_pq = torch.logsumexp(log_normal_density(sample.square(), 1 + 2 * bandwidth**2), 0) - math.log(
        len(sample)
    )
    log_qq = -0.5 * math.log(4 * math.pi * (1 + bandwidth**2))
    divergence: Tensor = log_pp + log_qq - 2 * log_pq
    return divergence


def random_directions(dimension: int, count: int, noise: torch.Generator, like: Tensor) -> Tensor:
    """Unit vectors, uniform on the sphere, as columns of a (dimension, count) tensor of the kind of ``like``."""
    drawn = like.new_empty(dimension, count).normal_(generator=noise)
    return functional.normalize(drawn, dim=0)


def slices(code: Tensor, count: int, noise: torch.Generator) -> Tensor:
    """Fresh one-dimensional views of ``code`` (n, d): up to ``count`` axes and ``count`` random directions, as columns.

    Axes are drawn without replacement (all, where d is no larger). Over the steps of a training the expectation of a
    mean over them is that of all axes, at a fraction of the cost of each step.
    """
    d = code.shape[1]
    axes = torch.randperm(d, generator=noise, device=code.device)[:count]
    directions = random_directions(d, count, noise, code)
    return torch.cat([code[:, axes], code @ directions], -1)


def sliced_cs_to_normal(code: Tensor, bandwidth: float, count: int, noise: torch.Generator) -> Tensor:
    """Mean one-dimensional divergence (nats, >= 0) of ``code`` (n, d) over ``slices``."""
    return cs_to_normal(slices(code, count, noise), bandwidth).mean()
