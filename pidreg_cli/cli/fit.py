"""``pidreg fit``: train on a table, decompose on rows that did not train, write a run folder."""

from __future__ import annotations

from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.modalities import named_modalities
from pidreg_cli.cli.options import ReportFormat
from pidreg_cli.cli.outputs import check_run_outside
from pidreg_cli.cli.progress import open_progress
from pidreg_cli.cli.rendering import rendered
from pidreg_cli.errors import DataError, UsageError
from pidreg_cli.place import Place

if TYPE_CHECKING:
    from pidreg_cli.config.settings import Settings
    from pidreg_cli.reports.model import Report
    from pidreg_cli.runs import RunBuilder
    from pidreg_cli.training.processes import Processes


def fit(
    context: typer.Context,
    data: options.Data,
    output: options.Output = None,
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
    memory: options.Memory = None,
    report_format: options.Format = ReportFormat.TEXT,
    resume: options.Resume = False,
    force: options.Force = False,
    no_heldout: options.NoHeldout = False,
    no_progress: options.NoProgress = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Train, decompose what the modalities say of the target, and report it.

    Example: pidreg fit data.parquet --modalities mri,fmri
    """
    from pidreg_cli.config.loading import dump_settings, load_settings
    from pidreg_cli.runs import RunBuilder

    console: Console = context.obj
    console.listen(quiet=quiet, verbose=verbose, debug=debug, animated=not no_progress)
    options_given = {
        "data.modalities": named_modalities(modalities, modality or []),
        "data.target": target,
        "data.id": identifier,
        "data.group": group,
        "data.split_column": split_column,
        "folds": options.number_or_word(folds),
        "seed": seed,
        "threads": threads,
        "device": device,
        "memory": memory,
    }
    chosen = {key: value for key, value in options_given.items() if value is not None}
    settings = load_settings(preset, config, assignments or [], chosen)
    console.detail(dump_settings(settings).rstrip())
    folder = output or run_folder_for(data[0])
    check_run_outside(folder, data)
    run = RunBuilder(folder, force=force, resume=resume)
    report = _report(console, data, settings, run, keep_heldout=not no_heldout)
    # The run holds the report: nothing is lost where stdout is closed.
    if report is not None and not console.closed:
        console.result(rendered(report, report_format))


def _report(
    console: Console, data: list[str], settings: Settings, run: RunBuilder, *, keep_heldout: bool
) -> Report | None:
    """The report of the fit; None from a process that only helps."""
    place = Place.of_environment()
    if place.alone:
        return _fitted(console, data, settings, run, keep_heldout=keep_heldout)
    from pidreg_cli.training.device import resolve_device
    from pidreg_cli.training.torchrun import joined

    with joined(place, resolve_device(settings.device, place)) as processes:
        if processes.first:
            return _fitted(console, data, settings, run, keep_heldout=keep_heldout, processes=processes)
        from pidreg_cli.pipeline import follow_run

        follow_run(data, settings, processes)
        return None


def run_folder_for(data: str) -> Path:
    """``<stem>.pidreg`` in the current folder; of a glob, named by the folder it searches.

    Raises:
        UsageError: a glob in the current folder, which gives no name.
        DataError: the same, and no file matches it.
    """
    path = Path(data)
    while has_magic(str(path)) and not path.exists():
        path = path.parent
    if path.name == "" and data != "." and not glob(data, recursive=True):  # noqa: PTH207
        raise DataError("data.missing_input", f"No file matches '{data}'.", "Check the pattern.")
    if path.name == "" and data != ".":
        raise UsageError("usage.output", f"{data!r} gives the run folder no name", "add -o RUN")
    return Path(f"{path.resolve().stem}.pidreg")


def _fitted(
    console: Console,
    data: list[str],
    settings: Settings,
    run: RunBuilder,
    *,
    keep_heldout: bool,
    processes: Processes | None = None,
) -> Report:
    with run, open_progress(console) as progress:
        from pidreg_cli.data.inputs import check_inputs

        check_inputs(data)
        # Options, configuration, inputs and outputs are known to be good: only now is torch worth its second.
        from pidreg_cli.decisions.training_checks import DEVICE_MEMORY
        from pidreg_cli.pipeline import fit_run
        from pidreg_cli.training.processes import ALONE

        if run.resumed:
            progress.notice(f"continuing {run.partial}")
        fitted = fit_run(
            data, settings, run, progress, keep_heldout=keep_heldout, processes=processes or ALONE
        )
    for finding in fitted.report.diagnostics:
        if finding.code == DEVICE_MEMORY:
            console.detail(finding.message)
    console.notice(f"wrote {fitted.folder}")
    return fitted.report
