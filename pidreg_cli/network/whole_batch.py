"""The whole of a batch, of which each of several processes may have a part.

Rows are drawn for in lanes, runs of rows with a generator of their own: a process draws for the lanes of its rows
and takes what belongs to these. What is drawn once for the batch comes from one generator, in the same state on every
process. So the processes together do what one would, up to the order of summation.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Add = Callable[[Tensor], Tensor]
"""Adds up a tensor over the processes in place and returns it: on each the same numbers, bit by bit."""

Draw = Callable[[int, torch.Generator], Tensor]
"""Draws something for so many rows."""


class _Sum(torch.autograd.Function):
    """The sum over the processes, of values and, backwards, of gradients."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, add: Add) -> Tensor:
        ctx.add = add
        return add(x.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.add(gradient.clone()), None


@dataclass(frozen=True)
class Lane:
    """Rows of a batch, and the generator for what is drawn for each of them."""

    span: slice
    generator: torch.Generator


@dataclass(frozen=True)
class WholeBatch:
    """A batch of ``rows``, of which rows ``own`` are here, on process ``rank`` of ``size``.

    ``lanes``: those of the own rows, in order. ``generator``: for what is drawn once for the batch.
    """

    generator: torch.Generator
    lanes: Sequence[Lane]
    own: slice
    rows: int
    rank: int
    size: int
    add: Add

    @property
    def share(self) -> float:
        """Of the batch that is here: what a mean over own rows weighs in that of the batch."""
        return float((self.own.stop - self.own.start) / self.rows)

    def drawn(self, draw: Draw) -> Tensor:
        """For the own rows what ``draw`` draws."""
        drawn = [draw(lane.span.stop - lane.span.start, lane.generator) for lane in self.lanes]
        start = self.lanes[0].span.start
        return torch.cat(drawn)[self.own.start - start : self.own.stop - start]

    def moments(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of each column of the batch, (d,) each, from the own rows ``h`` (n, d) of every process.

        Means and distances from them are shared, in one message, and combined as Chan et al. (1979) do: a sum of
        squares would lose digits.
        """
        here = h.mean(0)
        mine = torch.stack([here, torch.linalg.vector_norm(h - here, dim=0)])
        everyone = torch.nn.functional.pad(mine[None], (0, 0, 0, 0, self.rank, self.size - 1 - self.rank))
        means, norms = _Sum.apply(everyone, self.add).unbind(1)  # type: ignore[no-untyped-call]
        # Of ``slices``, made where ``h`` is: numbers from the host would have every step wait for them.
        bounds = torch.arange(self.size + 1, device=h.device) * self.rows // self.size
        counts = bounds.diff()[:, None].to(h.dtype)
        mean = (means * counts).sum(0) / self.rows
        # As a norm: its gradient is 0 where nothing varies.
        parts = torch.cat([norms, (means - mean) * counts.sqrt()])
        return mean, torch.linalg.vector_norm(parts, dim=0) * self.rows**-0.5

    def first_rows(self, tensors: Sequence[Tensor], count: int) -> list[Tensor]:
        """The first rows of the batch, ``count`` at most, of each of ``tensors`` (n, ...), the own rows as here.

        Gradients flow to own rows alone: added up over the processes they are those of the batch.
        """
        count = min(count, self.rows)
        start, stop = min(self.own.start, count), min(self.own.stop, count)
        flat = [tensor[: stop - start, None].flatten(1) for tensor in tensors]
        mine = torch.cat(flat, 1)
        everyone = mine.new_zeros(count, mine.shape[1])
        everyone[start:stop] = mine.detach()
        self.add(everyone)
        whole = torch.cat([everyone[:start], mine, everyone[stop:]])
        parts = torch.split(whole, [part.shape[1] for part in flat], 1)
        return [part.reshape(count, *own.shape[1:]) for part, own in zip(parts, tensors, strict=True)]


def slices(rows: int, size: int) -> list[slice]:
    """Which of ``rows`` each of ``size`` processes has: runs in order, of lengths that differ by one at most."""
    bounds = [rows * rank // size for rank in range(size + 1)]
    return [slice(bounds[rank], bounds[rank + 1]) for rank in range(size)]
