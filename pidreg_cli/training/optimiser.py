"""AdamW (Loshchilov and Hutter 2019) on lists of tensors.

The update is torch's own, ``torch.optim.adamw.adamw``. Its class ``torch.optim.AdamW`` would load torch's compiler at
the first use, a second or two that every fit would wait for, and work out the same lists again in every step.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.optim.adamw import adamw

from pidreg_cli.config.settings import TrainingSettings
from pidreg_cli.network.bottleneck import LinearNoiseBottleneck
from pidreg_cli.network.encoders import PeriodicEmbedding, PiecewiseEmbedding

BETAS = (0.9, 0.999)
EPSILON = 1e-8
SLOTS = ("step", "exp_avg", "exp_avg_sq")


class Group:
    """Parameters with one learning rate and one decay, and how often and how far each has moved."""

    def __init__(self, parameters: list[nn.Parameter], rate: float, decay: float) -> None:
        self.parameters, self.rate, self.decay = parameters, rate, decay
        self.steps = [torch.zeros((), device=p.device) for p in parameters]
        self.means = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self.squares = [torch.zeros_like(p, requires_grad=False) for p in parameters]
        self._chosen: dict[tuple[int, ...], tuple[list[Tensor], ...]] = {}

    def lists(self, places: tuple[int, ...]) -> tuple[list[Tensor], ...]:
        """Parameters, means, squares and steps at ``places``, made once: few sets of places ever have gradients."""
        if places not in self._chosen:
            every = (self.parameters, self.means, self.squares, self.steps)
            self._chosen[places] = tuple([values[i] for i in places] for values in every)
        return self._chosen[places]


class AdamW:
    """Optimiser of ``groups``; all that changes is in their tensors."""

    def __init__(self, groups: list[Group]) -> None:
        self.groups = groups

    @torch.no_grad()
    def step(self, factor: float) -> None:
        """Move every parameter that has a gradient, at ``factor`` times its learning rate."""
        for group in self.groups:
            gradients = {i: p.grad for i, p in enumerate(group.parameters) if p.grad is not None}
            parameters, means, squares, steps = group.lists(tuple(gradients))
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
                lr=factor * group.rate,
                weight_decay=group.decay,
                eps=EPSILON,
                maximize=False,
            )

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
        number = 0
        for group in self.groups:
            for values in zip(group.steps, group.means, group.squares, strict=True):
                for slot, tensor in zip(SLOTS, values, strict=True):
                    yield number, slot, tensor
                number += 1


def build_optimiser(network: nn.Module, settings: TrainingSettings) -> AdamW:
    """The bottleneck's lambda has its own learning rate; only matrices of linear maps decay."""
    gates, decayed, free = [], [], []
    for module in network.modules():
        for name, parameter in module.named_parameters(recurse=False):
            if isinstance(module, LinearNoiseBottleneck):
                gates.append(parameter)
            elif name == "weight" and isinstance(module, nn.Linear | PeriodicEmbedding | PiecewiseEmbedding):
                decayed.append(parameter)
            else:
                free.append(parameter)
    rate = settings.learning_rate
    return AdamW(
        [
            Group(decayed, rate, settings.weight_decay),
            Group(free, rate, 0.0),
            Group(gates, settings.bottleneck_learning_rate, 0.0),
        ]
    )
