"""Random streams, one for each purpose, all derived from the seed of the run and a path of integers."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch


class Stream(IntEnum):
    """Purposes of random numbers; a new purpose gets a new number, so that the others stay as they are."""

    SPLIT = 0
    FOLDS = 1
    VALIDATION = 2
    PARAMETERS = 3
    EPOCH = 4
    READOUT = 5
    INTERVALS = 6
    SELECTION = 7
    NULL = 8
    DIVERGENCE = 9
    BOOSTING_FOLDS = 10
    BOOSTING = 11
    COMMON_CHANGE = 12
    GROUPS = 13
    RESAMPLES = 14
    VERIFICATION = 15
    CALIBRATION = 20
    LANE = 21
    STREAMED_SAMPLE = 30
    STREAMED_DEAL = 31
    ROUNDS = 32
    BLOCKED_TREES = 33


def numpy_generator(seed: int, *path: int) -> np.random.Generator:
    """Generator of the stream ``path`` under ``seed``."""
    return np.random.default_rng(np.random.SeedSequence([seed, *path]))


def torch_generator(seed: int, *path: int, device: torch.device | str = "cpu") -> torch.Generator:
    """Torch generator of the stream ``path`` under ``seed``, on ``device``."""
    # Here, so that what draws with NumPy alone does not wait for torch.
    import torch

    state = np.random.SeedSequence([seed, *path]).generate_state(2, np.uint32)
    generator = torch.Generator(device)
    generator.manual_seed(int(state[0]) << 31 ^ int(state[1]))
    return generator
