"""From readouts of the rows that select to what the report says of the choice."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.decisions.selection import Rule
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.reports import evidence as given
from pidreg_cli.training.evaluation import Readouts, jackknife_groups
from pidreg_cli.training.seeds import Stream, numpy_generator


def facts_of_selection(
    readouts: Readouts, labels: NDArray[np.generic], settings: Settings, protocol: Literal["split", "folds"]
) -> given.SelectionFacts:
    """Squared errors of every set on the rows that select; ``labels`` (N,): group of each row."""
    groups = jackknife_groups(labels, numpy_generator(settings.seed, Stream.SELECTION))
    return given.SelectionFacts(
        scored=SetErrors.of_rows(readouts.target_errors, groups, readouts.target_influences),
        protocol="valid" if protocol == "split" else "folds",
        rule=Rule.of(settings.selection),
        costs=settings.selection.cost,
        seed=settings.seed,
    )
