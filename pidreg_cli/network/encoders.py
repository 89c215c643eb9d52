"""Encoders h_i: from the transformed columns of one modality to d numbers. Each sees only its own modality."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from pidreg_cli.network.noise import Noise, dropout

EncoderKind = Literal["periodic", "piecewise", "fourier", "mlp", "linear"]

BINS = 16
EDGE_SPREAD, EDGE_LIMIT = 1.4, 4.0  # of piecewise embeddings, in normal scores
MATRIX = 2  # dimensions
UNFOLDED = 16
"""Combinations of sines and features that the next layer of sines reads: of 32, waves of folded latents were found less
well (docs/training.md)."""


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
    waves: int
    wave_layers: int = 1  # networks of earlier versions have one
    unfolded: int = 32  # of which those of earlier versions had so many; see ``UNFOLDED``


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


class PiecewiseEmbedding(nn.Module):
    """Piecewise linear encoding of each feature (Gorishniy et al. 2022, "PLE"), then a linear map of its own.

    Shape: ``(batch, features) -> (batch, features * embedding_dim)``. A bin reads 0 below it, 1 above it, and rises
    linearly within. NOTE[DIFF]: the value itself enters the map beside the bins, so that a linear relation needs none,
    and goes on beyond the outer edges; the bins are the same for every
    feature, ``BINS`` with edges at quantiles of N(0, 1.4^2): inputs are normal scores, and a spread above theirs puts
    as many bins on the tails, where squared errors are made, as on the centre.
    """

    edges: Tensor

    def __init__(self, features: int, embedding_dim: int) -> None:
        super().__init__()
        inner = EDGE_SPREAD * torch.special.ndtri(torch.arange(1, BINS) / BINS)
        end = torch.tensor([EDGE_LIMIT])
        self.register_buffer("edges", torch.cat([-end, inner, end]), persistent=False)
        self.weight = nn.Parameter(torch.empty(features, BINS + 1, embedding_dim))
        self.bias = nn.Parameter(torch.empty(features, embedding_dim))

    def reset(self, generator: torch.Generator) -> None:
        """Draw the maps uniform in +-1/2: about four bins' worth of inputs vary between rows."""
        with torch.no_grad():
            self.weight.uniform_(-0.5, 0.5, generator=generator)
            self.bias.zero_()

    def forward(self, x: Tensor) -> Tensor:
        """Embed ``x`` of shape (batch, features)."""
        low, high = self.edges[:-1], self.edges[1:]
        filled = ((x[..., None] - low) / (high - low)).clamp(0, 1)
        mapped = torch.bmm(torch.cat([filled, x[..., None]], -1).transpose(0, 1), self.weight)
        return functional.relu(mapped + self.bias[:, None]).transpose(0, 1).flatten(1)


