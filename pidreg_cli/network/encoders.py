"""Encoders h_i: from the transformed columns of one modality to d numbers. Each sees only its own modality."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pidreg_cli.network.noise import Noise, dropout

EncoderKind = Literal["periodic", "mlp", "linear"]


@dataclass(frozen=True)
class EncoderShape:
    """What an encoder is built from; see ``EncoderSettings`` for the meaning of the numbers."""

    kind: EncoderKind
    features: int
    plain: int
    code_dim: int
    width: int
    depth: int
    dropout: float
    embedding_dim: int
    frequencies: int
    frequency_scale: float


class PeriodicEmbedding(nn.Module):
    """Trainable sine embeddings of each feature (Gorishniy et al. 2022, "PLR"), with the feature itself kept.

    Shape: ``(batch, features) -> (batch, features * embedding_dim)``. NOTE[DIFF]: the raw value enters the linear map
    of its feature beside the sines, so that a linear relation needs no sine.
    """

    def __init__(self, features: int, frequencies: int, scale: float, embedding_dim: int) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(torch.empty(features, frequencies))
        self.weight = nn.Parameter(torch.empty(features, 2 * frequencies + 1, embedding_dim))
        self.bias = nn.Parameter(torch.empty(features, embedding_dim))
        self.scale = scale

    def reset(self, generator: torch.Generator) -> None:
        """Draw the parameters: frequencies N(0, scale^2), maps uniform in +-1/sqrt(fan-in)."""
        bound = 1 / math.sqrt(self.weight.shape[1])
        with torch.no_grad():
            self.frequencies.normal_(0, self.scale, generator=generator)
            self.weight.uniform_(-bound, bound, generator=generator)
            self.bias.uniform_(-bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Embed ``x`` of shape (batch, features)."""
        angle = 2 * math.pi * self.frequencies * x[..., None]
        waves = torch.cat([torch.cos(angle), torch.sin(angle), x[..., None]], -1)
        # One linear map per feature: batch over the features.
        mapped = torch.bmm(waves.transpose(0, 1), self.weight) + self.bias[:, None]
        return functional.relu(mapped).transpose(0, 1).flatten(1)


class Encoder(nn.Module):
    """An MLP on embedded (``periodic``) or plain (``mlp``) features plus a linear path; ``linear``: the path alone.

    Shape: ``(batch, features), (batch, plain) -> (batch, code_dim)``. The linear path lets few rows, or linear
    systems, be learned at once; plain inputs (features in their units, flags of missing cells) join both paths.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        flat = shape.features + shape.plain
        self.rate = shape.dropout
        self.embedding: PeriodicEmbedding | None = None
        self.hidden = nn.ModuleList()
        self.output: nn.Linear | None = None
        self.linear = nn.Linear(flat, shape.code_dim)
        if shape.kind == "linear":
            return
        width = flat
        if shape.kind == "periodic":
            self.embedding = PeriodicEmbedding(
                shape.features, shape.frequencies, shape.frequency_scale, shape.embedding_dim
            )
            width = shape.features * shape.embedding_dim + shape.plain
        for _ in range(shape.depth):
            self.hidden.append(nn.Linear(width, shape.width))
            width = shape.width
        self.output = nn.Linear(width, shape.code_dim)

    def forward(self, values: Tensor, plain: Tensor, noise: Noise) -> Tensor:
        """Encode a batch; ``noise`` drives the dropout, None in evaluation."""
        flat = torch.cat([values, plain], -1)
        linear: Tensor = self.linear(flat)
        if self.output is None:
            return linear
        x = flat if self.embedding is None else torch.cat([self.embedding(values), plain], -1)
        for layer in self.hidden:
            x = dropout(functional.relu(layer(x)), self.rate, noise)
        code: Tensor = self.output(x) + linear
        return code
