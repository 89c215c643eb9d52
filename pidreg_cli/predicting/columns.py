"""The columns of a file of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pidreg_cli.decisions.prediction.rows import Explanation, RowPredictions
from pidreg_cli.information.lattice import sources_of

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PredictionColumns:
    """``names``: of the modalities; ``pointwise``: whether rows bring a target to explain."""

    names: Sequence[str]
    pointwise: bool

    def table(self, ids: pa.Array, found: RowPredictions, score: Floats | None) -> pa.Table:
        """``id, prediction, lower, upper``, and where rows are explained ``bits.NAME``, ``shift.NAME``, with a target
        ``information.total`` and ``added.NAME``. ``score`` (n,): Y' of the target, NaN where it is unknown.
        """
        columns = {
            "id": ids,
            "prediction": pa.array(found.prediction),
            "lower": pa.array(found.lower),
            "upper": pa.array(found.upper),
        }
        if found.explanation is not None:
            columns |= self._explained(found.explanation)
            if self.pointwise and score is not None:
                columns |= self._told(found, found.explanation, score)
        return pa.table(columns)

    def _explained(self, found: Explanation) -> dict[str, pa.Array]:
        parts = {"bits": found.bits, "shift": found.shift}
        return {
            f"{kind}.{name}": _nullable(values[:, i])
            for kind, values in parts.items()
            for i, name in enumerate(self.names)
        }

    def _told(self, found: RowPredictions, explained: Explanation, score: Floats) -> dict[str, pa.Array]:
        total, added = explained.information(found, score)
        columns = {"information.total": _nullable(total)}
        return columns | {f"added.{name}": _nullable(added[:, i]) for i, name in enumerate(self.names)}


def _nullable(values: Floats) -> pa.Array:
    return pa.array(np.ascontiguousarray(values), mask=np.isnan(values))


def set_name(mask: int, names: Sequence[str]) -> str:
    """How messages name a set."""
    return "+".join(names[i] for i in sources_of(mask)) or "none of the modalities"
