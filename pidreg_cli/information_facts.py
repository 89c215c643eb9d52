"""From estimates of held-out rows to what the report says of information."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.information.intervals import FEWEST_FLIPPED, Jackknife, jackknife_of_errors, p_values
from pidreg_cli.information.readouts import subset_informations
from pidreg_cli.reports import evidence as given
from pidreg_cli.reports.decomposition import rest_correlations
from pidreg_cli.training.evaluation import jackknife_groups, tested_masks
from pidreg_cli.training.model_rows import Estimates
from pidreg_cli.training.seeds import Stream, numpy_generator

Floats = NDArray[np.float64]
Labels = NDArray[np.generic]


def facts_of_estimates(
    found: Estimates, labels: Labels, settings: Settings, protocol: given.Protocol
) -> given.InformationFacts:
    """Informations of every set by the cross-fitted readouts, with intervals and p-values.

    ``labels`` (N,): group of each row of the readouts.
    """
    errors = found.readouts.score_errors
    modalities = errors.shape[1].bit_length() - 1
    debiased = pooled_debiased(found.debiased)
    groups = jackknife_groups(labels, numpy_generator(settings.seed, Stream.INTERVALS))
    jackknife = (
        jackknife_of_errors(errors, groups, found.readouts.score_influences) if debiased is None else debiased
    )
    can_test = found.null_sums.size and len(np.unique(labels)) >= FEWEST_FLIPPED
    tested = p_values(found.null_sums.sum(axis=0)).tolist() if can_test else []
    return given.InformationFacts(
        estimator=settings.information.estimator,
        interactions=settings.information.interactions,
        protocol=protocol,
        rows=len(errors),
        confidence=settings.information.confidence,
        raw=subset_informations(errors),
        jackknife=jackknife,
        interval_of="readout" if debiased is None else "information",
        debiased=None if debiased is None else debiased.estimate,
        p_values=dict(zip(tested_masks(modalities), tested, strict=True)) if tested else {},
        rest_correlations=rest_correlations(found.readouts.score_predictions),
        measure=settings.information.measure,
        seed=settings.seed,
    )


def pooled_debiased(parts: Floats) -> Jackknife | None:
    """The debiased estimate averaged over models (models, 1 + groups, 2**n); None where one lacks it."""
    if np.isnan(parts).any():
        return None
    mean = parts.mean(axis=0)
    return Jackknife(mean[0], mean[1:])
