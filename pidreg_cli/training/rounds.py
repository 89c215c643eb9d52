"""Rounds of training, between two looks at the validation rows: a pass over the rows, or a part of a long one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from pidreg_cli.training.batches import EVERY, Rows, TrainingRows


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
