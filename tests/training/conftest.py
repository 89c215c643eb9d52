"""Small tables and settings for training tests: seconds, not minutes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from pidreg_cli.config.loading import load_settings
from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays

QUICK = {
    "network.encoder.kind": "periodic",
    "network.further": [],
    "stage1.min_epochs": 2,
    "stage1.max_epochs": 3,
    "stage1.window": 1,
    "stage2.min_epochs": 2,
    "stage2.max_epochs": 4,
    "network.code_dim": 8,
    "network.encoder.width": 16,
    "network.encoder.frequencies": 2,
    "network.encoder.embedding_dim": 2,
    "network.predictor_width": 16,
    "network.head_width": 8,
    "loss.rows": 32,
    "loss.directions": 4,
    "training.learning_rate": 0.01,
    "folds": 2,
    "threads": 1,
    "device": "cpu",
}


def quick_settings(**changed: object) -> Settings:
    """Settings of a tiny, fast fit; keyword names use ``__`` for the dots."""
    options = QUICK | {key.replace("__", "."): value for key, value in changed.items()}
    return load_settings("balanced", options=options)


def linear_arrays(rows: int = 200, seed: int = 0, modalities: int = 2) -> MultimodalArrays:
    """Three features a modality; the target is the sum of each first feature, and noise."""
    rng = np.random.default_rng(seed)
    names = "abcdefgh"[:modalities]
    features = {name: rng.normal(size=(rows, 3)).astype(np.float32) for name in names}
    target = sum(block[:, 0].astype(float) for block in features.values()) + 0.5 * rng.normal(size=rows)
    columns = {name: tuple(f"{name}__{i}" for i in range(3)) for name in names}
    return MultimodalArrays(features, columns, np.asarray(target), np.arange(rows))


class FolderStore:
    """Checkpoints in a temporary folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, content: bytes) -> None:
        (self.folder / name).write_bytes(content)

    def path(self, name: str) -> Path | None:
        path = self.folder / name
        return path if path.exists() else None

    def remove(self, name: str) -> None:
        (self.folder / name).unlink(missing_ok=True)


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path)
