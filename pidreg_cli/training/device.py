"""Where tensors live and how many threads work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from pidreg_cli.errors import UsageError
from pidreg_cli.place import ONLY, Place
from pidreg_cli.threads import available_threads

__all__ = ["available_threads", "limited_threads", "resolve_device"]


def resolve_device(name: str, place: Place = ONLY) -> torch.device:
    """``auto``: a GPU when present, else the CPU; of several processes each takes the GPU of its local rank.

    Raises UsageError for a GPU that is not there, and for one that several processes would share.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    device = torch.device(name)
    if device.type == "cuda" and not place.alone:
        device = _own_gpu(device, place)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            "usage.device",
            f"device {name!r} is not available: {torch.cuda.device_count()} CUDA devices found",
            "use --device auto or --device cpu",
        )
    return device


def _own_gpu(device: torch.device, place: Place) -> torch.device:
    if device.index is not None and place.local_size > 1:
        raise UsageError(
            "usage.device",
            f"{place.local_size} processes on one machine cannot share the device {str(device)!r}",
            "use --device cuda: each process takes a GPU of its own",
        )
    own = torch.device("cuda", place.local_rank if device.index is None else device.index)
    torch.cuda.set_device(own)
    return own


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
