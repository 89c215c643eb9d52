"""Information of the sets that a greedy search tried, where all sets are too many."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.selection import Told
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.information.lattice import member_order
from pidreg_cli.reports import model
from pidreg_cli.reports.decomposition import names_of, pair_of

CONFIDENCE = 0.95


def told_by(score: SetErrors) -> Told:
    """Information from errors of Y', made coherent among the sets tried: no set tells less than a part of it."""
    raw, masks = score.jackknife.estimate, np.array(score.masks)
    values = np.array([max(0.0, float(raw[(masks & mask) == masks].max())) for mask in masks])
    return Told(np.asarray(values, np.float64), score.jackknife)


def tried_information(
    names: tuple[str, ...], score: SetErrors, told: Told, covariates: tuple[str, ...]
) -> model.Information:
    """Of the tried sets, by size, then as given; all modalities come last."""
    spans: NDArray[np.float64] | None = told.intervals(CONFIDENCE)
    order = sorted(range(1, len(score.masks)), key=lambda place: member_order(score.masks[place]))
    return model.Information(
        units="bits",
        estimator="heldout",
        interactions="products",
        protocol="features",
        rows=score.count,
        confidence=CONFIDENCE,
        interval_of="readout",
        values=tuple(
            model.SubsetInformation(
                modalities=names_of(score.masks[place], names),
                value=float(told.values[place]),
                value_raw=float(score.jackknife.estimate[place]),
                debiased=None,
                ci=None if spans is None else pair_of(spans[place]),
                p_value=None,
            )
            for place in order
        ),
        co_information=None,
        covariates=covariates,
    )
