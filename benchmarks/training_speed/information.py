"""The information core by itself: ``python -m benchmarks.training_speed.information``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from threadpoolctl import threadpool_limits

from benchmarks import information_speed
from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import name_lines, plain
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.training_speed import PAGE
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def cases(setting: Setting) -> list[Case]:
    """Every call that is timed, by its place."""
    return [(place,) for place in range(len(information_speed.cases()))]


def measure(setting: Setting, place: int) -> list[Record]:
    """Milliseconds of a call, least and median."""
    name, call, repetitions = information_speed.cases()[place]
    with threadpool_limits(1):
        best, median = information_speed.seconds(call, repetitions)
    return [
        {
            "case": name,
            "repetitions": repetitions,
            "best": round(1e3 * best, 3),
            "median": round(1e3 * median, 3),
        }
    ]


def table(records: Records) -> Table:
    """A line per call."""
    lines = tuple(
        (r["case"], str(r["repetitions"]), f"{r['best']:.2f}", f"{r['median']:.2f}") for r in records
    )
    return Table(("call", "times", "least (ms)", "median (ms)"), lines)


def plot(records: Records, figure: Figure) -> None:
    """Medians, logarithmic."""
    axes = figure.subplots()
    axes.plot([r["median"] for r in records], range(len(records)), "o", color=palette.UNIQUE, markersize=5)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(plain)
    axes.set_xlabel("milliseconds of a call")
    name_lines(axes, [record["case"] for record in records])


def says(records: Records) -> list[str]:
    """The quickest and the slowest call."""
    quick, slow = (choose(records, key=lambda record: record["median"]) for choose in (min, max))
    return [
        f"From {quick['median']:.2f} ms ({quick['case']}) to {slow['median']:,.0f} ms ({slow['case']}), medians of one "
        "thread. What is computed, and what other programs take: [information.md](information.md#10-speed)."
    ]


EXPERIMENT = Experiment(
    name="information",
    title="The information core",
    question="What do the closed forms and the readouts of codes cost?",
    done=(
        "Decompositions of Gaussian covariances (columns of the target + of each source, measure) and cross-fitted "
        "readouts of every set of modalities, without a network."
    ),
    columns="Milliseconds that pass, of calls one after the other with one thread.",
    caption="Milliseconds of calls of the information core, medians.",
    setting=Setting("fast", 2000, 1, 1),
    height=3.4,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
    options=(),
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
