"""The choice made beyond covariates: they join every readout of the rows that judged a fit.

The network does not know them, so its codes are what they were; readouts of every set of modalities, and of none, hold
the covariates beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pidreg_cli.data.columns import Floats
from pidreg_cli.data.covariates import fit_covariates
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.decisions.selection import Told
from pidreg_cli.decomposing.of_run import report_of
from pidreg_cli.information_facts import facts_of_estimates
from pidreg_cli.reports.assemble import informations_of
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.selected import selected
from pidreg_cli.run_evidence import RunEvidence
from pidreg_cli.selection_facts import facts_of_selection
from pidreg_cli.training.device import available_threads, limited_threads
from pidreg_cli.training.evaluation import ReadoutRows, Readouts
from pidreg_cli.training.model_rows import ModelRows


def select_beyond(
    evidence: RunEvidence,
    table: ParquetTable,
    usable: np.ndarray,
    covariates: Sequence[str],
    threads: int | None = None,
) -> Report:
    """The report of a fit with everything about its rows beyond the covariates: informations, parts and the choice.

    ``table`` is the one that was fitted, ``usable`` (n_rows,) which of its rows have a target. The rule is that of the
    settings of ``evidence``. Raises DataError for columns that cannot be covariates.
    """
    values = fit_covariates(table, covariates).of_table(table)[usable]
    evidence = replace(evidence, models=tuple(_joined(model, values) for model in evidence.models))
    settings, threads = evidence.settings, threads or evidence.report.threads or available_threads()
    with limited_threads(1):
        estimates = evidence.estimates(threads=threads)
        labels = evidence.held_labels
        information = replace(
            facts_of_estimates(estimates, labels, settings, evidence.protocol),
            covariates=tuple(covariates),
            covariate_information=_told_alone(estimates.readouts),
        )
        readouts, labels = (
            (estimates.readouts, labels) if evidence.protocol == "folds" else evidence.selection()
        )
        facts = facts_of_selection(readouts, labels, settings, evidence.protocol)
        found = informations_of(evidence.names, information)
        part = selected(evidence.names, facts, Told(found.v, found.jackknife), found.confidence)
    report = report_of(evidence, information, settings, threads)
    return report.model_copy(update={"command": "select-modalities", "selection": part})


def _joined(model: ModelRows, values: Floats) -> ModelRows:
    return replace(model, held=_with(model.held, values), valid=_with(model.valid, values))


def _with(rows: ReadoutRows, values: Floats) -> ReadoutRows:
    return replace(rows, blocks=replace(rows.blocks, given=values[rows.rows]))


def _told_alone(readouts: Readouts) -> float:
    """Information of the covariates in bits: errors of their readout against those of the mean, at least zero."""
    score = readouts.score
    return max(0.0, float(-0.5 * np.log2(readouts.score_errors[:, 0].mean() / score.var())))
