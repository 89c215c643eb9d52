"""What the held-out rows of a model say, and how it outlives an interruption between folds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray

from pidreg_cli.training.checkpoints import CheckpointStore, read_checkpoint, write_checkpoint
from pidreg_cli.training.evaluation import Readouts, pooled
from pidreg_cli.training.state import Ledger

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class HeldOut:
    """Held-out rows of one model, or of several pooled.

    ``prediction``, ``ridge`` (N,): in the target's units; ``ridge_alone``, ``trees_alone`` (N, n): ridge regression and
    small trees on each modality alone. ``code_divergence`` (models,): distance of target and codes from a joint normal,
    NaN with few rows.
    ``null_sums`` (models, 1 + tested sets, 1 + draws): error sums of Y' and of null targets. ``debiased`` (models,
    1 + G, 2**n): the debiased informations and their jackknife replicates, NaN where a model has too few held-out rows.
    """

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
        names = [f.name for f in fields(cls) if f.name != "readouts"]
        joined = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        return cls(readouts=pooled([part.readouts for part in parts]), **joined)


def outcome_name(number: int) -> str:
    """File of a finished fold."""
    return f"fold-{number}.safetensors"


def save_outcome(
    store: CheckpointStore | None, number: int, held: HeldOut, ledger: Ledger, leftovers: Sequence[str]
) -> None:
    """Store a finished fold and drop ``leftovers``, the checkpoints of its training."""
    if store is None:
        return
    arrays = {f.name: getattr(held, f.name) for f in fields(held) if f.name != "readouts"}
    arrays |= {f"readouts.{f.name}": getattr(held.readouts, f.name) for f in fields(held.readouts)}
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
    return HeldOut(readouts=readouts, **arrays), Ledger.from_document(document)
