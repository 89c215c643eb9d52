"""Rounds of training, between two looks at the validation rows: a pass over the rows, or a part of a long one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch

from pidreg_cli.config.settings import TrainingSettings
from pidreg_cli.training.batches import EVERY, Rows, TrainingRows, batch_size_for

FEWEST_ROWS = 32
"""Of a batch that is cut for want of memory, as of those of small tables; see ``batch_size_for``."""


@dataclass(frozen=True)
class BatchPlan:
    """Batches of ``planned`` rows, ``planned_steps`` to a round, each cut to as many of ``rows`` rows as it holds.

    Where memory asks for smaller batches the planned ones are cut, not others dealt: rounds hold the same rows, but for
    what is left of a batch, in the same order, and the next goes on where the last one ended.
    """

    planned: int
    planned_steps: int
    rows: int

    @classmethod
    def of(cls, rows: int, settings: TrainingSettings) -> BatchPlan:
        """For so many training rows, with memory for all that is configured."""
        batch = batch_size_for(rows, settings)
        return cls(batch, round_steps(rows, batch, settings.round_rows), batch)

    @property
    def parts(self) -> int:
        """Steps that a planned batch makes."""
        return self.planned // self.rows

    @property
    def steps(self) -> int:
        """Of a round."""
        return self.planned_steps * self.parts

    def smaller(self) -> BatchPlan | None:
        """With half the rows to a batch; None where these would be less than ``FEWEST_ROWS``."""
        half = self.rows // 2
        return None if half < FEWEST_ROWS else replace(self, rows=half)

    def batches(
        self,
        rows: TrainingRows,
        number: int,
        noise: torch.Generator,
        order: Callable[[int], torch.Generator],
        own: slice = EVERY,
    ) -> Iterator[Rows]:
        """The batches of round ``number``, or the ``own`` rows of each; the rest as in ``round_batches``."""
        place = number, self.planned_steps
        if self.parts == 1:
            yield from round_batches(rows, self.planned, place, noise, order, own)
            return
        for batch in round_batches(rows, self.planned, place, noise, order):
            for start in range(0, self.parts * self.rows, self.rows):
                yield batch.part(slice(start, start + self.rows)).part(own)


def round_steps(rows: int, batch: int, most_rows: int) -> int:
    """Steps of a round: a pass over the rows, or over so many of them at most."""
    return min(rows // batch, max(1, most_rows // batch))


def round_batches(
    rows: TrainingRows,
    size: int,
    place: tuple[int, int],
    noise: torch.Generator,
    order: Callable[[int], torch.Generator],
    own: slice = EVERY,
) -> Iterator[Rows]:
    """The batches of round number ``place[0]``, of ``place[1]`` steps.

    A round that is a pass is drawn by ``noise``; else rounds go on through the passes, number ``i`` of which is in the
    order of ``order(i)``, wherever a round starts: what an interrupted fit does next is what it would have done.
    ``own``: the rows of each batch that this process takes.
    """
    number, steps = place
    whole = len(rows) // size
    if steps == whole:
        yield from rows.batches(size, noise, own=own)
        return
    first, end = number * steps, number * steps + steps
    while first < end:
        current, start = divmod(first, whole)
        stop = min(whole, start + end - first)
        yield from rows.batches(size, order(current), range(start, stop), own)
        first += stop - start