class FourierEmbedding(nn.Module):
    """Trainable sines of combinations of all features, with the features themselves kept.

    Shape: ``(batch, features) -> (batch, features + waves)``. Random Fourier features (Rahimi and Recht 2007) whose
    directions are trained. Where latents are folded over each other, what a feature tells depends on the others: sines
    of single features, as in ``PeriodicEmbedding``, cannot follow that, and an MLP needs many rows to.
    """

    def __init__(self, features: int, waves: int, scale: float) -> None:
        super().__init__()
        self.directions = nn.Parameter(torch.empty(waves, features))
        self.phases = nn.Parameter(torch.empty(waves))
        self.scale = scale

    def reset(self, generator: torch.Generator) -> None:
        """Draw directions so that an angle varies by 2 pi scale over standardised features, and phases uniform."""
        spread = 2 * math.pi * self.scale / math.sqrt(self.directions.shape[1])
        with torch.no_grad():
            self.directions.normal_(0, spread, generator=generator)
            self.phases.uniform_(-math.pi, math.pi, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Embed ``x`` of shape (batch, features)."""
        return torch.cat([x, torch.sin(functional.linear(x, self.directions, self.phases))], -1)


class FoldedFourierEmbedding(nn.Module):
    """Layers of trainable sines: each reads combinations of what the layer before gives; features are kept.

    Shape: ``(batch, features) -> (batch, features + unfolded + waves)``. Where a latent is folded over another that is
    folded itself, one layer tells the first, and the sines of the next can be those of the latent.
    """

    def __init__(self, features: int, waves: int, scale: float, layers: int, unfolded: int) -> None:
        super().__init__()
        sizes = [features] + [unfolded] * (layers - 1)
        self.layers = nn.ModuleList(FourierEmbedding(size, waves, scale) for size in sizes)
        self.maps = nn.ModuleList(nn.Linear(size + waves, unfolded) for size in sizes[:-1])

    def forward(self, x: Tensor) -> Tensor:
        """Embed ``x`` of shape (batch, features)."""
        first, *others = self.layers
        found = first(x)
        for combined, layer in zip(self.maps, others, strict=True):
            found = layer(combined(found))
        return torch.cat([x, found], -1)


SingleEmbedding = PeriodicEmbedding | PiecewiseEmbedding | FourierEmbedding
Embedding = SingleEmbedding | FoldedFourierEmbedding


class Encoder(nn.Module):
    """An MLP on embedded (``periodic``, ``piecewise``, ``fourier``) or plain (``mlp``) features plus a linear path;
    ``linear``: the path alone.

    Shape: ``(batch, features + plain) -> (batch, code_dim)``. The linear path lets few rows, or linear systems, be
    learned at once; plain inputs (features in their units, flags of missing cells) join both paths, unembedded but in
    ``fourier``.
    """

    def __init__(self, shape: EncoderShape) -> None:
        super().__init__()
        flat = shape.features + shape.plain
        # Sines of all features read these in both scales, and the flags: everything at once.
        self.embedded = flat if shape.kind == "fourier" else shape.features
        self.rate = shape.dropout
        self.embedding: Embedding | None = None
        self.hidden = nn.ModuleList()
        self.output: nn.Linear | None = None
        self.linear = nn.Linear(flat, shape.code_dim)
        if shape.kind == "linear":
            return
        # Kinks on top of smooth waves cost rows; of plain features they follow steps, which tables have.
        self.bend = functional.silu if shape.kind == "fourier" else functional.relu
        self.embedding, width = _embedding(shape)
        for _ in range(shape.depth):
            self.hidden.append(nn.Linear(width, shape.width))
            width = shape.width
        self.output = nn.Linear(width, shape.code_dim)

    def wave_matrices(self) -> list[nn.Parameter]:
        """Of sines of all features and what reads them: the matrices of a ``fourier`` encoder but the linear path's."""
        if not isinstance(self.embedding, FourierEmbedding | FoldedFourierEmbedding):
            return []
        linear = {id(parameter) for parameter in self.linear.parameters()}
        return [p for p in self.parameters() if p.ndim == MATRIX and id(p) not in linear]

    def forward(self, flat: Tensor, noise: Noise) -> Tensor:
        """Encode a batch; ``noise`` drives the dropout, None in evaluation."""
        linear: Tensor = self.linear(flat)
        if self.output is None:
            return linear
        x = flat
        if self.embedding is not None:
            values, plain = flat.tensor_split([self.embedded], -1)
            x = torch.cat([self.embedding(values), plain], -1)
        for layer in self.hidden:
            x = dropout(self.bend(layer(x)), self.rate, noise)
        code: Tensor = self.output(x) + linear
        return code


def _embedding(shape: EncoderShape) -> tuple[Embedding | None, int]:
    """The embedding of that kind, None for plain features, and how many numbers it gives with the plain inputs."""
    single = shape.features * shape.embedding_dim
    if shape.kind == "periodic":
        periodic = (shape.frequencies, shape.frequency_scale, shape.embedding_dim)
        return PeriodicEmbedding(shape.features, *periodic), single + shape.plain
    if shape.kind == "piecewise":
        return PiecewiseEmbedding(shape.features, shape.embedding_dim), single + shape.plain
    if shape.kind == "fourier":
        flat = shape.features + shape.plain
        if shape.wave_layers > 1:
            sizes = (flat, shape.waves, shape.frequency_scale, shape.wave_layers, shape.unfolded)
            return FoldedFourierEmbedding(*sizes), flat + shape.unfolded + shape.waves
        return FourierEmbedding(flat, shape.waves, shape.frequency_scale), flat + shape.waves
    return None, shape.features + shape.plain
