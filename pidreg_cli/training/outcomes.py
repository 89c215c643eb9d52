"""What the held-out rows of a model say, and how it outlives an interruption between folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pidreg_cli.training.calibration_rows import CalibrationRows
from pidreg_cli.training.checkpoints import CheckpointStore, read_checkpoint, write_checkpoint
from pidreg_cli.training.evaluation import Readouts
from pidreg_cli.training.model_rows import Estimates, ModelRows
from pidreg_cli.training.state import Ledger

Floats = NDArray[np.float64]

ROWS = "rows."  # arrays of the rows themselves start like this
CALIBRATION = "calibration."  # and those of the rows that calibrate predictions


@dataclass(frozen=True)
class HeldOut:
    """Held-out rows of one model, or of several pooled.

    ``prediction``, ``ridge`` (N,): in the target's units; ``ridge_alone``, ``trees_alone`` (N, n): ridge regression and
    small trees on each modality alone. ``code_divergence`` (models,): distance of target and codes from a joint normal,
    NaN with few rows. ``readouts``, ``null_sums``, ``debiased``: as in ``Estimates``. ``models``: the rows themselves.
    ``calibration``: the rows that calibrate predictions, the validation rows of a split, the held-out ones of a fold.
    """

    models: tuple[ModelRows, ...]
    calibration: CalibrationRows
    readouts: Readouts
    prediction: Floats
    ridge: Floats
    ridge_alone: Floats
    trees_alone: Floats
    code_divergence: Floats
    null_sums: Floats
    debiased: Floats

    @classmethod
    def pooled(cls, parts: Sequence[HeldOut]) -> HeldOut:
        """The rows of several models together."""
        names = ("prediction", "ridge", "ridge_alone", "trees_alone", "code_divergence")
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        found = Estimates.pooled([part.estimates for part in parts])
        return cls(
            models=tuple(rows for part in parts for rows in part.models),
            calibration=CalibrationRows.pooled([part.calibration for part in parts]),
            readouts=found.readouts,
            null_sums=found.null_sums,
            debiased=found.debiased,
            **joined,
        )

    @property
    def estimates(self) -> Estimates:
        """What the rows say of the sets of modalities."""
        return Estimates(self.readouts, self.null_sums, self.debiased)


def outcome_name(number: int) -> str:
    """File of a finished fold."""
    return f"fold-{number}.safetensors"


def save_outcome(
    store: CheckpointStore | None, number: int, held: HeldOut, ledger: Ledger, leftovers: Sequence[str]
) -> None:
    """Store a finished fold of one model and drop ``leftovers``, the checkpoints of its training."""
    if store is None:
        return
    plain = [f.name for f in fields(held) if f.name not in ("models", "calibration", "readouts")]
    arrays = {name: getattr(held, name) for name in plain}
    arrays |= {f"readouts.{f.name}": getattr(held.readouts, f.name) for f in fields(held.readouts)}
    arrays |= {f"{CALIBRATION}{name}": array for name, array in held.calibration.to_arrays().items()}
    arrays |= {f"{ROWS}{name}": array for rows in held.models for name, array in rows.to_arrays().items()}
    tensors = {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in arrays.items()}
    write_checkpoint(store, outcome_name(number), ledger.to_document(), tensors)
    for name in leftovers:
        store.remove(name)


def load_outcome(store: CheckpointStore | None, number: int) -> tuple[HeldOut, Ledger] | None:
    """A fold that was finished before an interruption, or None."""
    found = read_checkpoint(store, outcome_name(number), torch.device("cpu")) if store else None
    if found is None:
        return None
    document, tensors = found
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    readouts = Readouts(*(arrays.pop(f"readouts.{f.name}") for f in fields(Readouts)))
    rows = ModelRows.from_arrays(number, _taken(arrays, ROWS))
    calibration = CalibrationRows.from_arrays(_taken(arrays, CALIBRATION))
    held = HeldOut(models=(rows,), calibration=calibration, readouts=readouts, **arrays)
    return held, Ledger.from_document(document)


def _taken(arrays: dict[str, Any], prefix: str) -> dict[str, Any]:
    """The arrays whose names start with ``prefix``, without it; they leave ``arrays``."""
    return {name.removeprefix(prefix): arrays.pop(name) for name in list(arrays) if name.startswith(prefix)}
