"""AdamW (Loshchilov and Hutter 2019) and, for matrices of sines, Muon (Jordan et al. 2024), on lists of tensors.

AdamW's update is torch's own, ``torch.optim.adamw.adamw``. Its class ``torch.optim.AdamW`` would load torch's compiler
at the first use, a second or two that every fit would wait for, and work out the same lists again in every step.

Muon moves a matrix by its averaged gradient with all singular values made alike. NOTE[DIFF]: the paper's optimiser is
Adam. Of latents that are folded over each other more is found (docs/training.md).
``torch.optim.Muon`` is in new versions alone, and computes in bfloat16, for which many processors have no arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from pidreg_cli.config.settings import TrainingSettings
from pidreg_cli.network.bottleneck import LinearNoiseBottleneck
from pidreg_cli.network.encoders import Encoder, PeriodicEmbedding, PiecewiseEmbedding

BETAS = (0.9, 0.999)
EPSILON = 1e-8

MOMENTUM = 0.95
ROOT_MEAN_SQUARE = 0.2
"""Of an update of Muon: about that of AdamW, so that rates of both mean alike (Liu et al. 2025, arXiv 2502.16982)."""
QUINTIC = (3.4445, -4.7750, 2.0315)
ITERATIONS = 5
"""Of the odd polynomial that brings singular values near to one: from .01 and more into [.7, 1.2]."""
SMALLEST_NORM = 1e-12  # of a gradient with a direction: squares of smaller numbers are zero soon


class Group(Protocol):
    """Parameters that move alike."""

    parameters: list[nn.Parameter]

    def step(self, factor: float) -> None:
        """Move every parameter that has a gradient, at ``factor`` times the learning rate."""

    def slots(self) -> Iterator[tuple[str, list[Tensor]]]:
        """What is kept of every parameter, by name."""


class AdamWGroup:
    """Parameters with one learning rate and one decay, and how often and how far each has moved."""

    def __init__(self, parameters: list[nn.Parameter], rate: float, decay: float) -> None:
        self.parameters, self.rate, self.decay = parameters, rate, decay
        self.steps = [torch.zeros((), device=p.device) for p in parameters]
        self.means = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self.squares = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self._chosen: dict[tuple[int, ...], tuple[list[Tensor], ...]] = {}

    def slots(self) -> Iterator[tuple[str, list[Tensor]]]:
        """As ``Group``."""
        yield from (("step", self.steps), ("exp_avg", self.means), ("exp_avg_sq", self.squares))

    def step(self, factor: float) -> None:
        """As ``Group``."""
        gradients = {i: p.grad for i, p in enumerate(self.parameters) if p.grad is not None}
        parameters, means, squares, steps = self._lists(tuple(gradients))
        adamw(
            parameters,
            [*gradients.values()],
            means,
            squares,
            [],
            steps,
            fused=True,
            amsgrad=False,
            beta1=BETAS[0],
            beta2=BETAS[1],
            lr=factor * self.rate,
            weight_decay=self.decay,
            eps=EPSILON,
            maximize=False,
        )

    def _lists(self, places: tuple[int, ...]) -> tuple[list[Tensor], ...]:
        """Parameters, means, squares and steps at ``places``, made once: few sets of places ever have gradients."""
        if places not in self._chosen:
            every = (self.parameters, self.means, self.squares, self.steps)
            self._chosen[places] = tuple([values[i] for i in places] for values in every)
        return self._chosen[places]


class MuonGroup:
    """Matrices with one learning rate and one decay, and the running mean of the gradients of each."""

    def __init__(self, parameters: list[nn.Parameter], rate: float, decay: float) -> None:
        self.parameters, self.rate, self.decay = parameters, rate, decay
        self.means = [torch.zeros_like(p, requires_grad=False) for p in parameters]

    def slots(self) -> Iterator[tuple[str, list[Tensor]]]:
        """As ``Group``."""
        yield "momentum", self.means

    def step(self, factor: float) -> None:
        """As ``Group``."""
        rate = factor * self.rate
        for matrix, mean in zip(self.parameters, self.means, strict=True):
            if matrix.grad is None:
                continue
            mean.lerp_(matrix.grad, 1 - MOMENTUM)
            ahead = matrix.grad.lerp(mean, MOMENTUM)
            # Singular values of one: a root mean square of one over the root of the longer side.
            length = ROOT_MEAN_SQUARE * math.sqrt(max(matrix.shape))
            matrix.mul_(1 - rate * self.decay).sub_(orthogonal(ahead), alpha=rate * length)


def orthogonal(matrix: Tensor) -> Tensor:
    """About the orthogonal factor of the polar decomposition of a ``matrix`` (n, m), by Newton-Schulz iterations."""
    wide = matrix if matrix.shape[0] <= matrix.shape[1] else matrix.T
    found: Tensor = wide / wide.norm().clamp_min(SMALLEST_NORM)
    first, third, fifth = QUINTIC
    for _ in range(ITERATIONS):
        gram = found @ found.T
        # first X + (third G + fifth G G) X
        found = torch.addmm(found, torch.addmm(gram, gram, gram, beta=third, alpha=fifth), found, beta=first)
    return found if wide is matrix else found.mT


class Optimiser:
    """Moves the parameters of ``groups``; all that changes is in their tensors."""

    def __init__(self, groups: list[Group]) -> None:
        self.groups = groups

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Move every parameter that has a gradient, at ``factor`` times its learning rate."""
        for group in self.groups:
            group.step(factor)

    def forget_gradients(self) -> None:
        """Before the next step's."""
        for group in self.groups:
            for parameter in group.parameters:
                parameter.grad = None

    def tensors(self) -> dict[str, Tensor]:
        """The state by names ``NUMBER.SLOT``."""
        return {f"{number}.{slot}": tensor for number, slot, tensor in self._slots()}

    def load(self, tensors: dict[str, Tensor]) -> None:
        """Inverse of ``tensors``."""
        for number, slot, own in self._slots():
            own.copy_(tensors[f"{number}.{slot}"])

    def _slots(self) -> Iterator[tuple[int, str, Tensor]]:
        first = 0
        for group in self.groups:
            for slot, tensors in group.slots():
                yield from ((first + place, slot, tensor) for place, tensor in enumerate(tensors))
            first += len(group.parameters)


