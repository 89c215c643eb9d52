"""New rows with a target, as the model of a run reads them: which modalities to keep beyond covariates."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pidreg_cli.config.settings import SelectionSettings
from pidreg_cli.data.covariate_roles import check_outside
from pidreg_cli.data.leaks import determined_targets
from pidreg_cli.data.preparation.findings import RowProgress
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.decomposing.of_new_rows import (
    NORMAL_SCORES,
    as_fitted,
    looked_at_new,
    roles_of_run,
    target_findings,
)
from pidreg_cli.decomposing.request import DecomposeRequest
from pidreg_cli.decomposing.table_report import TableReport
from pidreg_cli.model_files import read_model
from pidreg_cli.reports.model import Report
from pidreg_cli.run_evidence import read_settings
from pidreg_cli.selecting.of_features import Gathered, exact
from pidreg_cli.selecting.request import Reading
from pidreg_cli.training.device import available_threads, limited_threads, resolve_device


def select_new_rows(
    folder: Path,
    table: ParquetTable,
    settings: SelectionSettings,
    covariates: Sequence[str],
    progress: RowProgress,
    reading: Reading,
) -> Report:
    """Every set of modalities compared on all rows of a table that the model has not seen. Raises PidregError."""
    place = resolve_device(reading.device or "auto")
    model, stored = read_model(folder, place)
    fitted = read_settings(folder)
    request = as_fitted(DecomposeRequest(threads=reading.threads), fitted)
    roles = roles_of_run(table, stored, fitted, reading.identifier, reading.group)
    check_outside(covariates, roles)
    threads = reading.threads or available_threads()
    with limited_threads(1), determined_targets(tuple(roles.modalities), roles.target):
        held, reader, labelled = looked_at_new(table, roles, model, fitted, covariates, request)
        rows = Gathered.of(labelled, reader, held, "new-data", progress)
        facts = TableReport(
            roles,
            labelled,
            reader.tally,
            NORMAL_SCORES,
            request,
            str(place),
            threads,
            "select-modalities",
            target_findings(folder, labelled),
        )
        names = tuple(roles.modalities)
        return exact(rows, names, settings, facts, {}, request, reader.errors.accuracy())
