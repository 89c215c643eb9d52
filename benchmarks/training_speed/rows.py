"""An epoch against training rows, and memory: ``python -m benchmarks.training_speed.rows``."""

from __future__ import annotations

from itertools import takewhile
from typing import TYPE_CHECKING

from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import grid, plain
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.training_speed import PAGE
from benchmarks.training_speed.scaling import curves, measured, ratio
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = {"a": 20, "b": 20}
SIZES = (1_000, 10_000, 100_000, 1_000_000)
EVEN = 1.25  # of the cost of a row at most, where it counts as the same
ONCE = 100_000  # rows from which on one repetition is enough: an epoch of many steps is a mean by itself


def cases(setting: Setting) -> list[Case]:
    """Sizes up to ``rows``, ascending: the peak of memory is that of the last."""
    return [(rows,) for rows in takewhile(lambda size: size <= setting.rows, SIZES)]


def measure(setting: Setting, rows: int) -> list[Record]:
    """One size."""
    return [measured(rows, WIDTHS, setting, setting.seeds if rows < ONCE else 1)]


def per_row(record: Record) -> float:
    """Microseconds of a full epoch per row."""
    return float(1e6 * record["full"] / record["rows"])


def table(records: Records) -> Table:
    """A line per size."""
    lines = tuple(
        (
            f"{r['rows']:,}",
            f"{r['full']:.2f}",
            f"{r['bare']:.2f}",
            f"{ratio(r):.2f}",
            f"{per_row(r):.1f}",
            f"{r['peak_mb']:,}",
        )
        for r in records
    )
    columns = ("training rows", "epoch (s)", "bare (s)", "ratio", "us per row", "peak memory (MB)")
    return Table(columns, lines)


def plot(records: Records, figure: Figure) -> None:
    """Seconds, and memory, against rows, all logarithmic."""
    left, right = figure.subplots(1, 2)
    rows = [record["rows"] for record in records]
    curves(left, rows, records, 1.0, "CPU seconds of an epoch")
    right.plot(rows, [record["peak_mb"] for record in records], marker="o", color=palette.SHARED)
    right.set_ylabel("peak memory of the process (MB)")
    right.set_ylim(bottom=0)
    right.yaxis.set_major_formatter(plain)
    grid(right)
    left.set_yscale("log")
    left.yaxis.set_major_formatter(plain)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks(rows, [f"{count:,}" for count in rows], fontsize=8)
        axes.minorticks_off()
        axes.set_xlim(right=rows[-1] * 3)
        axes.set_xlabel("training rows")


def says(records: Records) -> list[str]:
    """How cost grows."""
    large = [record for record in records if record["rows"] >= SIZES[1]]
    found = [per_row(record) for record in large]
    if max(found) < EVEN * min(found):
        growth = "near linear in rows"
    elif found == sorted(found, reverse=True):
        growth = "less than linear in rows, as batches grow with them"
    else:
        growth = "not linear in rows"
    last = records[-1]
    return [
        f"From {SIZES[1]:,} rows on, an epoch costs {min(found):.0f} to {max(found):.0f} microseconds a "
        f"row: cost is {growth}. Small "
        "tables train with smaller batches and pay more.",
        f"With {last['rows']:,} rows an epoch takes {last['full']:.0f} s, {ratio(last):.2f} times a bare "
        f"one, and the process needs {last['peak_mb'] / 1024:.1f} GB at its peak, libraries and the table "
        "included. The number of epochs falls with rows: presets bound the steps.",
    ]


EXPERIMENT = Experiment(
    name="rows",
    title="Rows",
    question="Does the cost of an epoch grow in proportion to the rows?",
    done="Two modalities of 20 features, an epoch in which the weights follow the atoms, against a bare epoch.",
    columns="CPU seconds of an epoch, least of the repetitions (one of large tables); peak memory of the process.",
    caption="CPU time of an epoch and peak memory against training rows.",
    setting=Setting("fast", 1_000_000, 3, 1),
    height=3.0,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
    options=("preset", "rows", "seeds", "assignments"),
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
