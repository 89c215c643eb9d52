"""How far two reports and their predictions are apart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Report = Mapping[str, Any]


@dataclass(frozen=True)
class Differences:
    """Largest differences of any information and any atom (bits), of the test RMSE (%), and whether advice is the same.

    Of reports without a model ``rmse`` and ``same_modalities`` are None.
    """

    information: float
    atoms: float
    rmse: float | None
    same_modalities: bool | None


def differences(first: Report, other: Report) -> Differences:
    """Of two reports (objects of report.json in bits) on the same modalities and measure.

    Raises ValueError where they do not tell the same things.
    """
    rmse, same = None, None
    if first["metrics"] is not None:
        before, after = (report["metrics"]["test"]["rmse"] for report in (first, other))
        rmse = 100 * abs(after / before - 1)
        recommended = [set(report["selection"]["recommended"]) for report in (first, other)]
        same = recommended[0] == recommended[1]
    return Differences(
        _furthest(_information(first), _information(other)),
        _furthest(_atoms(first), _atoms(other)),
        rmse,
        same,
    )


def _information(report: Report) -> dict[Any, float]:
    return {tuple(entry["modalities"]): entry["value"] for entry in report["information"]["values"]}


def _atoms(report: Report) -> dict[Any, float]:
    return {(report["pid"]["measure"], atom["id"]): atom["value"] for atom in report["pid"]["atoms"]}


def _furthest(first: Mapping[Any, float], other: Mapping[Any, float]) -> float:
    if first.keys() != other.keys():
        raise ValueError(f"the reports tell of {sorted(first)} and of {sorted(other)}")
    return max(abs(first[key] - other[key]) for key in first)


def predictions_apart(
    target: NDArray[np.float64], first: NDArray[np.float64], other: NDArray[np.float64]
) -> float:
    """Largest difference of two predictions of shape (n_rows,), in standard deviations of the target."""
    return float(np.abs(first - other).max() / target.std())
