"""Transforms of features from a sample of the training rows, corrected by what the pass over all of them counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.streaming.column_facts import ColumnFacts
from pidreg_cli.data.transforms import Block, FeatureKind, FeatureTransform, Imputation


def fit_on_sample(
    block: Block, columns: Sequence[str], facts: ColumnFacts, kind: FeatureKind, imputation: Imputation
) -> FeatureTransform:
    """Fit on sampled training rows ``block`` (n, p), NaN where missing, of which ``facts`` counted all.

    Ranks are off by at most ``quantile_error(n)``. A column without two values in the sample is fitted on the ends of
    its range, too, where all training rows show two; which cells and rows may be missing is as in all of them.
    """
    lost = facts.varying() & ~_varies(block)
    if lost.any():
        ends = np.full((2, len(columns)), np.nan, np.float32)
        ends[:, lost] = facts.range.low[lost], facts.range.high[lost]
        block = np.vstack([block, ends])
    fitted = FeatureTransform.fit(block, columns, kind, imputation)
    return replace(fitted, flagged=facts.flagged, flags_absence=facts.train_absent > 0)


def _varies(block: Block) -> NDArray[np.bool_]:
    """Columns with two values, (p,)."""
    return np.asarray(np.fmin.reduce(block) < np.fmax.reduce(block))
