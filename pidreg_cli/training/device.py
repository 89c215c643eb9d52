"""Where tensors live and how many threads work on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from threadpoolctl import threadpool_limits

from pidreg_cli.errors import UsageError
from pidreg_cli.threads import available_threads

__all__ = ["available_threads", "limited_threads", "resolve_device"]


def resolve_device(name: str) -> torch.device:
    """``auto``: a GPU when present, else the CPU. Raises UsageError for a GPU that is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise UsageError(
            "usage.device",
            f"device {name!r} is not available: {torch.cuda.device_count()} CUDA devices found",
            "use --device auto or --device cpu",
        )
    return device


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
