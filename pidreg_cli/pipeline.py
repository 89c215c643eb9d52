"""``fit`` from files to a run folder: table -> roles -> arrays -> fit -> report -> files of the run."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from pidreg_cli.config.loading import dump_settings
from pidreg_cli.config.settings import Settings
from pidreg_cli.data.covariate_roles import without_covariates
from pidreg_cli.data.loading import load_arrays
from pidreg_cli.data.roles import RoleRequest, Roles, resolve_roles
from pidreg_cli.data.streaming.plan import StreamPlan
from pidreg_cli.data.subjects import repeated_subjects
from pidreg_cli.data.tables import ParquetTable, open_table
from pidreg_cli.decisions import data_checks
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.fitting import Fit, TableSource, check_modalities, fit_arrays, follow_arrays
from pidreg_cli.model_files import ARCHITECTURE, WEIGHTS, ModelRoles, architecture_text, weights_bytes
from pidreg_cli.prediction_files import PREDICTION, prediction_bytes
from pidreg_cli.reports.html import to_html
from pidreg_cli.reports.markdown import to_markdown
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.serialise import to_json
from pidreg_cli.run_evidence import EVIDENCE, evidence_bytes
from pidreg_cli.run_traces import HELD_OUT, HISTORY, read_traces
from pidreg_cli.runs import RunBuilder, passing_folder
from pidreg_cli.streaming import choose_way, deal, keep_way, shared_folder, stored_way, streamed_settings
from pidreg_cli.training.processes import ALONE, Processes
from pidreg_cli.training.progress import Progress, Silent
from pidreg_cli.training.protocol import ProtocolOutcome
from pidreg_cli.training.workers import KeptProcesses
from pidreg_cli.version import __version__


@dataclass(frozen=True)
class FittedRun:
    """A committed run."""

    report: Report
    folder: Path


@dataclass(frozen=True)
class FittedTable:
    """A fit of a table, and the roles of its columns."""

    fit: Fit
    roles: Roles
    source: TableSource


def fit_run(
    inputs: Sequence[str | Path],
    settings: Settings,
    run: RunBuilder,
    progress: Progress,
    *,
    keep_heldout: bool = True,
    processes: Processes = ALONE,
) -> FittedRun:
    """Fit the table in ``inputs`` and write the run. ``run`` is entered by the caller. Raises PidregError.

    With several ``processes`` this is for the first of them; the others call ``follow_run``.
    """
    table, roles = opened(inputs, settings)
    way = stored_way(run) or choose_way(table, roles, settings, processes.place.local_size)
    if way.notice is not None:
        progress.notice(way.notice)
    plan = plan_of_first(way.plan, processes)
    if plan is None:
        fitted = fit_opened(table, roles, settings, progress, run, processes)
    else:
        fitted = fit_streamed(table, roles, settings, progress, run, plan, processes)
    write_run(run, fitted.fit, fitted.roles, keep_heldout=keep_heldout)
    return FittedRun(fitted.fit.report, run.commit())


def follow_run(inputs: Sequence[str | Path], settings: Settings, processes: Processes) -> None:
    """What processes beside the first do in the same fit; they write nothing. Raises PidregError."""
    table, roles = opened(inputs, settings)
    source = TableSource(table.files, table.fingerprint, roles.target, roles.group)
    plan = plan_of_first(None, processes)
    if plan is None:
        loaded = load_arrays(table, roles)
        check_same(settings, table, processes)
        follow_arrays(loaded.arrays, source, settings, processes)
        return
    used = streamed_settings(settings, Silent())
    check_same(settings, table, processes)
    with folder_of_machine(processes) as own, shared_folder(own, processes) as folder:
        dealt = deal(table, roles, used, plan, folder, Silent(), processes)
        follow_arrays(dealt.sample, source, used, processes, dealt)


@contextmanager
def folder_of_machine(processes: Processes) -> Iterator[Path | None]:
    """Within the block a folder for the rows of a streamed table, if this is the first process of a machine: machines
    share none.
    """
    if processes.place.local_rank:
        yield None
        return
    with TemporaryDirectory(prefix="pidreg-") as place:
        folder = Path(place) / "rows"
        with passing_folder(folder):
            yield folder


def plan_of_first(plan: StreamPlan | None, processes: Processes) -> StreamPlan | None:
    """How the first process streams the table, on all of them; None where it is read into memory."""
    if processes.alone:
        return plan
    told = processes.of_first(lambda: json.dumps(None if plan is None else plan.to_document()).encode())
    document = json.loads(told)
    return None if document is None else StreamPlan.from_document(document)


def check_same(settings: Settings, table: ParquetTable, processes: Processes) -> None:
    """Raise UsageError unless every process works on the same, in the same way."""
    processes.check_same(
        {
            "configuration": dump_settings(settings),
            "table": table.fingerprint,
            "version of pidreg": __version__,
            "version of torch": torch.__version__,
        }
    )


def fit_table(
    inputs: Sequence[str | Path],
    settings: Settings,
    progress: Progress,
    run: RunBuilder | None = None,
    covariates: Sequence[str] = (),
    kept: KeptProcesses | None = None,
) -> FittedTable:
    """Fit the table in ``inputs`` in memory, with checkpoints in ``run`` if there is one; covariates are no features.

    ``kept``: processes for this fit and others after it. Raises PidregError.
    """
    if settings.memory is not None:
        progress.notice(
            "the table is read into memory, whatever 'memory' says: pidreg fit alone streams tables"
        )
    table, roles = opened(inputs, settings)
    if covariates:
        roles, notices = without_covariates(roles, covariates)
        roles = replace(roles, notices=notices)
    return fit_opened(table, roles, settings, progress, run, kept=kept)


def opened(inputs: Sequence[str | Path], settings: Settings) -> tuple[ParquetTable, Roles]:
    """The table in ``inputs`` and the roles of its columns. Raises DataError and UsageError."""
    table = open_table(inputs)
    return table, resolve_roles(table.schema, table.metadata, RoleRequest.from_settings(settings.data))


def fit_opened(
    table: ParquetTable,
    roles: Roles,
    settings: Settings,
    progress: Progress,
    run: RunBuilder | None,
    processes: Processes = ALONE,
    kept: KeptProcesses | None = None,
) -> FittedTable:
    """Fit a table in memory, with checkpoints in ``run`` if there is one. Raises PidregError."""
    loaded = load_arrays(table, roles)
    findings = tell(table, roles, loaded.notices, progress)
    if run is not None:
        run.begin(dump_settings(settings), table.fingerprint)
    check_same(settings, table, processes)
    source = TableSource(table.files, table.fingerprint, roles.target, roles.group)
    checkpoints = None if run is None else run.checkpoints
    fit = fit_arrays(
        loaded.arrays, source, settings, progress, checkpoints, processes, kept=kept, findings=findings
    )
    return FittedTable(fit, roles, source)


def fit_streamed(
    table: ParquetTable,
    roles: Roles,
    settings: Settings,
    progress: Progress,
    run: RunBuilder,
    plan: StreamPlan,
    processes: Processes = ALONE,
) -> FittedTable:
    """Fit a table by parts, its training rows in files within the unfinished run. Raises PidregError."""
    check_modalities(tuple(roles.modalities), settings)
    used = streamed_settings(settings, progress)
    findings = tell(table, roles, (), progress)
    run.begin(dump_settings(settings), table.fingerprint)
    keep_way(run, plan)
    check_same(settings, table, processes)
    source = TableSource(table.files, table.fingerprint, roles.target, roles.group)
    with run.scratch("rows") as own, shared_folder(own, processes) as folder:
        dealt = deal(table, roles, used, plan, folder, progress, processes)
        fit = fit_arrays(
            dealt.sample, source, used, progress, run.checkpoints, processes, dealt, findings=findings
        )
    return FittedTable(fit, roles, source)


def tell(
    table: ParquetTable, roles: Roles, notices: Sequence[str], progress: Progress
) -> tuple[Diagnostic, ...]:
    """Notices of the roles and of the rows, and a warning of what the report is to say, too."""
    for notice in (*roles.notices, *notices):
        progress.notice(notice)
    repeated = repeated_subjects(table, roles.group, roles.id)
    if repeated is None:
        return ()
    finding = data_checks.repeated_subjects(*repeated)
    progress.warning(f"{finding.message} {finding.hint}")
    return (finding,)


def write_run(run: RunBuilder, fit: Fit, roles: Roles, *, keep_heldout: bool) -> None:
    """Every file of the run beside its configuration."""
    model = fit.outcome.deployed.model
    architecture = architecture_text(model, model_roles(roles))
    weights = weights_bytes(model, architecture)
    run.write_text(ARCHITECTURE, architecture)
    run.write_bytes(WEIGHTS, weights)
    run.write_bytes(PREDICTION, prediction_bytes(fit.calibrated, weights))
    run.write_text(HISTORY, "".join(history_lines(fit.outcome)))
    if keep_heldout:
        with run.replacing(HELD_OUT) as path:
            pq.write_table(heldout_table(fit), path)
        pooled = fit.report.data.folds is not None
        models = [fit.placed(rows) for rows in fit.outcome.held_out.models]
        run.write_bytes(EVIDENCE, evidence_bytes("folds" if pooled else "split", models))
    run.write_text("report.json", to_json(fit.report))
    run.write_text("report.md", to_markdown(fit.report))
    # From the files just written: what ``pidreg report RUN --format html`` makes of them is the same, byte for byte.
    run.write_text("report.html", to_html(fit.report, read_traces(run.partial)))


def model_roles(roles: Roles) -> ModelRoles:
    """The columns that new rows must bring."""
    return ModelRoles(
        {name: list(columns) for name, columns in roles.modalities.items()}, roles.target, roles.id
    )


def history_lines(outcome: ProtocolOutcome) -> Iterable[str]:
    """A JSON line for each epoch of each model."""
    for ledger in outcome.histories:
        for record in ledger.history:
            yield json.dumps(asdict(record), ensure_ascii=False, allow_nan=False) + "\n"


def heldout_table(fit: Fit) -> pa.Table:
    """Predictions of the rows that did not train: id, split, y, prediction, in the order of the table.

    With one split the validation and the test rows, with folds every row, as 'test'.
    """
    scored = fit.outcome.scored
    order = np.argsort(scored.rows, kind="stable")
    rows = scored.rows[order]
    return pa.table(
        {
            "id": pa.array(fit.arrays.ids[rows]),
            "split": pa.array(scored.split[order]),
            "y": pa.array(fit.arrays.required_target[rows]),
            "prediction": pa.array(scored.prediction[order]),
        }
    )
