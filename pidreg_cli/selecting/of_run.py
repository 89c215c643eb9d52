"""The choice of a run made again, from the rows that it keeps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.covariate_roles import check_outside
from pidreg_cli.data.loading import load_arrays, target_column
from pidreg_cli.data.preparation.findings import RowProgress
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.data.tables import ParquetTable, open_table
from pidreg_cli.decisions.data_checks import SAMPLED_ROWS
from pidreg_cli.decisions.selection import Rule, Told, check_rule
from pidreg_cli.decomposing.request import created_now
from pidreg_cli.errors import DataError, RunError, UsageError
from pidreg_cli.fitting import TableSource
from pidreg_cli.information_facts import facts_of_estimates
from pidreg_cli.reports.assemble import informations_of
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.selected import selected
from pidreg_cli.run_evidence import RunEvidence, read_evidence, read_report, read_settings
from pidreg_cli.selecting.beyond_covariates import select_beyond
from pidreg_cli.selecting.of_new_rows import select_new_rows
from pidreg_cli.selecting.request import Reading, SelectRequest
from pidreg_cli.selecting.verifying import HeldErrors, Retraining, verified
from pidreg_cli.selection_facts import facts_of_selection
from pidreg_cli.training.device import available_threads, limited_threads
from pidreg_cli.training.evaluation import Readouts
from pidreg_cli.training.progress import Progress

HELDOUT = "heldout.parquet"


def select_run(folder: Path, request: SelectRequest) -> Report:
    """The run's report with the choice made by the rule, budget and costs asked for; with none, as its fit made it.

    Raises RunError where the run or what it keeps of its rows cannot be read, UsageError for costs of unknown
    modalities and a budget that none meets.
    """
    return _chosen(read_evidence(folder), request)[0]


def select_run_beyond(
    folder: Path,
    inputs: Sequence[str | Path],
    request: SelectRequest,
    covariates: Sequence[str],
    progress: RowProgress,
    reading: Reading | None = None,
) -> Report:
    """The choice beyond covariates in a table: on the rows that the run held out, or all of a table that is new to it.

    Raises also DataError and UsageError for columns that cannot be covariates.
    """
    reading = reading or Reading()
    report = read_report(folder)
    settings = _settings(read_settings(folder), report.names, request)
    table = open_table(inputs)
    if table.fingerprint != report.data.fingerprint:
        return select_new_rows(folder, table, settings.selection, covariates, progress, reading)
    # Rows that trained the model would flatter it: those that it held out say everything.
    _check_kept(folder, table, reading)
    evidence = read_evidence(folder)
    roles = resolve_roles(table.schema, table.metadata, RoleRequest.from_settings(settings.data))
    check_outside(covariates, roles)
    usable = np.isfinite(target_column(table, roles.target))
    return select_beyond(replace(evidence, settings=settings), table, usable, covariates, reading.threads)


def _check_kept(folder: Path, table: ParquetTable, reading: Reading) -> None:
    """Raise UsageError for options about reading the table of the run, whose held-out rows it keeps as read."""
    option = reading.needless()
    if option is not None:
        raise UsageError(
            "usage.option",
            f"{option} does not apply: {', '.join(table.files)} is the table that {folder} was fitted on, and the run "
            "keeps the rows that select, as they were read and grouped",
            "leave it out, or give rows that are new to the run",
        )


def verify_run(
    folder: Path,
    inputs: Sequence[str | Path],
    request: SelectRequest,
    progress: Progress,
    reading: Reading | None = None,
) -> Report:
    """The same, and the recommended set retrained on the table of the run and compared with the run's own model.

    ``reading`` says on which device and threads; ids and groups are those of the fit. Raises also DataError where the
    table is not the one that the run was fitted on, UsageError where the fit was streamed.
    """
    evidence = read_evidence(folder)
    _check_unstreamed(folder, evidence.report)
    report, readouts = _chosen(evidence, request)
    full = _held_errors(folder, readouts, evidence.held_labels)
    table = open_table(inputs)
    if table.fingerprint != report.data.fingerprint:
        raise DataError(
            "data.other_table",
            f"{', '.join(table.files)} is not the table that {folder} was fitted on "
            f"({', '.join(report.data.files)}): its fingerprint differs",
            "give the same files, unchanged and in the same order, or select on the new table: "
            "pidreg select-modalities DATA --verify",
        )
    settings = evidence.settings.model_copy(update=(reading or Reading()).place())
    roles = resolve_roles(table.schema, table.metadata, RoleRequest.from_settings(settings.data))
    arrays = load_arrays(table, roles).arrays
    usable = arrays.take(np.isfinite(arrays.required_target))
    source = TableSource(table.files, table.fingerprint, roles.target, roles.group)
    return verified(report, full, Retraining(usable, source, settings, progress))


def _check_unstreamed(folder: Path, report: Report) -> None:
    """Raise UsageError where the fit was streamed: retraining reads all rows, and with trees."""
    if any(one.code == SAMPLED_ROWS for one in report.diagnostics):
        raise UsageError(
            "usage.verify_streamed",
            f"--verify does not apply: the fit of {folder} was streamed, without boosted trees and judged on a sample "
            "of the rows; retraining reads the table into memory, and would be compared on other rows",
            "fit in memory (pidreg fit DATA --memory with more, or pidreg select-modalities DATA --verify), or leave "
            "--verify out",
        )


def _chosen(evidence: RunEvidence, request: SelectRequest) -> tuple[Report, Readouts]:
    """The report, and the readouts of the held-out rows."""
    settings = _settings(evidence.settings, evidence.names, request)
    # As in the fit: sums, and with them last digits, depend on it; and these are too small to share.
    with limited_threads(1):
        estimates = evidence.estimates(
            settings, nulls=False, threads=evidence.report.threads or available_threads()
        )
        information = facts_of_estimates(estimates, evidence.held_labels, settings, evidence.protocol)
        readouts, labels = (
            (estimates.readouts, evidence.held_labels)
            if evidence.protocol == "folds"
            else evidence.selection(settings)
        )
        facts = facts_of_selection(readouts, labels, settings, evidence.protocol)
        found = informations_of(evidence.names, information)
        part = selected(evidence.names, facts, Told(found.v, found.jackknife), found.confidence)
    update = {"command": "select-modalities", "created_at": created_now(), "selection": part}
    return evidence.report.model_copy(update=update), estimates.readouts


def _settings(fitted: Settings, names: tuple[str, ...], request: SelectRequest) -> Settings:
    settings = fitted.model_copy(update={"selection": request.applied(fitted.selection)})
    chosen = settings.selection
    check_rule(names, Rule.of(chosen), chosen.cost)
    return settings


def _held_errors(folder: Path, readouts: Readouts, labels: NDArray[np.int64]) -> HeldErrors:
    """Errors of the run's own model on its held-out rows. Raises RunError where the run kept no predictions."""
    path = folder / HELDOUT
    try:
        kept = pq.read_table(path, columns=["split", "prediction"])
    except (OSError, pa.ArrowException) as error:
        raise RunError(
            "run.no_heldout",
            f"{path} cannot be read, and what the run predicted is to be compared with: {error}",
            "fit again without --no-heldout, or verify on the table itself: pidreg select-modalities DATA --verify",
        ) from error
    test = np.asarray(kept["split"]) == "test"
    prediction: NDArray[np.float64] = np.asarray(kept["prediction"], np.float64)[test]
    # The file keeps the order of the table, the evidence that of the models.
    order = np.argsort(readouts.rows, kind="stable")
    if len(prediction) != len(order):
        raise RunError(
            "run.heldout",
            f"{path} holds {len(prediction)} held-out rows, {folder} others: {len(order)}",
            "fit again",
        )
    placed = np.empty(len(order))
    placed[order] = prediction
    return HeldErrors.of(readouts, placed, labels)
