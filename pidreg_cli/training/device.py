"""Where tensors live and how many threads work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from pidreg_cli.devices import RULE, is_device
from pidreg_cli.errors import UsageError
from pidreg_cli.place import ONLY, Place
from pidreg_cli.threads import available_threads

__all__ = ["available_threads", "limited_threads", "peak_bytes", "release_unused", "resolve_device"]


def resolve_device(name: str, place: Place = ONLY) -> torch.device:
    """``auto``: a GPU when present, else the CPU; of several processes each takes the GPU of its local rank.

    Raises UsageError for what is no device, a GPU that is not there, and one that several processes would share.
    """
    if not is_device(name):
        raise UsageError("usage.device", f"device {name!r} is none: it must be {RULE}", "use --device auto")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cpu":
        return torch.device(name)
    number = _number_of(name, place)
    # Before torch is asked, which takes small numbers alone.
    if (number or 0) >= torch.cuda.device_count():
        named = name if number is None else f"cuda:{number}"
        raise UsageError(
            "usage.device",
            f"device {named!r} is not available: {torch.cuda.device_count()} CUDA devices found",
            "use --device auto or --device cpu"
            if place.alone
            else "start a process for each, or use --device cpu",
        )
    device = torch.device("cuda") if number is None else torch.device("cuda", number)
    if not place.alone:
        torch.cuda.set_device(device)  # where NCCL looks
    return device


def _number_of(name: str, place: Place) -> int | None:
    """The number of a GPU; None for the one that torch takes. Raises UsageError where processes would share it."""
    _, _, number = name.partition(":")
    if not number:
        return None if place.alone else place.local_rank
    if place.local_size > 1:
        raise UsageError(
            "usage.device",
            f"{place.local_size} processes on one machine cannot share the device {name!r}",
            "use --device cuda: each process takes a GPU of its own",
        )
    return int(number)


def release_unused(device: torch.device) -> None:
    """Give back what torch keeps of a GPU's memory for tensors to come, in pieces that may suit none of these."""
    if device.type == "cuda":
        torch.cuda.empty_cache()


def peak_bytes(device: torch.device) -> int | None:
    """Most bytes that tensors of this process took of a GPU at the same time; None for the CPU."""
    return torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None


@contextmanager
def limited_threads(count: int) -> Iterator[None]:
    """Torch, BLAS and OpenMP work with ``count`` threads within the block, and with as many as before after it.

    Sums depend on how many threads share them: one number everywhere makes a run repeatable under any OMP_NUM_THREADS.
    """
    before = torch.get_num_threads()
    with threadpool_limits(count):
        torch.set_num_threads(count)
        try:
            yield
        finally:
            torch.set_num_threads(before)
