"""Checkpoints: a training state, or a finished model's results, as one safetensors file with a JSON header."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save
from torch import Tensor

from pidreg_cli.errors import RunError
from pidreg_cli.limited_reading import limited_json, refuse_beyond_memory, refuse_special_file
from pidreg_cli.training.processes import Processes

LEDGER = "ledger"
HEADER = 8  # bytes of a safetensors file that say how long its JSON header is


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
    store.write(name, packed(document, tensors))


def packed(document: dict[str, Any], tensors: dict[str, Tensor]) -> bytes:
    """Plain values and tensors as the content of one file."""
    contiguous = {key: value.detach().cpu().contiguous().clone() for key, value in tensors.items()}
    return save(contiguous, metadata={LEDGER: json.dumps(document)})


def unpacked(content: bytes, device: torch.device) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Inverse of ``packed``, for what another process of the same fit packed."""
    length = int.from_bytes(content[:HEADER], "little")
    metadata = json.loads(content[HEADER : HEADER + length])["__metadata__"]
    return json.loads(metadata[LEDGER]), {key: t.to(device) for key, t in load(content).items()}


def read_checkpoint(
    store: CheckpointStore, name: str, device: torch.device
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """What ``write_checkpoint`` stored, or None. Raises RunError for a file that is not whole."""
    path = store.path(name)
    if path is None:
        return None
    try:
        refuse_special_file(path)
        refuse_beyond_memory(path)
        with safe_open(path, framework="pt", device=str(device)) as file:
            document = limited_json((file.metadata() or {})[LEDGER])
            # Copies: a tensor of the mapped file would change when the next checkpoint is written over it.
            return document, {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise RunError(
            "run.checkpoint",
            f"checkpoint {path.name} cannot be read: {error}",
            "start again with --force",
        ) from error


def shared_checkpoint(
    store: CheckpointStore | None, name: str, device: torch.device, processes: Processes
) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
    """As ``read_checkpoint`` from the first process's store, on every process; None where there is no store."""
    found = read_checkpoint(store, name, device) if store else None
    if processes.alone:
        return found
    content = processes.of_first(lambda: packed(*found) if found else b"")
    return unpacked(content, device) if content else None
