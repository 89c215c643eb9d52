"""Several processes of a fit as threads of the test: everything but the connections between them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from torch import Tensor

from pidreg_cli.place import Place
from pidreg_cli.training.processes import Processes

T = TypeVar("T")
SECONDS = 300  # a thread that waits longer has lost the others


class Threads(Processes):
    """One of ``size`` threads that add up tensors as processes do."""

    def __init__(self, rank: int, slots: list[Tensor | None], barrier: threading.Barrier) -> None:
        super().__init__(Place(rank, len(slots), rank, len(slots)))
        self._slots, self._barrier = slots, barrier

    def add(self, tensor: Tensor) -> Tensor:
        """Add up over the threads, in the order of their ranks."""
        self._slots[self.rank] = tensor.detach().clone()
        self._barrier.wait(SECONDS)
        given = [slot for slot in self._slots if slot is not None]
        total = given[0].clone()
        for other in given[1:]:
            total += other
        self._barrier.wait(SECONDS)
        return tensor.copy_(total)


def together(size: int, work: Callable[[Processes], T]) -> list[T]:
    """What ``work`` gives on each of ``size`` processes; where one fails the others must not wait for it."""
    slots: list[Tensor | None] = [None] * size
    barrier = threading.Barrier(size)

    def one(rank: int) -> T:
        try:
            return work(Threads(rank, slots, barrier))
        except BaseException:
            barrier.abort()
            raise

    with ThreadPoolExecutor(size) as pool:
        started = [pool.submit(one, rank) for rank in range(size)]
    for future in started:
        # Of those that failed the one that says why; the others were left waiting.
        if (error := future.exception()) and not isinstance(error, threading.BrokenBarrierError):
            raise error
    return [future.result() for future in started]
