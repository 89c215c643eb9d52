"""Fit a table, then choose among its modalities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pidreg_cli.config.settings import Settings
from pidreg_cli.pipeline import FittedTable, fit_table, write_run
from pidreg_cli.reports.model import Report
from pidreg_cli.runs import RunBuilder
from pidreg_cli.selecting.verifying import HeldErrors, Retraining, verified
from pidreg_cli.training.progress import Progress


def select_table(
    inputs: Sequence[str | Path], settings: Settings, progress: Progress, *, verify: bool
) -> Report:
    """Fit and choose by ``settings.selection``; with ``verify`` the recommended set is retrained, too.

    Raises PidregError of every kind.
    """
    return _report(fit_table(inputs, settings, progress), settings, progress, verify=verify)


def select_and_keep(
    inputs: Sequence[str | Path], settings: Settings, progress: Progress, run: RunBuilder, *, verify: bool
) -> Report:
    """The same, and the fit is kept as a run before anything is verified. ``run`` is entered by the caller."""
    fitted = fit_table(inputs, settings, progress, run)
    write_run(run, fitted.fit, fitted.roles, keep_heldout=True)
    progress.notice(f"wrote {run.commit()}")
    return _report(fitted, settings, progress, verify=verify)


def _report(fitted: FittedTable, settings: Settings, progress: Progress, *, verify: bool) -> Report:
    report = fitted.fit.report.model_copy(update={"command": "select-modalities"})
    if not verify:
        return report
    retraining = Retraining(fitted.fit.arrays, fitted.source, settings, progress)
    return verified(report, HeldErrors.of_fit(fitted.fit), retraining)
