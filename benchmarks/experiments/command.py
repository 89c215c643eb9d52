"""Running experiments from the command line: fits, then numbers, figure and page."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.experiments.drawing import save_figure
from benchmarks.experiments.experiment import Experiment, Results, Setting
from benchmarks.experiments.journal import Journal
from benchmarks.experiments.options import parser, settings_asked
from benchmarks.experiments.page import DOCS, Page
from benchmarks.fits.machine import machine
from benchmarks.fits.synthetic import tell
from pidreg_cli.training.device import limited_threads
from pidreg_cli.version import __version__


def run(experiment: Experiment, setting: Setting, folder: Path, most: int | None = None) -> bool:
    """Measure the cases, ``most`` of them now, and save the results; False where some are left for the next time, or
    the setting has none.

    A run that stopped, or was interrupted, goes on with the same setting from the cases that it finished.
    """
    cases = experiment.cases(setting)
    if not cases:
        tell(f"{experiment.name}: nothing to measure without options of its own command")
        return False
    journal = Journal(folder, experiment, setting)
    with limited_threads(setting.threads):
        left = [case for case in cases if not journal.holds(case)]
        for case in left[:most]:
            start = time.perf_counter()
            records = experiment.measure(setting, *case)
            journal.add(case, records, time.perf_counter() - start)
            tell(f"{experiment.name} {journal.seconds:.0f} s: {case}")
    if most is not None and len(left) > most:
        return False
    how = (__version__, machine(), setting.published, round(journal.seconds))
    Results(experiment.name, *how, journal.records, experiment.revision).save(folder)
    journal.remove()
    return True


def show(experiment: Experiment, folder: Path) -> None:
    """Table and figure of saved results."""
    results = Results.load(folder, experiment.name)
    print(f"\n## {experiment.title}\n\n{experiment.table(results.records).markdown()}\n", flush=True)
    save_figure(experiment, results.records, folder)


def main(page: Page, experiment: Experiment | None = None, arguments: Sequence[str] | None = None) -> None:
    """One experiment, or all of a page; then the page."""
    experiments = [experiment] if experiment else page.experiments
    made = parser(page, experiments)
    given = made.parse_args(arguments)
    settings = settings_asked(made, given, experiments)
    docs = DOCS if given.save else given.output
    folder = page.folder(docs)
    saved = {
        one.name: Results.load(folder, one.name)
        for one in experiments
        if (folder / f"{one.name}.json").exists()
    }
    if given.render and not saved:
        made.error(f"no saved numbers in {folder}; --save: those of the repository")
    if experiment and not given.render and not experiment.cases(settings[0]):
        made.error("nothing to measure: which table?")
    folder.mkdir(parents=True, exist_ok=True)
    for one, setting in zip(experiments, settings, strict=True):
        done = one.name in saved
        current = done and saved[one.name].revision == one.revision
        if not given.render and not (given.missing and current):
            done = run(one, setting, folder, given.cases)
        if done:
            show(one, folder)
    page.write(docs)
