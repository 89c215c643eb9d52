"""``pidreg select-modalities``: which modalities to keep, of a run or of a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli import select_options as own
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.decompose_options import Format, Output
from pidreg_cli.cli.modalities import column_names, named_modalities
from pidreg_cli.cli.options import number_or_word
from pidreg_cli.cli.outputs import check_result, check_run_outside, write_result
from pidreg_cli.cli.progress import open_progress
from pidreg_cli.cli.rendering import format_of, rendered
from pidreg_cli.cli.row_progress import open_row_progress
from pidreg_cli.errors import RunError, UsageError

if TYPE_CHECKING:
    from pidreg_cli.reports.model import Report
    from pidreg_cli.selecting.request import Reading, SelectRequest


def select_modalities(
    context: typer.Context,
    inputs: own.Inputs,
    tolerance: own.Tolerance = None,
    rule: own.Rule = None,
    budget: own.Budget = None,
    cost: own.Cost = None,
    verify: own.Verify = False,
    no_model: own.NoModel = False,
    covariates: own.Covariates = None,
    output: Output = None,
    keep_run: own.KeepRun = None,
    modalities: options.Modalities = None,
    modality: options.Modality = None,
    target: options.Target = None,
    identifier: options.Identifier = None,
    group: options.Group = None,
    split_column: options.SplitColumn = None,
    preset: options.Preset = None,
    config: options.Config = None,
    assignments: options.Assignments = None,
    folds: options.Folds = None,
    seed: options.Seed = None,
    threads: options.Threads = None,
    device: options.Device = None,
    report_format: Format = None,
    resume: own.Resume = False,
    force: options.Force = False,
    no_progress: options.NoProgress = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Say which modalities to keep, what dropping the others costs, and how firm that is.

    Examples: pidreg select-modalities data.pidreg --budget 2000 --cost mri=1200; pidreg select-modalities data.parquet
    --modalities mri,fmri --verify
    """
    console: Console = context.obj
    console.listen(quiet=quiet, verbose=verbose, debug=debug, animated=not no_progress)
    fitting = {
        "data.modalities": named_modalities(modalities, modality or []),
        "data.target": target,
        "data.id": identifier,
        "data.group": group,
        "data.split_column": split_column,
        "folds": number_or_word(folds),
        "seed": seed,
        "threads": threads,
        "device": device,
        "preset": preset,
        "config": config,
        "set": assignments,
    }
    given = {key: value for key, value in fitting.items() if value is not None}
    from pidreg_cli.selecting.request import SelectRequest

    request = SelectRequest(
        tolerance, None if rule is None else rule.value, budget, own.named_costs(cost or [])
    )
    columns = column_names("--covariates", covariates)
    chosen = format_of(output, report_format)
    check_result(console, output, inputs, force=force)
    if _is_run(inputs[0]):
        refused: dict[str, object] = {"--no-model": no_model, "--run": keep_run, "--resume": resume}
        why = f"{inputs[0]} is a run, fitted already"
        _refuse(_first(refused), why)
        reading = _reading(given, data=len(inputs) > 1, verify=verify, covariates=bool(columns))
        _refuse(_option_of(given), why)
        report = _of_run(console, inputs, request, columns, reading, verify=verify)
    elif no_model:
        _refuse(
            _first({"--verify": verify, "--run": keep_run, "--resume": resume}),
            "with --no-model nothing is trained",
        )
        report = _of_features(console, inputs, request, given, columns)
    else:
        report = _of_table(
            console, inputs, request, given, keep_run, columns, verify=verify, resume=resume, force=force
        )
    write_result(console, rendered(report, chosen), output)


OPTIONS = {
    "data.modalities": "--modalities",
    "data.target": "--target",
    "data.id": "--id",
    "data.group": "--group",
    "data.split_column": "--split-column",
}


def _option_of(given: dict[str, Any]) -> str | None:
    """The first of these settings as the option that gave it."""
    return next((OPTIONS.get(key, f"--{key}") for key in given), None)


def _first(options_given: dict[str, object]) -> str | None:
    return next((name for name, value in options_given.items() if value), None)


def _refuse(option: str | None, why: str, hint: str = "leave it out") -> None:
    if option is not None:
        raise UsageError("usage.option", f"{option} does not apply: {why}", hint)


def _is_run(text: str) -> bool:
    """Whether the first input is a run; one that is named like a run and is none is an error."""
    from pidreg_cli.runs import holds_run

    path = Path(text)
    if path.suffix == ".pidreg" and not path.exists():
        raise RunError(
            "run.missing", f"there is no run folder {text}", "check the path, or fit one: pidreg fit DATA"
        )
    return holds_run(path)