def build_optimiser(network: nn.Module, settings: TrainingSettings) -> Optimiser:
    """The bottleneck's lambda has its own learning rate; only matrices of linear maps decay.

    Matrices of ``fourier`` encoders move by Muon, with a rate and a decay of their own, where there is such a rate.
    """
    wave_rate = settings.waves_learning_rate
    waves = [] if wave_rate is None else wave_matrices(network)
    moved = {id(parameter) for parameter in waves}
    gates, decayed, free = [], [], []
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, LinearNoiseBottleneck):
                gates.append(parameter)
            elif id(parameter) in moved:
                continue
            elif name == "weight" and isinstance(module, nn.Linear | PeriodicEmbedding | PiecewiseEmbedding):
                decayed.append(parameter)
            else:
                free.append(parameter)
    rate = settings.learning_rate
    groups: list[Group] = [
        AdamWGroup(decayed, rate, settings.weight_decay),
        AdamWGroup(free, rate, 0.0),
        AdamWGroup(gates, settings.bottleneck_learning_rate, 0.0),
    ]
    if wave_rate is not None and waves:
        groups.append(MuonGroup(waves, wave_rate, settings.waves_weight_decay))
    return Optimiser(groups)


def wave_matrices(network: nn.Module) -> list[nn.Parameter]:
    """Of all ``fourier`` encoders."""
    return [p for module in network.modules() if isinstance(module, Encoder) for p in module.wave_matrices()]
