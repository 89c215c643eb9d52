"""Which of the processes of one command this is, as ``torchrun`` tells each; knows nothing of torch."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from pidreg_cli.errors import UsageError
from pidreg_cli.threads import available_threads

_NAMES = ("WORLD_SIZE", "RANK", "LOCAL_WORLD_SIZE", "LOCAL_RANK")
_PORT = "MASTER_PORT"


@dataclass(frozen=True)
class Place:
    """Process ``rank`` of ``size``; on its machine ``local_rank`` of ``local_size``."""

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @classmethod
    def of_environment(cls, environment: Mapping[str, str] | None = None) -> Place:
        """The place that the environment gives: alone, unless it speaks of several processes.

        Raises UsageError where it does so in part only, or in other ways than ``torchrun``.
        """
        given = os.environ if environment is None else environment
        if given.get("WORLD_SIZE", "1") == "1":
            return cls()
        missing = [name for name in (*_NAMES, "MASTER_ADDR", _PORT) if not given.get(name)]
        if missing:
            raise _unclear(f"WORLD_SIZE is {given['WORLD_SIZE']!r}, but {', '.join(missing)} not set")
        try:
            size, rank, local_size, local_rank, port = (int(given[name]) for name in (*_NAMES, _PORT))
        except ValueError:
            raise _unclear(", ".join(f"{name} is {given[name]!r}" for name in (*_NAMES, _PORT))) from None
        # Those of a machine are numbered one after the other: its first has the number rank - local_rank.
        there = 0 <= local_rank < local_size and 0 <= rank - local_rank <= size - local_size
        if not (0 <= rank < size and there and 0 < port < 2**16):
            raise _unclear(", ".join(f"{name} is {given[name]!r}" for name in (*_NAMES, _PORT)))
        return cls(rank, size, local_rank, local_size)

    @property
    def alone(self) -> bool:
        """Whether there is no other process."""
        return self.size == 1

    @property
    def first(self) -> bool:
        """Whether this is the process that writes and speaks."""
        return self.rank == 0

    @property
    def threads(self) -> int:
        """Threads for each process of this machine: together no more than its cores, at least one each."""
        return max(1, available_threads() // self.local_size)


ONLY = Place()


def _unclear(what: str) -> UsageError:
    return UsageError(
        "usage.processes",
        f"the environment does not say which of several processes this is: {what}",
        "start them with torchrun --nproc-per-node N -m pidreg_cli fit ..., or unset WORLD_SIZE for one process",
    )
