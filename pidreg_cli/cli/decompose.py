"""``pidreg decompose``: atoms of a run, of new labelled rows, or of the features of a table."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pidreg_cli.cli import decompose_options as own
from pidreg_cli.cli import options
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.modalities import column_names, named_modalities
from pidreg_cli.cli.options import ReportFormat
from pidreg_cli.cli.outputs import check_result, write_result
from pidreg_cli.cli.rendering import format_of, rendered
from pidreg_cli.cli.row_progress import open_row_progress
from pidreg_cli.errors import RunError, UsageError
from pidreg_cli.importing import uncollected

if TYPE_CHECKING:
    from pidreg_cli.data.preparation.findings import RowProgress
    from pidreg_cli.decomposing.per_row import Decomposed
    from pidreg_cli.decomposing.request import DecomposeRequest
    from pidreg_cli.reports.model import Report


def decompose(
    context: typer.Context,
    inputs: own.Inputs,
    no_model: own.NoModel = False,
    measure: own.Measure = None,
    estimator: own.Estimator = own.EstimatorName.HELDOUT,
    interactions: own.Interactions = None,
    confidence: own.Confidence = None,
    units: own.Units = own.UnitsName.BITS,
    covariates: own.Covariates = None,
    per_row: own.PerRow = None,
    output: own.Output = None,
    modalities: options.Modalities = None,
    modality: options.Modality = None,
    target: options.Target = None,
    identifier: options.Identifier = None,
    group: options.Group = None,
    seed: own.Seed = None,
    threads: own.Threads = None,
    device: own.Device = None,
    report_format: own.Format = None,
    force: options.Force = False,
    no_progress: options.NoProgress = False,
    quiet: options.Quiet = False,
    verbose: own.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Decompose what modalities tell of the target: a run, its model on new rows, or a table without any model.

    Examples: pidreg decompose data.pidreg --measure ig; pidreg decompose data.parquet --no-model --modalities a,b
    """
    console: Console = context.obj
    console.listen(quiet=quiet, verbose=verbose, debug=debug, animated=not no_progress)
    named = named_modalities(modalities, modality or [])
    roles = _Roles(named, target, identifier, group, column_names("--covariates", covariates), device)
    _check_options(inputs, roles, no_model=no_model)
    _check_per_row(per_row, estimator)
    chosen = format_of(output, report_format)
    check_result(console, output, inputs, force=force, beside=per_row)

    from pidreg_cli.decomposing.request import DecomposeRequest

    request = DecomposeRequest(
        measure=None if measure is None else measure.value,
        estimator=estimator.value,
        interactions=None if interactions is None else interactions.value,
        confidence=confidence,
        seed=seed,
        threads=threads,
    )
    found = _decomposed(console, inputs, roles, request, no_model=no_model)
    for text in found.notices:
        console.notice(text)
    if per_row is not None:
        _write_rows(console, per_row, found, units.value)
    write_result(console, _rendered(found.report, units.value, chosen), output)


@dataclass(frozen=True)
class _Roles:
    """Options that say which column is what, and where new rows are read."""

    modalities: dict[str, list[str]] | None
    target: str | None
    identifier: str | None
    group: str | None
    covariates: list[str]
    device: str | None

    def given(self, *names: str) -> str | None:
        """The first of these that was given, as the option it came from."""
        spelled = {"identifier": "id"}
        return next((f"--{spelled.get(name, name)}" for name in names if getattr(self, name)), None)


