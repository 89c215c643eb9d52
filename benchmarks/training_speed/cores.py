"""A whole fit against the number of threads: ``python -m benchmarks.training_speed.cores``."""

from __future__ import annotations

import resource
import time
from itertools import product
from typing import TYPE_CHECKING

from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import name_lines
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import by
from benchmarks.fits.synthetic import draw, fitted
from benchmarks.training_speed import PAGE
from pidreg_cli.reports.figures import palette
from pidreg_cli.threads import available_threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYSTEM = "mixed"
PRESETS = ("fast", "balanced")
FOLDED = 1_500  # rows of a table that is fitted in folds


def thread_counts() -> list[int]:
    """1, 2, 4, ... up to the cores of this machine."""
    return [1 << k for k in range(available_threads().bit_length())]


def cases(setting: Setting) -> list[Case]:
    """Every preset on a table that is split once, and on one of folds, with every number of threads in turn."""
    return list(product(range(setting.seeds), PRESETS, (setting.rows, FOLDED), thread_counts()))


def measure(setting: Setting, repetition: int, preset: str, rows: int, threads: int) -> list[Record]:
    """One fit: seconds from start to end, and of all processes together."""
    sample = draw(SYSTEM, rows, 0)
    wanted = Setting(preset, rows, 1, threads, setting.assignments).settings(0)
    before, start = cpu_seconds(), time.perf_counter()
    fitted(sample.arrays, wanted)
    return [
        {
            "preset": preset,
            "rows": rows,
            "threads": threads,
            "wall": round(time.perf_counter() - start, 2),
            "cpu": round(cpu_seconds() - before, 2),
        }
    ]


def cpu_seconds() -> float:
    """Of this process and those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


def gains(records: Records) -> list[tuple[str, int, int, float, float, float]]:
    """Preset, rows, threads, least seconds, of all processes, and how many times sooner than with one thread."""
    found = []
    for (preset, rows), of_table in by(records, "preset", "rows").items():
        least = {
            threads: (min(r["wall"] for r in runs), min(r["cpu"] for r in runs))
            for (threads,), runs in by(of_table, "threads").items()
        }
        found += [(preset, rows, n, wall, cpu, least[1][0] / wall) for n, (wall, cpu) in least.items()]
    return found


def table(records: Records) -> Table:
    """A line per preset, table and number of threads."""
    lines = tuple(
        (preset, f"{rows:,}", str(threads), f"{wall:.0f}", f"{cpu:.0f}", f"{gain:.2f}")
        for preset, rows, threads, wall, cpu, gain in gains(records)
    )
    return Table(("preset", "rows", "threads", "fit (s)", "CPU (s)", "sooner"), lines)


def plot(records: Records, figure: Figure) -> None:
    """Bars of seconds."""
    axes, found = figure.subplots(), gains(records)
    shades = [palette.UNIQUE if threads == 1 else palette.SHARED for _, _, threads, *_ in found]
    bars = axes.barh(range(len(found)), [wall for _, _, _, wall, _, _ in found], height=0.7, color=shades)
    axes.bar_label(bars, [f"{wall:.0f} s" for _, _, _, wall, _, _ in found], fontsize=8, padding=3)
    axes.set_xlabel("seconds of a fit")
    axes.set_xlim(0, max(wall for _, _, _, wall, _, _ in found) * 1.15)
    name_lines(axes, [f"{preset}, {rows:,} rows, {threads} thr." for preset, rows, threads, *_ in found])


def says(records: Records) -> list[str]:
    """What more threads are worth, and where they are not."""
    several = [line for line in gains(records) if line[2] > 1]
    if not several:
        return ["This machine has one core."]
    best, worst = max(several, key=lambda line: line[-1]), min(several, key=lambda line: line[-1])
    return [
        f"With {best[2]} threads a `{best[0]}` fit of {best[1]:,} rows ends {best[5]:.2f} times sooner than with one; "
        f"at the other end stands `{worst[0]}` of {worst[1]:,} rows with {worst[5]:.2f} times.",
        "Threads are spent on networks, folds and trees side by side, each with one thread. `fast` trains one network "
        "where a table is split once: nothing there can go on beside it.",
    ]


EXPERIMENT = Experiment(
    name="cores",
    title="Cores",
    question="What does a fit gain from more than one core?",
    done="Whole fits in memory, with 1, 2, 4, ... threads in turns.",
    columns=(
        "Least seconds of the repetitions, from start to end and of all processes together; sooner: than with one "
        "thread."
    ),
    caption="Seconds of whole fits by preset, rows and threads.",
    setting=Setting("fast", 12_000, 1, 1),
    height=2.8,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
    options=("rows", "seeds", "assignments"),
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
