"""The PIDReg network: encoders, bottlenecks, fusion, predictor and heads in one module."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from pidreg_cli.network.bottleneck import LinearNoiseBottleneck, batch_moments
from pidreg_cli.network.encoders import Encoder, EncoderShape, SingleEmbedding
from pidreg_cli.network.fusion import Fusion
from pidreg_cli.network.heads import Head, SubsetHead
from pidreg_cli.network.noise import Noise, normal_like

ModalityInput = Tensor
"""(batch, features + plain): values that may be embedded, then plain inputs: features in units, flags of missing
cells, a boosted score. Side by side, so that a batch is gathered once."""


@dataclass(frozen=True)
class NetworkShape:
    """Everything needed to build the network again."""

    encoders: tuple[EncoderShape, ...]
    code_dim: int
    bottleneck_start: float
    fusion_floor: float
    predictor_width: int
    predictor_depth: int
    head_width: int
    head_dropout: float
    fusion_involvement: float = 0.0  # as networks of earlier versions


class PIDRegNetwork(nn.Module):
    """``f(fusion(Z_1, .., Z_n))`` with ``Z_i = bottleneck_i(h_i(x_i))``, a head per modality and a subset head.

    The predictor's output is the standardised target, the heads' output is Y' (normal scores). Parameters are drawn
    from ``generator``; without one they are as the memory was, to be replaced.
    """

    def __init__(self, shape: NetworkShape, generator: torch.Generator | None) -> None:
        super().__init__()
        self.shape = shape
        n = len(shape.encoders)
        self.encoders = nn.ModuleList(Encoder(encoder) for encoder in shape.encoders)
        self.bottlenecks = nn.ModuleList(
            LinearNoiseBottleneck(shape.code_dim, shape.bottleneck_start) for _ in range(n)
        )
        self.fusion = Fusion(n, shape.fusion_floor, shape.fusion_involvement)
        self.predictor = Head(
            shape.code_dim, shape.predictor_width, shape.predictor_depth, shape.head_dropout
        )
        single = (shape.code_dim, shape.head_width, 1, shape.head_dropout)
        self.heads = nn.ModuleList(Head(*single) for _ in range(n))
        self.subset_head = SubsetHead(n, shape.code_dim, shape.head_width, shape.head_dropout)
        if generator is not None:
            self._draw_parameters(generator)

    def _draw_parameters(self, generator: torch.Generator) -> None:
        """Initialise from the generator alone; torch's own start draws from global state."""
        for module in self.modules():
            if isinstance(module, SingleEmbedding):
                module.reset(generator)
            elif isinstance(module, nn.Linear):
                nn.init.kaiming_uniform_(module.weight, a=5**0.5, generator=generator)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)

    def encode(self, inputs: Sequence[ModalityInput], noise: Noise) -> list[Tensor]:
        """Codes Z_i, each (batch, d); ``noise`` is None in evaluation."""
        gates = cast(Iterable[LinearNoiseBottleneck], self.bottlenecks)
        hidden, standard = [], []
        for encoder, flat in zip(self.encoders, inputs, strict=True):
            hidden.append(encoder(flat, noise))
            if noise is not None:
                standard.append(normal_like(hidden[-1], noise))
        if noise is None:
            return [gate(h, None) for gate, h in zip(gates, hidden, strict=True)]
        # Of all modalities at once: processes that share the batch exchange one message.
        moments = batch_moments(hidden, noise)
        return [gate.mixed(*parts) for gate, *parts in zip(gates, hidden, moments, standard, strict=True)]

    @property
    def running_means(self) -> list[Tensor]:
        """What each bottleneck follows while it trains, (d,)."""
        return [gate.running_mean for gate in cast(Iterable[LinearNoiseBottleneck], self.bottlenecks)]

    @property
    def shares(self) -> list[float]:
        """lambda of each bottleneck: the share of signal in each code."""
        gates = cast(Iterable[LinearNoiseBottleneck], self.bottlenecks)
        return [float(gate.share.detach()) for gate in gates]

    def predict(self, codes: Sequence[Tensor], noise: Noise = None, excess: Tensor | None = None) -> Tensor:
        """Prediction of the standardised target, (batch,); ``excess`` as for ``Fusion``, where codes are expected."""
        prediction: Tensor = self.predictor(self.fusion(codes, excess), noise)
        return prediction

    def single_scores(self, codes: Sequence[Tensor], noise: Noise = None) -> list[Tensor]:
        """Each head's prediction of Y' from its own code, n tensors of shape (batch,)."""
        return [head(code, noise) for head, code in zip(self.heads, codes, strict=True)]
