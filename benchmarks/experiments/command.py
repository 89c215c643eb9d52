"""Running experiments from the command line: fits, then numbers, figure and page."""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.experiments.drawing import save_figure
from benchmarks.experiments.experiment import Experiment, Results, Setting
from benchmarks.experiments.journal import Journal
from benchmarks.experiments.page import DOCS, Page
from benchmarks.fits.machine import machine
from benchmarks.fits.synthetic import enough_rows, tell
from pidreg_cli.training.device import limited_threads
from pidreg_cli.version import __version__


def results_of(
    experiment: Experiment, setting: Setting, folder: Path, most: int | None = None
) -> Results | None:
    """Measure the cases, ``most`` of them now; None where some are left for the next time.

    A run that stopped, or was interrupted, goes on with the same setting from the cases that it finished.
    """
    journal = Journal(folder / f"{experiment.name}.partial", setting)
    with limited_threads(setting.threads):
        left = [case for case in experiment.cases(setting) if not journal.holds(case)]
        for case in left[:most]:
            start = time.perf_counter()
            records = experiment.measure(setting, *case)
            journal.add(case, records, time.perf_counter() - start)
            tell(f"{experiment.name} {journal.seconds:.0f} s: {case}")
    if most is not None and len(left) > most:
        return None
    seconds = round(journal.seconds)
    return Results(experiment.name, __version__, machine(), setting, seconds, journal.records)


def show(experiment: Experiment, folder: Path) -> None:
    """Table and figure of saved results."""
    results = Results.load(folder, experiment.name)
    print(f"\n## {experiment.title}\n\n{experiment.table(results.records).markdown()}\n", flush=True)
    save_figure(experiment, results.records, folder)


def parser(about: str) -> argparse.ArgumentParser:
    """Options of one experiment's command, or of all."""
    made = argparse.ArgumentParser(description=about)
    made.add_argument("--preset", choices=["fast", "balanced", "thorough", "paper"], help="of every fit")
    made.add_argument("--rows", type=enough_rows, help="of a table; 70 %% of them train")
    made.add_argument("--seeds", type=int, help="repetitions: tables and fits per line")
    made.add_argument("--threads", type=int)
    made.add_argument("--set", action="append", metavar="KEY=VALUE", help="as of fit; repeatable")
    made.add_argument(
        "--cases", type=int, metavar="N", help="measure N of them and stop; the next run goes on"
    )
    made.add_argument("--missing", action="store_true", help="only what has no saved numbers yet")
    made.add_argument("--render", action="store_true", help="no fits: page and figures from saved numbers")
    made.add_argument("-o", "--docs", type=Path, default=DOCS, help="folder of the page")
    return made


def main(page: Page, experiment: Experiment | None = None, arguments: Sequence[str] | None = None) -> None:
    """One experiment, or all of a page; then the page."""
    about = f"{experiment.title} {experiment.question}" if experiment else f"All of docs/{page.name}.md."
    given = parser(about).parse_args(arguments)
    chosen = {key: getattr(given, key) for key in ("preset", "rows", "seeds", "threads")}
    if given.set:
        chosen["assignments"] = tuple(given.set)
    changed = {key: value for key, value in chosen.items() if value is not None}
    folder = page.folder(given.docs)
    folder.mkdir(parents=True, exist_ok=True)
    for one in [experiment] if experiment else page.experiments:
        saved = (folder / f"{one.name}.json").exists()
        if given.render and not saved:
            continue
        if not (given.render or (given.missing and saved)):
            results = results_of(one, replace(one.setting, **changed), folder, given.cases)
            if results is None:
                continue
            results.save(folder)
            (folder / f"{one.name}.partial").unlink()
        show(one, folder)
    page.write(given.docs)
