"""An epoch against training rows, and memory: ``python -m benchmarks.training_speed.rows``."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from itertools import combinations, takewhile
from multiprocessing import get_context
from typing import TYPE_CHECKING

from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import grid, plain
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.training_speed import PAGE
from benchmarks.training_speed.scaling import (
    curves,
    logarithmic,
    measured,
    middle,
    peak_megabytes,
    places,
    ratio,
)
from pidreg_cli.reports.figures import palette
from pidreg_cli.training.device import limited_threads

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = {"a": 20, "b": 20}
SIZES = (1_000, 10_000, 100_000, 1_000_000)
EVEN = 1.25  # of the cost of a row at most, where it counts as the same
ONCE = 100_000  # rows from which on one repetition is enough: an epoch of many steps is a mean by itself


def cases(setting: Setting) -> list[Case]:
    """Sizes up to ``rows``, ascending."""
    return [(rows,) for rows in takewhile(lambda size: size <= setting.rows, SIZES)]


def measure(setting: Setting, rows: int) -> list[Record]:
    """One size, in a process of its own: the peak of memory is that of the process, and never falls."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        return process.submit(alone, setting, rows).result()


def alone(setting: Setting, rows: int) -> list[Record]:
    """What the process of a size does."""
    with limited_threads(1):
        found = measured(rows, WIDTHS, setting, setting.seeds if rows < ONCE else 1)
    return [{**record, "peak_mb": peak_megabytes()} for record in found]


def per_row(records: Records) -> float:
    """Microseconds of a full epoch per row."""
    return 1e6 * middle(records, "full") / records[0]["rows"]


def table(records: Records) -> Table:
    """A line per size."""
    lines = tuple(
        (
            f"{rows:,}",
            f"{middle(found, 'full'):.2f}",
            f"{middle(found, 'bare'):.2f}",
            str(ratio(found)) if len(found) > 1 else f"{ratio(found).median:.2f}",
            f"{per_row(found):.1f}",
            f"{found[0]['peak_mb']:,}",
        )
        for rows, found in places(records, "rows").items()
    )
    columns = ("training rows", "epoch (s)", "bare (s)", "ratio", "us per row", "peak memory (MB)")
    return Table(columns, lines)


def plot(records: Records, figure: Figure) -> None:
    """Seconds, and memory, against rows, all logarithmic."""
    left, right = figure.subplots(1, 2)
    found = places(records, "rows")
    rows = [*found]
    curves(left, rows, [*found.values()], 1.0, "CPU seconds of an epoch")
    right.plot(rows, [one[0]["peak_mb"] for one in found.values()], marker="o", color=palette.SHARED)
    right.set_ylabel("peak memory of the process (MB)")
    right.set_ylim(bottom=0)
    right.yaxis.set_major_formatter(plain)
    grid(right)
    left.set_yscale("log")
    left.yaxis.set_major_formatter(plain)
    for axes in (left, right):
        logarithmic(axes, rows, "training rows", 3)


def says(records: Records) -> list[str]:
    """How cost grows, and what the largest table takes."""
    found = places(records, "rows")
    last = max(found)
    sentences = [growth({rows: per_row(one) for rows, one in found.items()})] if len(found) > 1 else []
    return [
        *sentences,
        f"With {last:,} rows an epoch takes {middle(found[last], 'full'):.0f} s, {ratio(found[last]).median:.2f} times "
        f"a bare one, and the process needs {found[last][0]['peak_mb'] / 1024:.1f} GB at its peak, libraries and the "
        "table included. The number of epochs falls with rows: presets bound the steps.",
    ]


def growth(costs: Mapping[int, float]) -> str:
    """How the cost of a row goes with their number; the smallest table, of small batches, by itself."""
    smallest = min(costs)
    large = [cost for rows, cost in sorted(costs.items()) if rows > smallest]
    if max(large) < EVEN * min(large):
        course = "near linear in rows"
    elif all(later < EVEN * earlier for earlier, later in combinations(large, 2)):
        course = "less than linear in rows, as batches grow with them"
    else:
        course = "not linear in rows"
    more = costs[smallest] > max(large)
    return (
        f"From {sorted(costs)[1]:,} rows on, an epoch costs {min(large):.0f} to {max(large):.0f} microseconds a row: "
        f"cost is {course}."
        + (f" {smallest:,} rows train with smaller batches and pay {costs[smallest]:.0f}." if more else "")
    )


EXPERIMENT = Experiment(
    name="rows",
    title="Rows",
    question="Does the cost of an epoch grow in proportion to the rows?",
    done="Two modalities of 20 features, an epoch in which the weights follow the atoms, against a bare epoch.",
    columns=(
        f"CPU seconds of an epoch, medians of {{rounds}} rounds, of one from {ONCE:,} rows on. Ratio: to the bare "
        "epoch of the same round, median (quartiles). Peak memory: of a process that does nothing else."
    ),
    caption="CPU time of an epoch and peak memory against training rows.",
    setting=Setting("fast", 1_000_000, 9, 1),
    height=3.0,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
    options=("preset", "rows", "seeds", "assignments"),
    revision=2,
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
