"""The two stages: how long they last, the learning rate, when the atoms have settled, when to stop."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.config.settings import Stage1Settings, StageSettings

WARM_UP_STEPS = 100  # of the learning rate: Adam's second moments need about as many to be worth dividing by
FINAL_RATE = 0.02  # of the learning rate, where the cosine ends: the last epochs average, they do not explore
SMOOTHING = (
    0.5  # of the informations from epoch to epoch in stage 1: two epochs of memory tame the batch noise
)


def stage_epochs(settings: StageSettings, steps_per_epoch: int) -> int:
    """Most epochs of a stage: within its bounds of epochs, as many as its bound of steps allows."""
    affordable = settings.max_steps // steps_per_epoch
    return min(max(affordable, settings.min_epochs), max(settings.max_epochs, settings.min_epochs))


def stage1_bound(epochs: int, settings: Stage1Settings) -> str:
    """The key of the bound that ends stage 1 after so many ``epochs``."""
    return "stage1.max_steps" if epochs < settings.max_epochs else "stage1.max_epochs"


def warm_up(step: int) -> float:
    """Factor of the learning rate in stage 1: linear over the first steps, then 1."""
    return min(1.0, (step + 1) / WARM_UP_STEPS)


def cosine(progress: float) -> float:
    """Factor of the learning rate in stage 2 at ``progress`` in [0, 1]: half a cosine from 1 to ``FINAL_RATE``."""
    return FINAL_RATE + (1 - FINAL_RATE) * 0.5 * (1 + math.cos(math.pi * progress))


def smoothed(previous: Sequence[float], current: NDArray[np.float64]) -> NDArray[np.float64]:
    """Exponential average of the informations over epochs."""
    if not previous:
        return current
    return SMOOTHING * np.asarray(previous) + (1 - SMOOTHING) * current


def window_movement(atoms: Sequence[Sequence[float]], window: int) -> float | None:
    """Largest change (bits) of the windowed mean of the atoms in the last epoch; None before window + 1 epochs."""
    if len(atoms) <= window:
        return None
    recent = np.asarray(atoms[-window - 1 :])
    return float(np.abs(recent[1:].mean(0) - recent[:-1].mean(0)).max())


def calm_epochs(calm: int, movement: float | None, settings: Stage1Settings) -> int:
    """Epochs in a row in which the windowed atoms moved less than the tolerance."""
    return calm + 1 if movement is not None and movement < settings.tolerance else 0
