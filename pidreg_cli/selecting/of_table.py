"""Fit a table, then choose among its modalities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.covariates import fit_covariates
from pidreg_cli.data.loading import target_column
from pidreg_cli.data.tables import open_table
from pidreg_cli.pipeline import FittedTable, fit_table, write_run
from pidreg_cli.reports.model import Report
from pidreg_cli.run_evidence import RunEvidence
from pidreg_cli.runs import RunBuilder
from pidreg_cli.selecting.beyond_covariates import select_beyond
from pidreg_cli.selecting.verifying import HeldErrors, Retraining, verified
from pidreg_cli.training.progress import Progress
from pidreg_cli.training.workers import KeptProcesses


def select_table(
    inputs: Sequence[str | Path], settings: Settings, progress: Progress, *, verify: bool
) -> Report:
    """Fit and choose by ``settings.selection``; with ``verify`` the recommended set is retrained, too.

    Raises PidregError of every kind.
    """
    with KeptProcesses(progress) as kept:
        fitted = fit_table(inputs, settings, progress, kept=kept)
        return _report(fitted, settings, progress, kept, verify=verify)


def select_table_beyond(
    inputs: Sequence[str | Path], settings: Settings, progress: Progress, covariates: Sequence[str]
) -> Report:
    """Fit the table without the covariates, and choose beyond them. Raises PidregError of every kind."""
    table = open_table(inputs)
    # Refused before a fit is paid for.
    fit_covariates(table, covariates)
    fitted = fit_table(inputs, settings, progress, covariates=covariates)
    report = fitted.fit.report
    evidence = RunEvidence(
        settings, report, "folds" if report.data.folds else "split", fitted.fit.outcome.held_out.models
    )
    usable = np.isfinite(target_column(table, fitted.roles.target))
    return select_beyond(evidence, table, usable, covariates)


def select_and_keep(
    inputs: Sequence[str | Path], settings: Settings, progress: Progress, run: RunBuilder, *, verify: bool
) -> Report:
    """The same, and the fit is kept as a run before anything is verified. ``run`` is entered by the caller."""
    with KeptProcesses(progress) as kept:
        fitted = fit_table(inputs, settings, progress, run, kept=kept)
        write_run(run, fitted.fit, fitted.roles, keep_heldout=True)
        progress.notice(f"wrote {run.commit()}")
        return _report(fitted, settings, progress, kept, verify=verify)


def _report(
    fitted: FittedTable, settings: Settings, progress: Progress, kept: KeptProcesses, *, verify: bool
) -> Report:
    report = fitted.fit.report.model_copy(update={"command": "select-modalities"})
    if not verify:
        return report
    retraining = Retraining(fitted.fit.arrays, fitted.source, settings, progress, kept)
    return verified(report, HeldErrors.of_fit(fitted.fit), retraining)
