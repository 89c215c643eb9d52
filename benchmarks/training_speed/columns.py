"""A step against the number of columns: ``python -m benchmarks.training_speed.columns``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments.command import main
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.training_speed import PAGE
from benchmarks.training_speed.scaling import (
    OF_STEPS,
    beyond_goal,
    course,
    grown,
    logarithmic,
    measured,
    milliseconds,
    places,
    ratio,
    step_curves,
    step_table,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTS = (20, 50, 100, 200, 500, 1000, 2000)
FEWEST = 3  # numbers of columns that say whether cost is a straight line in them
FLAT = 0.01  # of a step's fixed cost, below which what all columns cost is none that shows
STRAIGHT = 0.1  # of a step's cost at most between it and a line that is said to tell it


@dataclass(frozen=True)
class Line:
    """Cost of a step in parts: ``fixed`` however many columns there are, and ``each`` for one of them (ms).

    ``off``: the most by which a measured cost differs from this, as a share of it.
    """

    fixed: float
    each: float
    off: float

    @classmethod
    def through(cls, costs: Mapping[int, float]) -> Line:
        """Least squares of relative errors, so that steps of few columns, of little cost, count as much."""
        counts, found = np.array([*costs], dtype=float), np.array([*costs.values()])
        each, fixed = np.polyfit(counts, found, 1, w=1 / found).tolist()
        return cls(fixed, each, float(np.max(np.abs((fixed + each * counts) / found - 1))))

    @property
    def even(self) -> float:
        """Columns that cost as much as what is fixed."""
        return self.fixed / self.each


def cases(setting: Setting) -> list[Case]:
    """Every number of columns."""
    return [(count,) for count in COUNTS]


def measure(setting: Setting, count: int) -> list[Record]:
    """One number of columns, half of them in each modality, in as many rounds as there are ``seeds``."""
    found = measured(setting.rows, {"a": count // 2, "b": count // 2}, setting, setting.seeds)
    return [{**record, "columns": count} for record in found]


def table(records: Records) -> Table:
    """A line per number of columns: milliseconds of a step, and ratios to the bare one."""
    return step_table(places(records, "columns"), "columns")


def plot(records: Records, figure: Figure) -> None:
    """Milliseconds against columns."""
    found = places(records, "columns")
    axes = step_curves(figure, found)
    logarithmic(axes, [*found], "columns", 1.7)


def says(records: Records) -> list[str]:
    """How cost and its ratio to a bare step go with the number of columns, and where columns are most of it."""
    found = places(records, "columns")
    few, many = min(found), max(found)
    less, more = (milliseconds(found[count]) - milliseconds(found[count], "bare") for count in (few, many))
    return [
        f"A step of {many:,} columns, with its share of the atoms, takes {grown(found):.1f} times one of {few:,}, a "
        f"bare step {grown(found, 'bare'):.1f} times: {many / few:.3g} times the columns.",
        dominance({count: milliseconds(one) for count, one in found.items()}),
        course({count: ratio(one).median for count, one in found.items()}, "columns")
        + f" Beyond the bare step it takes {less:.2f} ms with {few:,} columns and {more:.2f} ms with {many:,}.",
        *beyond_goal(found, "columns"),
    ]


def dominance(costs: Mapping[int, float]) -> str:
    """From how many columns on these cost more than the rest of a step, where a line tells them apart."""
    few, many = min(costs), max(costs)
    if len(costs) < FEWEST:
        return f"What columns cost is not told from the rest by fewer than {FEWEST} numbers of columns."
    line = Line.through(costs)
    percent = max(1, ceil(100 * line.off))
    if line.off > STRAIGHT:
        return f"What columns cost is not told from the rest: a straight line in columns is off by up to {percent} %."
    if line.fixed < 0:
        return "What columns cost is not told from the rest: a straight line in columns is below zero without any."
    if line.each * many < FLAT * line.fixed:
        return f"Its cost does not grow with columns, up to {many:,}."
    if line.even > many:
        most = f"up to {many:,} columns the rest costs more than they do"
    elif line.even < few:
        most = f"from the least, {few:,}, on columns cost more than the rest"
    else:
        most = f"from about {float(f'{line.even:.2g}'):,.0f} on columns cost more than the rest"
    return (
        f"Its cost is a straight line in columns, within {percent} %: {line.fixed:.2f} ms however many there are, and "
        f"{1e3 * line.each:.1f} microseconds for each; {most}."
    )


EXPERIMENT = Experiment(
    name="columns",
    title="Columns",
    question="What does a step cost with more columns?",
    done=(
        "Two modalities with half of the columns each; an epoch in which the weights follow the atoms, over its steps."
    ),
    columns=OF_STEPS,
    caption="CPU time of a step against the number of columns.",
    setting=Setting("fast", 6144, 15, 1),
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
