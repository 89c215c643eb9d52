"""Small networks that read codes: the predictor, a head per modality, a head for every set of modalities."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from pidreg_cli.network.fusion import hadamard_products, pair_indices
from pidreg_cli.network.noise import Noise, dropout


class Head(nn.Module):
    """An MLP with a linear path to one number. Shape: ``(batch, inputs) -> (batch,)``. ``rate``: of the dropout."""

    def __init__(self, inputs: int, width: int, depth: int, rate: float = 0.0) -> None:
        super().__init__()
        sizes = [inputs, *[width] * depth]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.output = nn.Linear(sizes[-1], 1)
        self.linear = nn.Linear(inputs, 1, bias=False) if depth else None
        self.rate = rate

    def forward(self, x: Tensor, noise: Noise = None) -> Tensor:
        """One number per row; ``noise`` drives the dropout, None in evaluation."""
        hidden = x
        for layer in self.hidden:
            hidden = dropout(functional.relu(layer(hidden)), self.rate, noise)
        out: Tensor = self.output(hidden)
        return (out if self.linear is None else out + self.linear(x)).squeeze(-1)


class SubsetHead(nn.Module):
    """Predicts Y' from any set of modalities: codes and products of absent ones are zeroed, and a flag says so.

    Shape: n codes ``(batch, d)``, present ``(batch, n)`` or ``(n,)``, 0/1, or None for all -> ``(batch,)``.
    NOTE[DIFF]: the method asks for one joint head of all modalities. With more than two, only the full set would then
    have a non-linear readout of its own, and what any pair knows beyond products would be booked as synergy of all;
    one head trained on random subsets serves every set alike.
    """

    def __init__(self, modalities: int, code_dim: int, width: int, rate: float = 0.0) -> None:
        super().__init__()
        self.pairs = pair_indices(modalities)
        self.head = Head((modalities + len(self.pairs)) * code_dim + modalities, width, 1, rate)

    def forward(self, codes: Sequence[Tensor], present: Tensor | None, noise: Noise = None) -> Tensor:
        """Read the codes of the modalities that are present."""
        if present is None:
            flags, masked = codes[0].new_ones(len(codes[0]), len(codes)), list(codes)
        else:
            flags = present.expand(len(codes[0]), len(codes))
            masked = [code * flags[:, i, None] for i, code in enumerate(codes)]
        head: Tensor = self.head(torch.cat([*masked, *hadamard_products(masked), flags], -1), noise)
        return head
