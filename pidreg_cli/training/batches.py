"""Rows ready to train on: tensors on one device, and their shuffled batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from pidreg_cli.config.settings import TrainingSettings
from pidreg_cli.network.noise import BatchNoise, drawn_for
from pidreg_cli.network.pidreg import ModalityInput

EVERY = slice(None)  # row of a batch


class TrainingRows(Protocol):
    """Rows that train, in memory or not; what they give lies on ``device``."""

    @property
    def device(self) -> torch.device:
        """Where the rows are used."""

    def __len__(self) -> int:
        """Number of rows."""

    def batches(
        self, size: int, generator: torch.Generator, chosen: range | None = None, own: slice = EVERY
    ) -> Iterator[Rows]:
        """Batches of exactly ``size`` rows in the random order that ``generator`` draws of all rows.

        The remainder waits for another order. ``chosen``: positions of the batches wanted, by default all.
        ``own``: the rows of each batch that are given, where other processes take the rest of it.
        """


@dataclass(frozen=True)
class Rows:
    """Inputs and targets of the same rows.

    ``inputs[i]`` (n, p_i): of modality i. ``target`` (n,): standardised target.
    ``score`` (n,): its normal scores Y'. ``present`` (n, modalities): which modalities the rows have.
    ``absent[i]`` (1, p_i): inputs of a row without modality i, for training that hides modalities.
    """

    inputs: Sequence[ModalityInput]
    target: Tensor
    score: Tensor
    present: Tensor
    absent: Sequence[ModalityInput]

    def __len__(self) -> int:
        return len(self.target)

    @property
    def device(self) -> torch.device:
        """Where the rows are."""
        return self.target.device

    def batches(
        self, size: int, generator: torch.Generator, chosen: range | None = None, own: slice = EVERY
    ) -> Iterator[Rows]:
        """As ``TrainingRows`` says."""
        order = torch.randperm(len(self), generator=generator, device=self.device)
        for number in range(len(self) // size) if chosen is None else chosen:
            yield self.take(order[number * size : number * size + size][own])

    def take(self, index: Tensor) -> Rows:
        """The rows at ``index``."""
        inputs = [flat[index] for flat in self.inputs]
        return Rows(inputs, self.target[index], self.score[index], self.present[index], self.absent)

    def part(self, own: slice) -> Rows:
        """A run of the rows, without a copy."""
        inputs = [flat[own] for flat in self.inputs]
        return Rows(inputs, self.target[own], self.score[own], self.present[own], self.absent)

    def hidden(self, rate: float, noise: BatchNoise) -> Rows:
        """Each modality hidden from its row with probability ``rate``, but never all that the row has."""
        n, device = self.present.shape[1], self.target.device
        drop = (
            drawn_for(len(self), noise, lambda rows, g: torch.rand(rows, n, generator=g, device=device))
            < rate
        )
        drop &= (self.present & ~drop).any(1, keepdim=True)
        inputs = [
            torch.where(drop[:, [i]], lacking, own)
            for i, (own, lacking) in enumerate(zip(self.inputs, self.absent, strict=True))
        ]
        return replace(self, inputs=inputs)


MOST_BATCHES = 500
"""Of a pass over the rows with batches that still grow: a few hundred steps a pass learn no less (400,000 rows of
``mixed``: the same informations with 256 and 1,024, in less time for more passes)."""


def batch_size_for(rows: int, settings: TrainingSettings) -> int:
    """Rows of a batch: as configured, but at least eight batches a pass where that leaves 32 rows to each; doubled,
    up to ``settings.largest_batch``, while a pass has more than ``MOST_BATCHES``.
    """
    size = min(rows, settings.batch_size, max(32, rows // 8))
    while rows // size > MOST_BATCHES and 2 * size <= settings.largest_batch:
        size *= 2
    return size
