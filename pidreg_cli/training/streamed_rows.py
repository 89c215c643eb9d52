"""Training rows in files: an epoch goes through these in random order, a few mixed at a time, the next ones read ahead.

Rows were dealt to the files at random, so that each is a uniformly random part of the training rows, and the order of
an epoch by itself a uniformly random one: every order of the rows is as likely as any other, and a batch is a simple
random sample, whatever the order of the table. What two epochs share is the deal: rows of one file come in the same
``POOL_BUCKETS``th part of any epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pidreg_cli.atomic import PART, writing
from pidreg_cli.data.arrays import Floats, MultimodalArrays
from pidreg_cli.data.streaming.buckets import Block, read_matrix
from pidreg_cli.data.streaming.deal import DealtTable
from pidreg_cli.data.streaming.plan import POOL_BUCKETS
from pidreg_cli.threads import in_order
from pidreg_cli.training.batches import EVERY, Rows
from pidreg_cli.training.fitted import Transforms
from pidreg_cli.training.reading import CHUNK

OUTCOMES = 2  # standardised target and Y', after the inputs
SEEDS = 2**62


class Part(NamedTuple):
    """A run of the rows of an epoch: ``span`` of a pool of files in the order of ``seed``; ``first``: place of the
    pool's first row in the epoch.
    """

    pool: list[int]
    seed: int
    span: slice
    first: int


class StreamedRows:
    """``TrainingRows`` of dealt files, whose rows become inputs of the network when a file is first read.

    They replace the raw ones on the disk, so that each is transformed once in a fit. Processes that share the files
    transform them at once, each some of them, and read from each file the rows alone that are theirs.
    """

    def __init__(self, dealt: DealtTable, transforms: Transforms, device: torch.device) -> None:
        self.buckets, self.device = dealt.buckets, device
        self._columns, self._transforms = dealt.sample.columns, transforms
        first = transforms.rows(dealt.sample.take(slice(0, 1)), device)
        self._absent = first.absent
        self._widths = [block.shape[1] for block in first.inputs]
        self._width = sum(self._widths) + OUTCOMES + len(self._widths)
        sharing = dealt.sharing
        # Alone, each when it is first asked for.
        for number in () if sharing.alone else range(sharing.number, len(self.buckets.sizes), sharing.of):
            self._ready(number)
        sharing.wait()

    def __len__(self) -> int:
        return self.buckets.rows

    def batches(
        self, size: int, generator: torch.Generator, chosen: range | None = None, own: slice = EVERY
    ) -> Iterator[Rows]:
        """Batches of exactly ``size`` rows, in an order that ``generator`` draws; by default all of an epoch's.

        Of ``chosen`` batches only the files that hold them are read.
        """
        chosen = range(len(self) // size) if chosen is None else chosen
        pools = self._pools(generator)
        start, stop = chosen.start * size, chosen.stop * size
        ends = np.cumsum([0, *(self._rows_of(pool) for pool, _ in pools)]).tolist()
        wanted = [
            Part(pool, seed, slice(max(0, start - first), min(end, stop) - first), first)
            for (pool, seed), (first, end) in zip(pools, pairwise(ends), strict=True)
            if first < stop and end > start
        ]
        first, end, _ = own.indices(size)
        with closing(in_order(lambda one: self._loaded(one, size, own), wanted, 1)) as loaded:
            yield from map(self._rows, cut(loaded, end - first))

    def _pools(self, generator: torch.Generator) -> list[tuple[list[int], int]]:
        """Files of each pool in the order of the epoch, and the seed of the order within."""
        device = generator.device
        order = torch.randperm(len(self.buckets.sizes), generator=generator, device=device).tolist()
        pools = [order[at : at + POOL_BUCKETS] for at in range(0, len(order), POOL_BUCKETS)]
        seeds = torch.randint(SEEDS, (len(pools),), generator=generator, device=device).tolist()
        return list(zip(pools, seeds, strict=True))

    def _rows_of(self, pool: Sequence[int]) -> int:
        return sum(self.buckets.sizes[number] for number in pool)

    def _rows(self, matrix: Tensor) -> Rows:
        widths = [*self._widths, OUTCOMES, len(self._widths)]
        *inputs, outcomes, present = torch.split_with_sizes(matrix, widths, dim=1)
        return Rows(
            [one.contiguous() for one in inputs],
            outcomes[:, 0].contiguous(),
            outcomes[:, 1].contiguous(),
            present > 0,
            self._absent,
        )

    def _loaded(self, part: Part, size: int, own: slice) -> tuple[Tensor, Tensor]:
        """Rows, (n, inputs + outcomes + modalities), and the order, (m,), in which batches of ``size`` take the own
        ones, on the device.
        """
        rows = self._rows_of(part.pool)
        order = torch.randperm(rows, generator=torch.Generator().manual_seed(part.seed))[part.span]
        if own == EVERY:
            return self._read(part.pool, None).to(self.device), order.to(self.device)
        first, end, _ = own.indices(size)
        place = (part.first + part.span.start + torch.arange(len(order))) % size
        order = order[(place >= first) & (place < end)]
        # As they lie in the files, which are read from their beginnings to their ends.
        chosen, places = order.sort()
        return self._read(part.pool, chosen.numpy()).to(self.device), places.argsort().to(self.device)

    def _read(self, pool: Sequence[int], chosen: NDArray[np.intp] | None) -> Tensor:
        """Rows of some files, or the ``chosen`` ones of them, which ascend."""
        starts = np.cumsum([0, *(self.buckets.sizes[number] for number in pool)])
        places = starts if chosen is None else np.searchsorted(chosen, starts)
        matrix = np.empty((places[-1], self._width), np.float32)
        # One by one: the files side by side and joined would be twice as much memory.
        for number, start, (begin, end) in zip(pool, starts[:-1], pairwise(places), strict=True):
            own = None if chosen is None else chosen[begin:end] - start
            matrix[begin:end] = self._ready(number, own)
        return torch.from_numpy(matrix)

    def _ready(self, number: int, chosen: NDArray[np.intp] | None = None) -> Block:
        """Rows of a file, or the chosen ones, as the network reads them, made when they are first asked for."""
        path = self.buckets.folder / f"{number}.inputs"
        if path.exists():
            return read_matrix(path, self.buckets.sizes[number], self._width, chosen)
        made = self._made(number)
        part = path.with_suffix(PART)
        with writing(path):
            made.tofile(part)
            part.rename(path)
        self.buckets.drop(number)
        return made if chosen is None else made[chosen]

    def _made(self, number: int) -> Block:
        features, target = self.buckets.read(number)
        made = np.empty((len(target), self._width), np.float32)
        for start in range(0, len(target), CHUNK):
            piece = slice(start, start + CHUNK)
            rows = self._transforms.rows(self._arrays(features[piece], target[piece]), torch.device("cpu"))
            parts = [*rows.inputs, rows.target[:, None], rows.score[:, None], rows.present.float()]
            torch.cat(parts, dim=1, out=torch.from_numpy(made[piece]))
        return made

    def _arrays(self, features: Block, target: Floats) -> MultimodalArrays:
        widths = [len(columns) for columns in self._columns.values()]
        blocks = np.split(features, np.cumsum(widths)[:-1], axis=1)
        named = dict(zip(self._columns, blocks, strict=True))
        return MultimodalArrays(named, self._columns, target, np.arange(len(target)))


def cut(parts: Iterator[tuple[Tensor, Tensor]], size: int) -> Iterator[Tensor]:
    """Rows of each part in its order, cut to runs of ``size``; what is left over starts the next."""
    left: Tensor | None = None
    for matrix, given in parts:
        order = given
        if left is not None:
            missing = size - len(left)
            left, order = torch.cat([left, matrix[order[:missing]]]), order[missing:]
            # A part may be smaller than what is missing.
            if len(left) < size:
                continue
            yield left
        whole = len(order) // size * size
        for at in range(0, whole, size):
            yield matrix[order[at : at + size]]
        left = matrix[order[whole:]]
