"""Rank-based inverse normal transform: the Gaussian copula of any columns."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import ndtri
from scipy.stats import rankdata

from pidreg_cli.information.arrays import Floats, columns
from pidreg_cli.information.errors import ConstantColumnError

# Blom 1958: (rank - 3/8) / (N + 1/4) is close to the expected normal order statistics.
BLOM = 0.375


def normal_scores(values: ArrayLike) -> Floats:
    """Each column (N,) or (N, q) replaced by normal scores of its ranks; ties share their mean rank.

    Monotone transforms of a column change nothing, so a Gaussian system seen through any monotone functions
    keeps its informations (Ince et al. 2017, Gaussian copula). Raises ConstantColumnError where all values
    are equal.
    """
    table = columns(values, "values")
    constant = np.flatnonzero(np.ptp(table, axis=0) == 0.0)
    if constant.size:
        raise ConstantColumnError(tuple(f"column {i}" for i in constant))
    ranks = rankdata(table, axis=0)
    scores = ndtri((ranks - BLOM) / (table.shape[0] + 1.0 - 2.0 * BLOM))
    return np.asarray(scores.reshape(np.shape(values)))
