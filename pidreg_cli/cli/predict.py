"""``pidreg predict``: predictions of new rows by a run, with intervals, whatever modalities the rows have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from pidreg_cli.cli import options
from pidreg_cli.cli import predict_options as own
from pidreg_cli.cli.console import Console
from pidreg_cli.cli.outputs import STDOUT, check_outputs
from pidreg_cli.cli.row_progress import open_row_progress
from pidreg_cli.data.formats import TABLES
from pidreg_cli.errors import OutputError, RunError, UsageError

if TYPE_CHECKING:
    from pidreg_cli.data.growing_files import TableWriter
    from pidreg_cli.predicting.prediction_run import PredictionRun
    from pidreg_cli.predicting.request import PredictRequest
    from pidreg_cli.predicting.tally import Tally

SUFFIXES = (".parquet", ".pq", ".csv")


def predict(
    context: typer.Context,
    run: own.Run,
    data: own.Inputs,
    output: own.Output = None,
    interval: own.Interval = 0.9,
    explain: own.Explain = False,
    use: own.Use = None,
    identifier: own.Identifier = None,
    report: own.Report = None,
    threads: options.Threads = None,
    device: own.Device = "auto",
    force: options.Force = False,
    no_progress: options.NoProgress = False,
    quiet: options.Quiet = False,
    verbose: own.Verbose = False,
    debug: options.Debug = False,
) -> None:
    """Predict new rows, each with an interval, from whatever modalities it has.

    Example: pidreg predict data.pidreg new.parquet -o predictions.parquet --explain
    """
    console: Console = context.obj
    console.listen(quiet=quiet, verbose=verbose, debug=debug, animated=not no_progress)
    path = _destination(output, console)
    check_outputs([path, report], [str(run), *data], force=force, suffixes=TABLES)
    _check_run(run)
    from pidreg_cli.predicting.request import PredictRequest

    request = PredictRequest(interval, explain, _names(use), identifier, device, threads)
    _predicted(console, run, data, request, path, report)


def _destination(output: str | None, console: Console) -> Path | None:
    """Where predictions go; None for stdout. Raises UsageError, and OutputError where stdout is closed."""
    if output is None:
        raise UsageError(
            "usage.output", "predict needs -o FILE", "give -o predictions.parquet, or -o - for CSV here"
        )
    if output == STDOUT:
        if console.closed:
            raise OutputError("output.closed", "-o - writes to stdout, which is closed", "give -o FILE")
        return None
    path = Path(output)
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "usage.output",
            f"-o {output}: the name must end in {', '.join(SUFFIXES)}",
            "the suffix says what is written; - is CSV on stdout",
        )
    return path


def _names(use: str | None) -> list[str] | None:
    if use is None:
        return None
    names = [name.strip() for name in use.split(",")]
    if not all(names):
        raise UsageError("usage.use", f"--use {use!r}: a name is empty", "write --use mri,fmri")
    return names


def _check_run(folder: Path) -> None:
    from pidreg_cli.runs import holds_run

    if not holds_run(folder):
        what = f"{folder} is no run folder" if folder.exists() else f"there is no run folder {folder}"
        raise RunError("run.missing", what, "give the folder that pidreg fit wrote")


def _predicted(
    console: Console,
    folder: Path,
    data: list[str],
    request: PredictRequest,
    path: Path | None,
    report: Path | None,
) -> None:
    from pidreg_cli.data.inputs import check_inputs

    check_inputs(data, TABLES, "table")
    with open_row_progress(console) as progress:
        # Options, inputs and outputs are known to be good: only now are the libraries worth their seconds.
        from pidreg_cli.predicting import summary
        from pidreg_cli.predicting.prediction_run import PredictionRun

        run = PredictionRun.open(folder, data, request)
        _tell(console, summary.warnings_before(run), summary.notices_before(run))
        with _writer(console, path) as writer:
            tally = run.write(writer, progress)
    _tell(console, summary.warnings_after(run, tally), summary.notices_after(tally, request.level))
    if path is not None:
        console.notice(f"wrote {path} ({tally.rows:,} rows)")
    if report is not None:
        _write_report(console, report, run, tally)


@contextmanager
def _writer(console: Console, path: Path | None) -> Iterator[TableWriter]:
    from pidreg_cli.data.growing_files import CsvWriter, open_output

    if path is None:
        yield CsvWriter(console.stdout)
        return
    with open_output(path) as writer:
        yield writer


def _tell(console: Console, warnings: Iterable[str], notices: Iterable[str]) -> None:
    for text in warnings:
        console.warning(text)
    for text in notices:
        console.notice(text)


def _write_report(console: Console, path: Path, run: PredictionRun, tally: Tally) -> None:
    from pidreg_cli.atomic import atomic_write_text
    from pidreg_cli.predicting.summary import report_text

    atomic_write_text(path, report_text(run, tally))
    console.notice(f"wrote {path}")
