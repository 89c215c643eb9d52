"""What experiments take from a fit, and means over the records of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from benchmarks.experiments.experiment import Record, Records
from benchmarks.fits.synthetic import Floats, Sample, found_informations
from pidreg_cli.fitting import Fit
from pidreg_cli.information.lattice import monotone_closure, summary

DECIMALS = 5  # of what is kept: far below what a seed changes
PARTS = ("unique", "shared", "only together")


def fit_record(sample: Sample, fit: Fit, seconds: float) -> dict[str, Any]:
    """Of a fit with test rows: true and found informations of every set (bits, by bitmask), weights, errors."""
    report = fit.report
    if report.metrics is None or report.metrics.test is None or report.fusion is None:
        raise RuntimeError("the fit was not scored on test rows")
    return {
        "system": sample.system,
        "modalities": list(fit.arrays.names),
        "true": kept(sample.truth),
        "found": kept(found_informations(fit)),
        "weights": {name: round(weight, DECIMALS) for name, weight in report.fusion.weights.items()},
        "rmse": report.metrics.test.rmse,
        "r2": report.metrics.test.r2,
        "diagnostics": [diagnostic.code for diagnostic in report.diagnostics],
        "seconds": round(seconds, 1),
    }


def kept(values: Floats) -> list[float]:
    """Numbers as records hold them."""
    return [round(float(value), DECIMALS) for value in values]


def parts(informations: Sequence[float]) -> tuple[float, float, float]:
    """Bits unique to single modalities (their sum), shared, and only together, as in ``PARTS``."""
    found = summary(monotone_closure(np.array(informations)))
    return float(np.sum(found.unique)), found.redundant, found.synergistic


def mean(records: Records, value: Callable[[Record], float]) -> float:
    """Over records."""
    return float(np.mean([value(record) for record in records]))


def total(key: str) -> Callable[[Record], float]:
    """Information of all modalities, ``true`` or ``found``."""
    return lambda record: record[key][-1]


def part(key: str, name: str) -> Callable[[Record], float]:
    """One of ``PARTS``, ``true`` or ``found``."""
    return lambda record: parts(record[key])[PARTS.index(name)]


def worst_error(record: Record) -> float:
    """Found minus true information of the set where they differ most."""
    errors = np.subtract(record["found"], record["true"])
    return float(errors[np.abs(errors).argmax()])


def by(records: Records, *keys: str) -> dict[tuple[Any, ...], list[Record]]:
    """Records by the values of keys, in the order in which they first appear."""
    found: dict[tuple[Any, ...], list[Record]] = {}
    for record in records:
        found.setdefault(tuple(record[key] for key in keys), []).append(record)
    return found