def _check_options(inputs: list[str], roles: _Roles, *, no_model: bool) -> None:
    """Refuse what does not fit together, before anything is read."""
    from pidreg_cli.runs import holds_run

    if no_model:
        run = next((one for one in inputs if holds_run(Path(one))), None)
        if run is not None:
            raise UsageError(
                "usage.no_model",
                f"{run} is a run, and --no-model takes tables alone",
                f"give the table, or leave --no-model out: pidreg decompose {run}",
            )
        _refuse(roles.given("device"), "without a model there is nothing to place on a device")
        return
    _check_run(inputs[0])
    _refuse(
        roles.given("modalities", "target"),
        "modalities and target are those of the run",
        "leave it out, or decompose the table itself with --no-model",
    )
    if len(inputs) == 1:
        _refuse(
            roles.given("identifier", "group", "covariates", "device"),
            "it is about new rows, and none are given",
            f"give labelled rows too: pidreg decompose {inputs[0]} DATA",
        )


def _refuse(option: str | None, why: str, hint: str = "leave it out") -> None:
    if option is not None:
        raise UsageError("usage.option", f"{option} does not apply: {why}", hint)


def _check_run(folder: str) -> None:
    from pidreg_cli.runs import holds_run

    path = Path(folder)
    if holds_run(path):
        return
    if path.exists():
        raise RunError(
            "run.not_a_run",
            f"{folder} is no run folder",
            f"give the folder that pidreg fit wrote, or take the table without a model: pidreg decompose {folder} "
            "--no-model",
        )
    raise RunError(
        "run.missing", f"there is no run folder {folder}", "check the path, or fit one: pidreg fit DATA"
    )


def _check_per_row(path: Path | None, estimator: own.EstimatorName) -> None:
    if path is None:
        return
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise UsageError(
            "usage.per_row",
            f"--per-row {path}: the name must end in .parquet or .csv",
            "the suffix says what is written",
        )
    if estimator is not own.EstimatorName.HELDOUT:
        raise UsageError(
            "usage.per_row",
            f"--per-row is about readouts of single rows, which --estimator {estimator.value} has none of",
            "leave --estimator out",
        )


def _decomposed(
    console: Console, inputs: list[str], roles: _Roles, request: DecomposeRequest, *, no_model: bool
) -> Decomposed:
    from pidreg_cli.data.inputs import check_inputs

    check_inputs(inputs if no_model else inputs[1:])
    # Options, inputs and outputs are known to be good: only now are the libraries worth their seconds.
    with open_row_progress(console) as progress:
        if no_model:
            return _of_features(inputs, roles, request, progress)
        if len(inputs) == 1:
            from pidreg_cli.decomposing.of_run import decompose_run

            return decompose_run(Path(inputs[0]), request)
        from pidreg_cli.decomposing.of_new_rows import decompose_new

        return decompose_new(
            Path(inputs[0]),
            inputs[1:],
            request,
            roles.covariates,
            progress,
            identifier=roles.identifier,
            group=roles.group,
            device=roles.device or "auto",
        )


def _write_rows(console: Console, path: Path, found: Decomposed, units: str) -> None:
    from pidreg_cli.decomposing.per_row import RowTable, write_rows

    table = RowTable.of(found.report, found.pooled, units)
    write_rows(path, table, found.rows())
    console.notice(f"wrote {path}")


def _rendered(report: Report, units: str, report_format: ReportFormat) -> str:
    if units == "nats":
        from pidreg_cli.reports.units import in_nats

        report = in_nats(report)
    return rendered(report, report_format)


def _of_features(
    inputs: list[str], roles: _Roles, request: DecomposeRequest, progress: RowProgress
) -> Decomposed:
    with uncollected():
        from pidreg_cli.data.tables import open_table
        from pidreg_cli.threads import available_threads

    table = open_table(inputs)
    # The interpreter reads the libraries with one thread.
    with table.digests.meanwhile(request.threads or available_threads()):
        with uncollected():
            from pidreg_cli.data.roles import RoleRequest
            from pidreg_cli.decomposing.of_features import decompose_features

        globs = {name: tuple(patterns) for name, patterns in (roles.modalities or {}).items()}
        asked = RoleRequest(globs, roles.target, roles.identifier, roles.group)
        return decompose_features(table, asked, request, roles.covariates, progress)
