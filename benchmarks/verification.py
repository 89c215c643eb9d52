"""What ``select-modalities DATA --verify`` costs beside the fit, with one process and with more.

``python -m benchmarks.verification [--preset fast] [--rows 1500 3000] [--threads 1 2] [--repeats 3]``: a table is
fitted and the recommended set retrained, case after case in turns; least seconds of the repeats, from start to end, and
of all processes together.
``own``: the retraining starts processes anew, as it does where a run is verified. ``resamples``: CPU seconds for the
stability of the recommendation, which is part of the fit's report. They depend on the sets alone, not on the rows; a
second table has them for more modalities, of drawn errors.
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
import psutil

from benchmarks.fits.machine import machine
from benchmarks.fits.synthetic import draw
from pidreg_cli.config.loading import load_settings
from pidreg_cli.decisions.candidates import modality_costs
from pidreg_cli.decisions.selection import Rule
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.decisions.stability import stability
from pidreg_cli.fitting import Fit, TableSource, fit_arrays, row_labels
from pidreg_cli.selecting.verifying import HeldErrors, Retraining, verified
from pidreg_cli.selection_facts import facts_of_selection
from pidreg_cli.training.evaluation import jackknife_groups
from pidreg_cli.training.progress import Silent
from pidreg_cli.training.seeds import Stream, numpy_generator
from pidreg_cli.training.workers import KeptProcesses

SYSTEM = "mixed"
DRAWN_ROWS = 1000
SOURCE = TableSource((), "sha256:0", "target")


@dataclass(frozen=True)
class Time:
    """Seconds from start to end, and of all processes together."""

    wall: float
    cpu: float

    @classmethod
    def now(cls) -> Time:
        """So far: of this process, of those that ended, and of those that still live."""
        used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
        live = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
        cpu = sum(one.ru_utime + one.ru_stime for one in used) + sum(one.user + one.system for one in live)
        return cls(time.perf_counter(), cpu)

    def __sub__(self, other: Time) -> Time:
        return Time(self.wall - other.wall, self.cpu - other.cpu)

    def __str__(self) -> str:
        return f"{self.wall:.1f} s, {self.cpu:.1f}"


@dataclass(frozen=True)
class Case:
    """A table, by its rows, and how it is fitted."""

    preset: str
    rows: int
    threads: int
    own: bool


def measured(case: Case) -> tuple[Time, Time, Time]:
    """Of the fit, of the verification, and of the resamples."""
    # Without a column that says so: under 2,000 rows a fit makes folds, otherwise one split.
    arrays = replace(draw(SYSTEM, case.rows, 0).arrays, split=None)
    settings = load_settings(case.preset, options={"threads": case.threads, "device": "cpu"})
    with KeptProcesses(Silent()) as kept:
        start = Time.now()
        fit = fit_arrays(arrays, SOURCE, settings, Silent(), kept=None if case.own else kept)
        fitted = Time.now()
        again = Retraining(fit.arrays, SOURCE, settings, Silent(), None if case.own else kept)
        verified(fit.report, HeldErrors.of_fit(fit), again)
        return fitted - start, Time.now() - fitted, resampled(fit)


def resampled(fit: Fit) -> Time:
    """Of the resamples that the report of the fit holds, made once more."""
    rows, names = fit.outcome.selection, fit.arrays.names
    settings = load_settings(options={"seed": fit.report.seed})
    kind = "folds" if fit.report.data.folds else "split"
    facts = facts_of_selection(rows, row_labels(rows.rows, fit.arrays), settings, kind)
    start = Time.now()
    rng = numpy_generator(fit.report.seed, Stream.RESAMPLES)
    stability(facts.scored, modality_costs(names, facts.costs), facts.rule, rng)
    return Time.now() - start


def resampled_of(modalities: int) -> Time:
    """Of the resamples of all sets of so many modalities."""
    rng, sets = np.random.default_rng(modalities), 1 << modalities
    errors = np.square(rng.standard_normal((DRAWN_ROWS, 1)) + 0.3 * rng.standard_normal((DRAWN_ROWS, sets)))
    groups = jackknife_groups(np.arange(DRAWN_ROWS), rng)
    scored = SetErrors.of_rows(errors, groups, np.zeros_like(errors))
    start = Time.now()
    stability(scored, np.ones(sets), Rule(), rng)
    return Time.now() - start


def least(times: list[Time]) -> Time:
    """The least of each."""
    return Time(min(one.wall for one in times), min(one.cpu for one in times))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--preset", nargs="+", default=["fast"])
    parser.add_argument("--rows", nargs="+", type=int, default=[1500, 3000])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    every = product(options.preset, options.rows, options.threads, (False, True))
    cases = [Case(*one) for one in every if not (one[2] == 1 and one[3])]
    found: dict[Case, list[tuple[Time, Time, Time]]] = {case: [] for case in cases}
    for _ in range(options.repeats):
        for case in cases:
            found[case].append(measured(case))
    print("| preset | rows | threads | processes | fit (CPU s) | verification (CPU s) | resamples |")
    print("|---|---:|---:|---|---:|---:|---:|")
    for case, times in found.items():
        fit, again, drawn = (least(list(column)) for column in zip(*times, strict=True))
        way = "" if case.threads == 1 else "own" if case.own else "kept"
        start = f"| {case.preset} | {case.rows:,} | {case.threads} | {way} "
        print(f"{start}| {fit} | {again} | {drawn.cpu:.2f} s |")
    print("\n| modalities | sets | resamples |\n|---:|---:|---:|")
    for count in (2, 4, 8, 12):
        print(f"| {count} | {(1 << count) - 1:,} | {resampled_of(count).cpu:.2f} s |")
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
