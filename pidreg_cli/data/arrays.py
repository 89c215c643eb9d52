"""A table once its roles are known: named arrays, one row per subject, the same order everywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

TRAIN, VALID, TEST = "train", "valid", "test"


@dataclass(frozen=True)
class MultimodalArrays:
    """Feature blocks, target and bookkeeping of the same rows.

    ``features[name]`` has shape (n_rows, n_features_of_name), float32, NaN where missing. ``target`` has shape
    (n_rows,), float64, NaN where missing, or is None when the table has none. ``ids`` and ``groups`` have shape
    (n_rows,); ``split`` holds 'train', 'valid' or 'test', or is None when the table brings no split. ``lists`` names
    the modalities whose columns are lists: ready-made embeddings.
    """

    features: Mapping[str, NDArray[np.float32]]
    columns: Mapping[str, tuple[str, ...]]
    target: Floats | None
    ids: NDArray[np.generic]
    groups: NDArray[np.generic] | None = None
    split: NDArray[np.str_] | None = None
    lists: frozenset[str] = frozenset()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.ids)

    @property
    def names(self) -> tuple[str, ...]:
        """Modality names, in the order given."""
        return tuple(self.features)

    @property
    def required_target(self) -> Floats:
        """The target, shape (n_rows,). Raises ValueError where the table has none."""
        if self.target is None:
            raise ValueError("these rows have no target")
        return self.target

    def only(self, *names: str) -> MultimodalArrays:
        """The same rows with these modalities alone."""
        return replace(
            self,
            features={name: self.features[name] for name in names},
            columns={name: self.columns[name] for name in names},
        )

    def take(self, index: NDArray[np.intp] | NDArray[np.bool_] | slice) -> MultimodalArrays:
        """The rows at ``index`` (integers, a mask of shape (n_rows,), or a slice: without a copy), in that order."""
        return replace(
            self,
            features={name: block[index] for name, block in self.features.items()},
            target=None if self.target is None else self.target[index],
            ids=self.ids[index],
            groups=None if self.groups is None else self.groups[index],
            split=None if self.split is None else self.split[index],
        )
