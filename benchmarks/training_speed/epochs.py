"""CPU time of epochs of a network in training, with everything, with parts, or bare."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import torch

from benchmarks.fits.encoders import untried
from pidreg_cli.config.settings import LossSettings, Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.training.fitted import Transforms, network_shape
from pidreg_cli.training.model_fit import ModelFit, ModelTask
from pidreg_cli.training.progress import EpochRecord, Silent

TERMS = ("cauchy_schwarz", "conditional", "gaussianity", "sufficiency")
FEWEST_VALIDATION = 64
VALIDATION_SHARE = 8  # one validation row to so many training rows, about as a fit deals them


def table(rows: int, widths: Mapping[str, int]) -> MultimodalArrays:
    """Normal features of the given numbers by modality; the target is the sum of the first of each, and noise."""
    rng = np.random.default_rng(0)
    features = {name: rng.standard_normal((rows, width), dtype=np.float32) for name, width in widths.items()}
    target = np.sum([block[:, 0] for block in features.values()], axis=0) + rng.standard_normal(rows)
    columns = {name: tuple(f"{name}__{i}" for i in range(width)) for name, width in widths.items()}
    return MultimodalArrays(features, columns, target, np.arange(rows))


@dataclass
class Watch(Silent):
    """CPU seconds of each epoch, by stage: from the end of the last one, or from the start of the stage."""

    seconds: dict[int, list[float]] = field(default_factory=lambda: {1: [], 2: []})
    last: float = 0.0

    def begin(self, task: str, epochs: int) -> None:
        """A stage starts."""
        self.last = time.process_time()

    def epoch(self, record: EpochRecord) -> None:
        """An epoch ended."""
        now = time.process_time()
        self.seconds[record.stage].append(now - self.last)
        self.last = time.process_time()


class Trainer:
    """Training of one network on a table, some epochs at a time; ``member``: which of the networks of a model."""

    def __init__(self, arrays: MultimodalArrays, settings: Settings, member: int = 0) -> None:
        self.settings = settings = untried(settings)
        self.task = ModelTask("speed", 0, arrays.names, member=member)
        transforms = Transforms.fit(arrays, settings.features.transform)
        rows = transforms.rows(arrays, torch.device("cpu"))
        valid = rows.take(torch.arange(max(FEWEST_VALIDATION, len(rows) // VALIDATION_SHARE)))
        self.rows = rows, valid
        self.shape = network_shape(transforms, (), settings.network, member)

    def seconds(self, loss: LossSettings, first: int, second: int) -> dict[int, list[float]]:
        """Of ``first`` epochs of stage 1, in which weights follow the atoms, and ``second`` of stage 2."""
        stages = {
            "stage1": self.settings.stage1.model_copy(update=lasting(first)),
            "stage2": self.settings.stage2.model_copy(update=lasting(second)),
        }
        watch = Watch()
        settings = self.settings.model_copy(update={"loss": loss, **stages})
        ModelFit(self.task, self.shape, self.rows, settings, watch, None).run()
        return watch.seconds


def lasting(epochs: int) -> dict[str, int]:
    """Settings of a stage of so many epochs."""
    return {"min_epochs": epochs, "max_epochs": epochs, "max_steps": 1}


def only(loss: LossSettings, *terms: str) -> LossSettings:
    """Of the weights those of ``terms``; the rest of them off."""
    return loss.model_copy(update={term: 0.0 for term in TERMS if term not in terms})
