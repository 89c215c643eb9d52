"""What a run keeps beside its report, as figures show it: the course of training, and held-out predictions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Epoch:
    """An epoch of the deployed model: ``stage`` 1 or 2, atoms in bits (stage 1 only), fusion weights, by name."""

    stage: int
    atoms: Mapping[str, float]
    weights: Mapping[str, float]


@dataclass(frozen=True)
class HeldOut:
    """Target and prediction (rows,) of rows that trained nothing, in the target's units."""

    y: Floats
    prediction: Floats


@dataclass(frozen=True)
class Traces:
    """Both, None where they are not known."""

    training: tuple[Epoch, ...] | None = None
    held_out: HeldOut | None = None
