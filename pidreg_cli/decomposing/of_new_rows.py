"""New rows with a target, as the model of a run reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.covariate_roles import check_outside
from pidreg_cli.data.covariates import Covariates, fit_covariates
from pidreg_cli.data.labels import RowIds
from pidreg_cli.data.leaks import determined_targets
from pidreg_cli.data.modalities import check_feature_types, unknown_column
from pidreg_cli.data.naming import listing
from pidreg_cli.data.preparation.findings import RowProgress
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.tables import ParquetTable, open_table
from pidreg_cli.data.targets import SeenTarget, see_target
from pidreg_cli.data.transforms import TargetTransform
from pidreg_cli.decisions import data_checks
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.decomposing.model_reader import ModelReader
from pidreg_cli.decomposing.per_row import Decomposed
from pidreg_cli.decomposing.request import DecomposeRequest
from pidreg_cli.decomposing.streamed import LabelledTable, streamed_information, streamed_rows
from pidreg_cli.decomposing.table_report import TableReport, labelled_table
from pidreg_cli.errors import DataError
from pidreg_cli.model_files import ModelRoles, read_model
from pidreg_cli.run_evidence import read_report, read_settings
from pidreg_cli.training.device import available_threads, limited_threads, resolve_device
from pidreg_cli.training.fitted import FittedModel

NORMAL_SCORES = "inverse normal (Blom), fitted on the training rows of the run"
"""What Y' of new rows is."""


def decompose_new(
    folder: Path,
    inputs: Sequence[str | Path],
    request: DecomposeRequest,
    covariates: Sequence[str],
    progress: RowProgress,
    *,
    identifier: str | None = None,
    group: str | None = None,
    device: str = "auto",
) -> Decomposed:
    """Decompose what the model of a run reads in new rows with a target. Raises PidregError of every kind."""
    place = resolve_device(device)
    model, stored = read_model(folder, place)
    settings = read_settings(folder)
    request = as_fitted(request, settings)
    table = open_table(inputs)
    roles = roles_of_run(table, stored, settings, identifier, group)
    check_outside(covariates, roles)
    threads = request.threads or available_threads()
    with (
        limited_threads(1),  # network and readouts are small: threads that share them wait for each other
        determined_targets(tuple(roles.modalities), roles.target),
        table.digests.meanwhile(threads),
    ):
        held, reader, labelled = looked_at_new(table, roles, model, settings, covariates, request)
        streamed = streamed_information(
            labelled, reader, len(roles.modalities), request, "new-data", held.columns, progress
        )
        facts = TableReport(
            roles,
            labelled,
            reader.tally,
            NORMAL_SCORES,
            request,
            str(place),
            threads,
            findings=(*_same_rows(folder, table), *target_findings(folder, labelled)),
        )
        report = facts.report(streamed.facts, {}, reader.errors.accuracy())
    return Decomposed(
        report,
        (),
        lambda: streamed_rows(
            labelled, reader, streamed.readouts, RowIds.of(table, roles.id), progress, threads
        ),
        streamed.readouts.sums[:, :, 0].sum(axis=0) / labelled.rows,
    )


def looked_at_new(
    table: ParquetTable,
    roles: Roles,
    model: FittedModel,
    settings: Settings,
    covariates: Sequence[str],
    request: DecomposeRequest,
) -> tuple[Covariates, ModelReader, LabelledTable]:
    """Covariates, a reader by the model of a run of these ``settings``, and the rows with a target, from first looks at
    the table; ``request`` is ``as_fitted``.

    Raises DataError as each of these, and where all targets read as one value.
    """
    held = fit_covariates(table, covariates)
    seen, transform = see_target(table, roles.target), model.transforms.target
    _check_target(seen, transform)
    interactions = request.interactions or settings.information.interactions
    reader = ModelReader(table, roles, model, settings, interactions, held)
    return held, reader, labelled_table(table, seen, transform, roles.group, request, reader)


def _same_rows(folder: Path, table: ParquetTable) -> tuple[Diagnostic, ...]:
    """A warning where the rows are those of the fit."""
    known = table.fingerprint == read_report(folder).data.fingerprint
    return (data_checks.fitted_rows(folder.name),) if known else ()


def target_findings(folder: Path, labelled: LabelledTable) -> tuple[Diagnostic, ...]:
    """A warning where more targets than by chance lie beyond the training rows of the run."""
    seen, trained = labelled.seen, read_report(folder).data.rows_train
    outside = labelled.transform.outside(seen.values)
    found = data_checks.target_outside(seen.column, outside, len(seen.values), trained)
    return () if found is None else (found,)


def _check_target(seen: SeenTarget, transform: TargetTransform) -> None:
    """Raise DataError where all rows lie beyond the training rows of the run, on one side: they read as one value."""
    if len(seen.values) and np.ptp(transform.forward(seen.values)) == 0 < np.ptp(seen.values):
        raise DataError(
            "data.target_outside",
            f"The target {seen.column!r} of all rows lies beyond the range of the training rows of the run.",
            "Check its unit; of another population decompose the table itself (--no-model), or fit it.",
        )


def as_fitted(request: DecomposeRequest, settings: Settings) -> DecomposeRequest:
    """Where nothing is asked for, as the run was fitted."""
    information = settings.information
    return replace(
        request,
        measure=request.measure or information.measure,
        interactions=request.interactions or information.interactions,
        confidence=request.confidence or information.confidence,
        seed=settings.seed if request.seed is None else request.seed,
    )


def roles_of_run(
    table: ParquetTable, stored: ModelRoles, settings: Settings, identifier: str | None, group: str | None
) -> Roles:
    """Columns of new rows by the roles of the run. Raises DataError where one is missing or of another type."""
    kinds = dict(zip(table.schema.names, table.schema.types, strict=True))
    modalities = {name: tuple(columns) for name, columns in stored.modalities.items()}
    missing = [c for columns in modalities.values() for c in columns if c not in kinds]
    if missing:
        raise DataError(
            "data.missing_features",
            f"The run reads {listing(missing)}, which the table does not have.",
            "Give rows with the columns of the table that was fitted; extra columns do no harm.",
        )
    if stored.target not in kinds:
        raise DataError(
            "data.missing_target",
            f"The table has no column {stored.target!r}, the target of the run: informations are about it.",
            "Give rows whose target is known.",
        )
    for role, column in (("id", identifier), ("group", group)):
        if column is not None and column not in kinds:
            raise unknown_column(column, kinds, f", though it is to be the {role}")
    check_feature_types(modalities, kinds)
    remembered = table.metadata.group if table.metadata is not None else None
    groups = [group, *(one for one in (settings.data.group, remembered) if one in kinds)]
    identifiers = [identifier, stored.id if stored.id in kinds else None]
    return Roles(
        modalities,
        stored.target,
        id=next((one for one in identifiers if one is not None), None),
        group=next((one for one in groups if one is not None), None),
    )
