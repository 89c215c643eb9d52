"""A step against the number of modalities: ``python -m benchmarks.training_speed.modalities``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.experiments.command import main
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.training_speed import PAGE
from benchmarks.training_speed.scaling import curves, measured, ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTS = (2, 3, 4, 6, 8, 12)
FEATURES = 10


def cases(setting: Setting) -> list[Case]:
    """Every number of modalities."""
    return [(count,) for count in COUNTS]


def measure(setting: Setting, count: int) -> list[Record]:
    """One number of modalities."""
    return [measured(setting.rows, {f"m{i}": FEATURES for i in range(count)}, setting, setting.seeds)]


def table(records: Records) -> Table:
    """A line per number of modalities: milliseconds of a step."""
    lines = tuple(
        (
            str(r["modalities"]),
            f"{1e3 * r['full'] / r['steps']:.2f}",
            f"{1e3 * r['bare'] / r['steps']:.2f}",
            f"{ratio(r):.2f}",
        )
        for r in records
    )
    return Table(("modalities", "step (ms)", "bare (ms)", "ratio"), lines)


def plot(records: Records, figure: Figure) -> None:
    """Milliseconds against modalities."""
    axes = figure.subplots()
    counts = [record["modalities"] for record in records]
    curves(axes, counts, records, 1e3 / records[0]["steps"], "CPU time of a step (ms)")
    axes.set_ylim(bottom=0)
    axes.set_xticks(counts)
    axes.set_xlim(right=counts[-1] * 1.1)
    axes.set_xlabel("modalities")


def says(records: Records) -> list[str]:
    """How ratios go."""
    few, many = records[0], records[-1]
    return [
        f"A step of {many['modalities']} modalities takes {many['full'] / few['full']:.1f} times one of "
        f"{few['modalities']}; the ratio to a bare step goes from {ratio(few):.2f} to {ratio(many):.2f}. "
        "With more than two modalities a head also reads random sets of them, and the epoch's atoms need "
        "the sets of two and of all but one.",
    ]


EXPERIMENT = Experiment(
    name="modalities",
    title="Modalities",
    question="What does a step cost with more modalities?",
    done=f"Modalities of {FEATURES} features; an epoch in which the weights follow the atoms, over its steps.",
    columns="CPU milliseconds of a step, the epoch's share of validation and atoms included; least of the repetitions.",
    caption="CPU time of a step against the number of modalities.",
    setting=Setting("fast", 8192, 3, 1),
    height=2.8,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
    options=("preset", "rows", "seeds", "assignments"),
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
