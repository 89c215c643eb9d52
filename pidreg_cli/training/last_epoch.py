"""The last finished epoch of a training: where it goes on after an interruption, or when memory ran out in the next."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from pidreg_cli.training.checkpoints import CheckpointStore, shared_checkpoint, write_checkpoint
from pidreg_cli.training.processes import Processes
from pidreg_cli.training.state import TrainingState


class LastEpoch:
    """Kept in ``store`` under ``name``; where one process trains without a store, in the memory of the host."""

    def __init__(
        self, store: CheckpointStore | None, name: str, device: torch.device, processes: Processes
    ) -> None:
        self._store, self._name, self._device, self._processes = store, name, device, processes
        self._copy: tuple[dict[str, Any], dict[str, Tensor]] | None = None

    def keep(self, state: TrainingState) -> None:
        """In place of the one before."""
        document, tensors = state.ledger.to_document(), state.tensors()
        if self._store is not None:
            write_checkpoint(self._store, self._name, document, tensors)
        elif self._processes.alone:
            self._copy = document, {name: t.detach().to("cpu", copy=True) for name, t in tensors.items()}

    def found(self) -> tuple[dict[str, Any], dict[str, Tensor]] | None:
        """Document of the ledger and tensors of the state, the same on every process; None before the first epoch."""
        if self._copy is not None:
            document, tensors = self._copy
            return document, {name: t.to(self._device, copy=True) for name, t in tensors.items()}
        return shared_checkpoint(self._store, self._name, self._device, self._processes)
