"""How processes that ``torchrun`` started find each other, end together, and say once why they failed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as group
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from pidreg_cli.errors import ExitStatus, ProcessError
from pidreg_cli.place import Place
from pidreg_cli.training.processes import ALONE, Processes, lost, others_needed

SILENCE = timedelta(hours=1)
"""A process that keeps the others waiting for so long counts as lost; what the first does alone takes less."""
MEETING = timedelta(minutes=10)  # for all to start
PARTING = timedelta(seconds=10)  # to reach the others once more, after a failure: their machine may be gone
PAUSE = 0.1  # seconds between two looks at the board
FAILURE, ARRIVED, DONE = "failure", "arrived", "done"  # keys of the board


class Board:
    """Where processes leave word for each other beside their connections: the store that ``torchrun`` keeps."""

    def __init__(self, place: Place, patience: timedelta) -> None:
        """Reach it. Raises ProcessError where it cannot be reached for so long."""
        self.place = place
        with others_needed():
            found, _, _ = next(rendezvous("env://", timeout=patience))
        # torchrun keeps one store for all attempts: what an earlier one left there must not end this one.
        self.root = PrefixStore(f"pidreg attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", found)
        self._store = PrefixStore("board", self.root)

    def fail(self, status: ExitStatus) -> tuple[ExitStatus, bool]:
        """Status of the first failure that was told, and whether it is this one."""
        mine = f"{self.place.rank} {int(status)}"
        with others_needed():
            found = self._store.compare_set(FAILURE, "", mine).decode()
        return ExitStatus(int(found.split()[1])), found == mine

    def meet(self) -> None:
        """Wait for all to arrive. Raises ProcessError where one has failed already, or does not come."""
        with others_needed():
            self._store.add(ARRIVED, 1)
        self._wait(lambda: self._store.add(ARRIVED, 0) == self.place.size, MEETING.total_seconds())

    def finish(self) -> None:
        """Tell the others that all is done."""
        with others_needed():
            self._store.set(DONE, "")

    def wait_for_end(self) -> None:
        """Wait until the first process is done. Raises ProcessError where it failed."""
        self._wait(lambda: self._store.check([DONE]), float("inf"))

    def _wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Look again and again: a signal is heard between two looks, but not within a call that waits."""
        end = time.monotonic() + seconds
        with others_needed():
            while not ready():
                if self._store.check([FAILURE]) or time.monotonic() > end:
                    raise lost()
                time.sleep(PAUSE)


@contextmanager
def joined(place: Place, device: torch.device) -> Iterator[Processes]:
    """The processes of this fit within the block, connected: by gloo for what is on CPUs, by NCCL for GPUs.

    All leave the block together: others wait for the first. Raises ProcessError where one is lost.
    """
    if place.alone:
        yield ALONE
        return
    board = Board(place, MEETING)
    board.meet()
    backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
    with others_needed():
        group.init_process_group(
            backend, store=board.root, rank=place.rank, world_size=place.size, timeout=SILENCE
        )
    # After an error connections end with the process: word of it must be on the board before others notice.
    yield Processes(place)
    if place.first:
        board.finish()
    else:
        board.wait_for_end()
    group.destroy_process_group()


def tell(place: Place, status: ExitStatus) -> tuple[ExitStatus, bool]:
    """Leave word of a failure: the status with which all processes end, and whether this one is to explain it."""
    try:
        return Board(place, PARTING).fail(status)
    except ProcessError:
        return status, True  # nobody can be asked
