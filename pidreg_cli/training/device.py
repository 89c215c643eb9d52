"""Where tensors live and how many threads work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from pidreg_cli.errors import UsageError
from pidreg_cli.place import ONLY, Place
from pidreg_cli.threads import available_threads

__all__ = ["available_threads", "limited_threads", "peak_bytes", "release_unused", "resolve_device"]


def resolve_device(name: str, place: Place = ONLY) -> torch.device:
    """``auto``: a GPU when present, else the CPU; of several processes each takes the GPU of its local rank.

    Raises UsageError for a GPU that is not there, and for one that several processes would share.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cpu":
        return device
    if device.index is None and not place.alone:
        device = torch.device("cuda", place.local_rank)
    elif place.local_size > 1:
        raise UsageError(
            "usage.device",
            f"{place.local_size} processes on one machine cannot share the device {name!r}",
            "use --device cuda: each process takes a GPU of its own",
        )
    if (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            "usage.device",
            f"device {str(device)!r} is not available: {torch.cuda.device_count()} CUDA devices found",
            "use --device auto or --device cpu"
            if place.alone
            else "start a process for each, or use --device cpu",
        )
    if not place.alone:
        torch.cuda.set_device(device)  # where NCCL looks
    return device


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
