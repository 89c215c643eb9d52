"""Several processes that train one model together, as ``torchrun`` starts them: what they tell each other.

Every process walks the same way through the trainings; where their numbers meet, these are added up over the
processes, or those of the first are told to all. Messages are numbers and bytes: nothing is unpickled.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as group
from torch import Tensor, nn

from pidreg_cli.errors import ProcessError, UsageError
from pidreg_cli.network.noise import BatchNoise
from pidreg_cli.network.whole_batch import Lane, WholeBatch, slices
from pidreg_cli.place import ONLY, Place

LANE = 256
"""Rows of a lane, see ``WholeBatch``: few enough that many processes share the drawing, and as the presets' batch,
for which one generator does all."""


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
            with others_needed():
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

    def numbers_of_first(self, numbers: Sequence[float]) -> list[float]:
        """The first process's ``numbers``: others may have rounded theirs in another way."""
        given = torch.tensor(numbers, dtype=torch.float64)
        found: list[float] = self.add(given if self.first else torch.zeros_like(given)).tolist()
        return found

    def number_of_first(self, number: float) -> float:
        """As ``numbers_of_first``, of one."""
        return self.numbers_of_first([number])[0]

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
def others_needed() -> Iterator[None]:
    """Tell a lost connection by its own error."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise lost() from error


def lost() -> ProcessError:
    """Another process of the fit is gone, and said nothing."""
    return ProcessError(
        "processes.lost",
        "another process of this fit ended before its time, such as for lack of memory; all must be there to the end",
        "--resume continues from the last finished epoch, with as many processes as you like",
    )
