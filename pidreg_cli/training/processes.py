"""Several processes that train one model together, as ``torchrun`` starts them: what they tell each other.

Every process walks the same way through the trainings; where their numbers meet, these are added up over the
processes, or those of the first are told to all. Messages are numbers and bytes: nothing is unpickled.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as group
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore
from torch.distributed.rendezvous import rendezvous

from pidreg_cli.errors import ExitStatus, ProcessError, UsageError
from pidreg_cli.network.noise import BatchNoise
from pidreg_cli.network.whole_batch import Lane, WholeBatch, slices
from pidreg_cli.place import ONLY, Place

SILENCE = timedelta(hours=1)
"""A process that keeps the others waiting for so long counts as lost; what the first does alone takes less."""
MEETING = timedelta(minutes=10)  # for all to start
LANE = 256
"""Rows of a lane, see ``WholeBatch``: few enough that many processes share the drawing, and as the presets' batch,
for which one generator does all."""
PAUSE = 0.1  # seconds between two looks at the board
FAILURE, ARRIVED, DONE = "failure", "arrived", "done"  # keys of the board


class Processes:
    """The processes of a fit, seen from one of them. Alone, every call gives back what it got.

    Raises ProcessError, from every call, where another process is gone.
    """

    def __init__(self, place: Place = ONLY) -> None:
        self.place = place
        self.rank, self.size = place.rank, place.size

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    def own(self, rows: int) -> slice:
        """Which of ``rows`` are this process's."""
        return slices(rows, self.size)[self.rank]

    def noise(self, seeded: Callable[[int], torch.Generator], rows: int) -> BatchNoise:
        """Randomness for batches of ``rows``; ``seeded``: generator of the batch, 0, and of each lane from 1 on.

        A batch of one lane needs but one generator.
        """
        whole, own = seeded(0), self.own(rows)
        if rows <= LANE:
            if self.alone:
                return whole
            return WholeBatch(whole, [Lane(slice(0, rows), whole)], own, rows, self.rank, self.size, self.add)
        spans = [slice(start, min(start + LANE, rows)) for start in range(0, rows, LANE)]
        lanes = [
            Lane(span, seeded(number))
            for number, span in enumerate(spans, 1)
            if span.start < own.stop and own.start < span.stop
        ]
        return WholeBatch(whole, lanes, own, rows, self.rank, self.size, self.add)

    def add(self, tensor: Tensor) -> Tensor:
        """Add up ``tensor`` over the processes, in place; the same bits on each."""
        if not self.alone:
            with _others_needed():
                group.all_reduce(tensor)
        return tensor

    def add_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Add up the gradients over the processes, in one message."""
        if self.alone:
            return
        used = [p for p in parameters if p.grad is not None]
        flat = self.add(torch.cat([p.grad.flatten() for p in used if p.grad is not None]))
        for parameter, gradient in zip(used, torch.split(flat, [p.numel() for p in used]), strict=True):
            parameter.grad = gradient.view_as(parameter)

    def joined(self, part: Tensor, rows: int) -> Tensor:
        """All ``rows`` from the own rows (n, ...) of every process."""
        if self.alone:
            return part
        whole = part.new_zeros(rows, *part.shape[1:])
        whole[self.own(rows)] = part
        return self.add(whole)

    def of_first(self, make: Callable[[], bytes]) -> bytes:
        """What the first process makes, on every process."""
        if self.alone:
            return make()
        return self.of_each(make() if self.first else b"")[0]

    def number_of_first(self, number: float) -> float:
        """The first process's ``number``: others may have rounded theirs in another way."""
        return float(self.add(torch.tensor(number if self.first else 0.0, dtype=torch.float64)))

    def of_each(self, content: bytes) -> list[bytes]:
        """What each process gives, in order, on every process."""
        if self.alone:
            return [content]
        lengths = self.joined(torch.tensor([len(content)]), self.size).tolist()
        whole = torch.zeros(sum(lengths), dtype=torch.uint8)
        parts = torch.split(whole, lengths)
        if content:
            parts[self.rank].copy_(torch.frombuffer(bytearray(content), dtype=torch.uint8))
        self.add(whole)
        return [part.numpy().tobytes() for part in parts]

    def dealt(self, costs: Sequence[float]) -> list[int]:
        """Which process does each of these jobs: the dearest first, each to the one with least to do."""
        load, dealt = [0.0] * self.size, [0] * len(costs)
        for job in sorted(range(len(costs)), key=lambda job: -costs[job]):
            dealt[job] = load.index(min(load))
            load[dealt[job]] += costs[job]
        return dealt

    def check_same(self, facts: Mapping[str, str]) -> None:
        """Raise UsageError unless ``facts``, by name, are the same on every process."""
        first, *others = (json.loads(found) for found in self.of_each(json.dumps(dict(facts)).encode()))
        for rank, other in enumerate(others, 1):
            if names := [name for name in first if other.get(name) != first[name]]:
                raise UsageError(
                    "usage.processes_differ",
                    f"process {rank} has another {' and '.join(names)} than process 0; all must be given the same",
                    "give every node the same command, files and installation",
                )


ALONE = Processes()


@contextmanager
def _others_needed() -> Iterator[None]:
    """Tell a lost connection by its own error."""
    try:
        yield
    except RuntimeError as error:
        raise lost() from error


def lost() -> ProcessError:
    """Another process of the fit is gone, and said nothing."""
    return ProcessError(
        "processes.lost",
        "another process of this fit ended before its time, such as for lack of memory; all must be there to the end",
        "--resume continues from the last finished epoch, with as many processes as you like",
    )


class Board:
    """Where processes leave word for each other beside their connections: the store that ``torchrun`` keeps."""

    def __init__(self, place: Place) -> None:
        """Reach it. Raises ProcessError where it cannot be reached."""
        self.place = place
        with _others_needed():
            found, _, _ = next(rendezvous("env://", timeout=MEETING))
        # torchrun keeps one store for all attempts: what an earlier one left there must not end this one.
        self.root = PrefixStore(f"pidreg attempt {os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", found)
        self._store = PrefixStore("board", self.root)

    def fail(self, status: ExitStatus) -> tuple[ExitStatus, bool]:
        """Status of the first failure that was told, and whether it is this one."""
        mine = f"{self.place.rank} {int(status)}"
        with _others_needed():
            found = self._store.compare_set(FAILURE, "", mine).decode()
        return ExitStatus(int(found.split()[1])), found == mine

    def meet(self) -> None:
        """Wait for all to arrive. Raises ProcessError where one has failed already, or does not come."""
        with _others_needed():
            self._store.add(ARRIVED, 1)
        self._wait(lambda: self._store.add(ARRIVED, 0) == self.place.size, MEETING.total_seconds())

    def finish(self) -> None:
        """Tell the others that all is done."""
        with _others_needed():
            self._store.set(DONE, "")

    def wait_for_end(self) -> None:
        """Wait until the first process is done. Raises ProcessError where it failed."""
        self._wait(lambda: self._store.check([DONE]), float("inf"))

    def _wait(self, ready: Callable[[], bool], seconds: float) -> None:
        """Look again and again: a signal is heard between two looks, but not within a call that waits."""
        end = time.monotonic() + seconds
        with _others_needed():
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
    board = Board(place)
    board.meet()
    backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
    with _others_needed():
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
        return Board(place).fail(status)
    except ProcessError:
        return status, True  # nobody can be asked
