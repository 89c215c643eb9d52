"""Checkpoints: a training state, or a finished model's results, as one safetensors file with a JSON header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from pidreg_cli.errors import RunError

LEDGER = "ledger"


def training_name(number: int, variant: str = "") -> str:
    """File of the training state of a model; ``variant`` tells several trainings of one model apart."""
    return f"checkpoint-{number}{variant}.safetensors"


def scores_name(number: int) -> str:
    """File of the boosted scores of a model."""
    return f"scores-{number}.safetensors"


class CheckpointStore(Protocol):
    """Where checkpoints live; names are relative and end in ``.safetensors``."""

    def write(self, name: str, content: bytes) -> None:
        """Store ``content`` under ``name``, wholly or not at all."""

    def path(self, name: str) -> Path | None:
        """The stored file, or None."""

    def remove(self, name: str) -> None:
        """Forget ``name`` if it is there."""


def write_checkpoint(
    store: CheckpointStore, name: str, document: dict[str, Any], tensors: dict[str, Tensor]
) -> None:
    """Store plain values and tensors together: they are never out of step."""
    contiguous = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    store.write(name, save(contiguous, metadata={LEDGER: json.dumps(document)}))


def read_checkpoint(
    store: CheckpointStore, name: str, device: torch.device
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """What ``write_checkpoint`` stored, or None. Raises RunError for a file that is not whole."""
    path = store.path(name)
    if path is None:
        return None
    try:
        with safe_open(path, framework="pt", device=str(device)) as file:
            document = json.loads((file.metadata() or {})[LEDGER])
            # Copies: a tensor of the mapped file would change when the next checkpoint is written over it.
            return document, {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, ValueError) as error:
        raise RunError(
            "run.checkpoint",
            f"checkpoint {path.name} cannot be read: {error}",
            "start again with --force",
        ) from error