def _reading(given: dict[str, Any], *, data: bool, verify: bool, covariates: bool) -> Reading:
    """What these settings say of rows beside a run; taken out of them, so that what is left has no effect."""
    from pidreg_cli.selecting.request import Reading

    place = data and (verify or covariates)
    columns = data and covariates
    return Reading(
        given.pop("data.id", None) if columns else None,
        given.pop("data.group", None) if columns else None,
        given.pop("threads", None) if place else None,
        given.pop("device", None) if place else None,
    )


def _of_run(
    console: Console,
    inputs: list[str],
    request: SelectRequest,
    covariates: list[str],
    reading: Reading,
    *,
    verify: bool,
) -> Report:
    folder, data = Path(inputs[0]), inputs[1:]
    if covariates:
        return _of_run_beyond(console, folder, data, request, covariates, reading, verify=verify)
    if verify and not data:
        raise UsageError(
            "usage.verify",
            "--verify retrains, and a run does not hold its table",
            f"give it too: pidreg select-modalities {folder} DATA --verify",
        )
    if data and not verify:
        raise UsageError(
            "usage.data",
            f"{data[0]} is not needed: {folder} keeps the rows that select",
            "leave it out, or add --verify to retrain on it",
        )
    if not verify:
        from pidreg_cli.selecting.of_run import select_run

        return select_run(folder, request)
    with open_progress(console) as progress:
        from pidreg_cli.selecting.of_run import verify_run

        return verify_run(folder, data, request, progress, reading)


VERIFYING = "networks are compared, which do not know covariates"


def _of_run_beyond(
    console: Console,
    folder: Path,
    data: list[str],
    request: SelectRequest,
    covariates: list[str],
    reading: Reading,
    *,
    verify: bool,
) -> Report:
    _refuse("--verify with --covariates" if verify else None, VERIFYING, "leave one of them out")
    if not data:
        raise UsageError(
            "usage.covariates",
            "a run keeps no covariates",
            f"give its table, or new labelled rows: pidreg select-modalities {folder} DATA --covariates ...",
        )
    with open_row_progress(console) as progress:
        from pidreg_cli.selecting.of_run import select_run_beyond

        return select_run_beyond(folder, data, request, covariates, progress, reading)


def _of_features(
    console: Console, inputs: list[str], request: SelectRequest, given: dict[str, Any], covariates: list[str]
) -> Report:
    named = {key: given.pop(key, None) for key in ("data.modalities", "data.target", "data.id", "data.group")}
    seed, threads = given.pop("seed", 0), given.pop("threads", None)
    _refuse(_option_of(given), "with --no-model nothing is trained")
    from pidreg_cli.config.loading import load_settings
    from pidreg_cli.data.roles import RoleRequest
    from pidreg_cli.selecting.of_features import select_features

    settings = load_settings(options=request.options()).selection
    globs = {name: tuple(patterns) for name, patterns in (named["data.modalities"] or {}).items()}
    roles = RoleRequest(globs, named["data.target"], named["data.id"], named["data.group"])
    with open_row_progress(console) as progress:
        report, notices = select_features(
            inputs, roles, settings, covariates, progress, seed=seed, threads=threads
        )
    for text in notices:
        console.notice(text)
    return report


def _of_table(
    console: Console,
    inputs: list[str],
    request: SelectRequest,
    given: dict[str, Any],
    keep_run: Path | None,
    covariates: list[str],
    *,
    verify: bool,
    resume: bool,
    force: bool,
) -> Report:
    if covariates:
        _refuse("--verify with --covariates" if verify else None, VERIFYING, "leave one of them out")
        _refuse(
            "--run with --covariates" if keep_run else None,
            "the run would not know which columns were covariates",
            "fit the other columns with pidreg fit, and give that run, its table and --covariates",
        )
    from pidreg_cli.config.loading import dump_settings, load_settings
    from pidreg_cli.runs import RunBuilder

    layers = [given.pop(key, None) for key in ("preset", "config", "set")]
    settings = load_settings(layers[0], layers[1], layers[2] or [], given | request.options())
    console.detail(dump_settings(settings).rstrip())
    _refuse("--resume" if resume and keep_run is None else None, "without --run nothing is kept")
    from pidreg_cli.data.inputs import check_inputs

    check_inputs(inputs)
    if keep_run is None:
        with open_progress(console) as progress:
            # Options and outputs are known to be good: only now is torch worth its second.
            from pidreg_cli.selecting.of_table import select_table, select_table_beyond

            if covariates:
                return select_table_beyond(inputs, settings, progress, covariates)
            return select_table(inputs, settings, progress, verify=verify)
    check_run_outside(keep_run, inputs)
    run = RunBuilder(keep_run, force=force, resume=resume)
    with run, open_progress(console) as progress:
        from pidreg_cli.selecting.of_table import select_and_keep

        if run.resumed:
            progress.notice(f"continuing {run.partial}")
        return select_and_keep(inputs, settings, progress, run, verify=verify)
