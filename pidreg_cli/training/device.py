"""Where tensors live and how many threads work on them."""

from __future__ import annotations

import os

import torch

from pidreg_cli.errors import UsageError


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


def available_threads() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
