"""Running experiments from the command line: fits, then numbers, figure and page."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from benchmarks.experiments.drawing import save_figure
from benchmarks.experiments.experiment import Experiment, Results, Setting
from benchmarks.experiments.page import FOLDER, ROOT, write_page
from benchmarks.fits.synthetic import enough_rows, tell
from pidreg_cli.training.device import limited_threads
from pidreg_cli.version import __version__

NAMES = ("truth", "rows", "no_cmi", "modality_drop", "many_modalities", "targets", "oscillation")
"""In the order of the page."""


def experiments() -> list[Experiment]:
    """All of them."""
    return [import_module(f"benchmarks.experiments.{name}").EXPERIMENT for name in NAMES]


def results_of(experiment: Experiment, setting: Setting) -> Results:
    """Run the fits; every record is told as it comes."""
    start, records = time.perf_counter(), []
    with limited_threads(setting.threads):
        for record in experiment.run(setting):
            tell(f"{experiment.name} {time.perf_counter() - start:.0f} s: {record}")
            records.append(record)
    seconds = round(time.perf_counter() - start)
    return Results(experiment.name, __version__, setting, seconds, records)


def run(experiment: Experiment, setting: Setting, docs: Path) -> None:
    """Fits, table, numbers and figure."""
    results = results_of(experiment, setting)
    (docs / FOLDER).mkdir(parents=True, exist_ok=True)
    results.save(docs / FOLDER)
    show(experiment, docs)


def show(experiment: Experiment, docs: Path) -> None:
    """Table and figure of saved results."""
    results = Results.load(docs / FOLDER, experiment.name)
    print(f"\n## {experiment.title}\n\n{experiment.table(results.records).markdown()}\n", flush=True)
    save_figure(experiment, results.records, docs / FOLDER)


def parser(experiment: Experiment | None) -> argparse.ArgumentParser:
    """Options of one experiment's command, or of all."""
    about = f"{experiment.title}. {experiment.question}" if experiment else "All experiments, and their page."
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--preset", choices=["fast", "balanced", "thorough", "paper"], help="of every fit")
    made.add_argument("--rows", type=enough_rows, help="of a table; 70 % of them train")
    made.add_argument("--seeds", type=int, help="tables and fits per line")
    made.add_argument("--threads", type=int)
    made.add_argument("--set", action="append", metavar="KEY=VALUE", help="as of fit; repeatable")
    made.add_argument("--render", action="store_true", help="no fits: page and figures from saved numbers")
    made.add_argument("-o", "--docs", type=Path, default=ROOT / "docs", help="folder of the page")
    return made


def main(experiment: Experiment | None = None, arguments: Sequence[str] | None = None) -> None:
    """One experiment, or all; then the page."""
    given = parser(experiment).parse_args(arguments)
    chosen = {key: getattr(given, key) for key in ("preset", "rows", "seeds", "threads")}
    if given.set:
        chosen["assignments"] = tuple(given.set)
    changed = {key: value for key, value in chosen.items() if value is not None}
    for one in [experiment] if experiment else experiments():
        if given.render:
            show(one, given.docs)
        else:
            run(one, replace(one.setting, **changed), given.docs)
    write_page(experiments(), given.docs)
