"""What a network says of rows: codes, scores of the heads, prediction. Evaluation only, in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pidreg_cli.information.features import ReadoutBlocks
from pidreg_cli.network.pidreg import ModalityInput, PIDRegNetwork

CHUNK = 4096  # rows evaluated at once: bounds memory, large enough to keep the matrix products efficient
FEWEST_ROWS = 32  # evaluated at once where a device lacks memory: fewer are no help

T = TypeVar("T")


@dataclass(frozen=True)
class Reading:
    """``codes[i]`` (n, d); ``scores[mask]`` (n,) predictions of Y' by the heads of a set of modalities; ``prediction``
    (n,) and ``boosted[mask]`` (n,) predictions of the standardised target, by everything and by trees of a set;
    ``first`` (n,): by the network alone whose codes these are.
    """

    codes: list[NDArray[np.float64]]
    scores: dict[int, NDArray[np.float64]]
    prediction: NDArray[np.float64]
    first: NDArray[np.float64]
    boosted: Mapping[int, NDArray[np.float64]] = field(default_factory=dict)


def averaged(readings: Sequence[Reading]) -> Reading:
    """Of several networks: codes of the first, mean scores and mean predictions.

    NOTE[DIFF]: the paper trains one network. The mean of several, of different encoders, errs less and tells more.
    """
    first = readings[0]
    if len(readings) == 1:
        return first
    scores = {mask: np.mean([reading.scores[mask] for reading in readings], axis=0) for mask in first.scores}
    prediction = np.mean([reading.prediction for reading in readings], axis=0)
    return Reading(first.codes, scores, prediction, first.first)


def chunks(inputs: Sequence[ModalityInput], size: int) -> Iterator[list[ModalityInput]]:
    """The rows in runs of ``size``."""
    for start in range(0, len(inputs[0]), size):
        yield [flat[start : start + size] for flat in inputs]


def by_chunks(inputs: Sequence[ModalityInput], work: Callable[[list[ModalityInput]], T]) -> list[T]:
    """What ``work`` makes of the rows, in runs of ``CHUNK``, or of fewer where the device has no memory for these.

    Raises OutOfMemoryError where it has none for ``FEWEST_ROWS``.
    """
    size = min(CHUNK, len(inputs[0]))
    while size > FEWEST_ROWS:
        # Tried again below the block: within it the error holds the tensors of what failed.
        with suppress(torch.OutOfMemoryError):
            return [work(chunk) for chunk in chunks(inputs, size)]
        size = max(size // 2, FEWEST_ROWS)
    return [work(chunk) for chunk in chunks(inputs, max(size, 1))]


def all_masks(modalities: int) -> list[int]:
    """Every non-empty set of modalities as a bitmask."""
    return list(range(1, 2**modalities))


def summary_masks(modalities: int) -> list[int]:
    """The sets that the summary and the fusion weights need: singles, pairs, all but one, all."""
    wanted = {1, 2, modalities - 1, modalities}
    return [mask for mask in all_masks(modalities) if mask.bit_count() in wanted]


def subset_flags(masks: Sequence[int], modalities: int, device: torch.device) -> dict[int, Tensor]:
    """0/1 flags (modalities,) of each set of two or more, by bitmask."""
    several = [mask for mask in masks if mask.bit_count() > 1]
    return {m: torch.tensor([float(m >> i & 1) for i in range(modalities)], device=device) for m in several}


def as_array(parts: Sequence[Tensor]) -> NDArray[np.float64]:
    """Chunks joined, as float64 on the host."""
    return torch.cat([*parts]).double().cpu().numpy()


@torch.no_grad()
def read(network: PIDRegNetwork, inputs: Sequence[ModalityInput], masks: Sequence[int]) -> Reading:
    """Codes, predictions, and the heads' scores of the sets in ``masks`` (none where the heads were not trained)."""
    n = len(inputs)
    flags = subset_flags(masks, n, inputs[0].device)

    def of(chunk: list[ModalityInput]) -> tuple[Sequence[Tensor], Tensor, dict[int, Tensor]]:
        codes = network.encode(chunk, None)
        prediction = network.predict(codes)
        scores = {1 << i: head(codes[i]) for i, head in enumerate(network.heads) if 1 << i in masks}
        scores |= {mask: network.subset_head(codes, present) for mask, present in flags.items()}
        return codes, prediction, scores

    codes, predictions, scores = zip(*by_chunks(inputs, of), strict=True)
    joined = {mask: as_array([found[mask] for found in scores]) for mask in masks}
    prediction = as_array(predictions)
    return Reading([as_array(parts) for parts in zip(*codes, strict=True)], joined, prediction, prediction)


@torch.no_grad()
def predict(network: PIDRegNetwork, inputs: Sequence[ModalityInput]) -> Tensor:
    """Predictions of the standardised target, (n,), on the network's device."""
    return torch.cat(by_chunks(inputs, lambda chunk: network.predict(network.encode(chunk, None))))


@torch.no_grad()
def predict_with_heads(network: PIDRegNetwork, inputs: Sequence[ModalityInput]) -> Tensor:
    """As ``predict``, and what the head of each modality says of Y' beside it: (n, 1 + modalities)."""

    def of(chunk: list[ModalityInput]) -> Tensor:
        codes = network.encode(chunk, None)
        return torch.stack([network.predict(codes), *network.single_scores(codes)], -1)

    return torch.cat(by_chunks(inputs, of))


def readout_blocks(
    reading: Reading, to_score: Callable[[NDArray[np.float64]], NDArray[np.float64]]
) -> ReadoutBlocks:
    """Features of the readouts: codes, scores of heads and trees, and for the full set the prediction itself.

    ``to_score``: from the standardised target to Y', in which all scores are given. NOTE[DIFF]: scores of trees,
    where a model has some, are features of the readout of their set; the paper reads codes alone.
    """
    scores = {mask: [score] for mask, score in reading.scores.items()}
    full = (1 << len(reading.codes)) - 1
    if full in scores:
        scores[full].append(to_score(reading.prediction))
    for mask, trees in reading.boosted.items():
        scores.setdefault(mask, []).append(to_score(trees))
    return ReadoutBlocks(
        tuple(reading.codes), {mask: np.column_stack(columns) for mask, columns in scores.items()}
    )
