"""A step against the number of modalities: ``python -m benchmarks.training_speed.modalities``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.experiments.command import main
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.training_speed import PAGE
from benchmarks.training_speed.scaling import (
    OF_STEPS,
    beyond_goal,
    course,
    grown,
    measured,
    places,
    ratio,
    step_curves,
    step_table,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTS = (2, 3, 4, 6, 8, 12)
FEATURES = 10


def cases(setting: Setting) -> list[Case]:
    """Every number of modalities."""
    return [(count,) for count in COUNTS]


def measure(setting: Setting, count: int) -> list[Record]:
    """One number of modalities, in as many rounds as there are ``seeds``."""
    return measured(setting.rows, {f"m{i}": FEATURES for i in range(count)}, setting, setting.seeds)


def table(records: Records) -> Table:
    """A line per number of modalities: milliseconds of a step, and ratios to the bare one."""
    return step_table(places(records, "modalities"), "modalities")


def plot(records: Records, figure: Figure) -> None:
    """Milliseconds against modalities."""
    found = places(records, "modalities")
    axes = step_curves(figure, found)
    axes.set_xticks([*found])
    axes.set_xlim(right=max(found) * 1.1)
    axes.set_xlabel("modalities")


def says(records: Records) -> list[str]:
    """How cost and its ratio to a bare step go with the number of modalities."""
    found = places(records, "modalities")
    few, many = min(found), max(found)
    sentences = [
        f"A step of {many} modalities, with its share of the atoms, takes {grown(found):.1f} times one of {few}.",
        course({count: ratio(one).median for count, one in found.items()}, "modalities")
        + " With more than two modalities a head also reads random sets of them, and the epoch's atoms need the sets "
        "of two and of all but one.",
        *beyond_goal(found, "modalities of so few features"),
    ]
    if "alone" in records[0]:
        alone, full = ratio(found[few], "alone"), ratio(found[few])
        sentences.append(
            f"The full step of the section on a step of training is the step alone: with {few} modalities, of fewer "
            f"features here, it takes {alone} times a bare one. Atoms, once in an epoch of {records[0]['steps']} "
            f"steps, make it {full}."
        )
    return sentences


EXPERIMENT = Experiment(
    name="modalities",
    title="Modalities",
    question="What does a step cost with more modalities?",
    done=f"Modalities of {FEATURES} features; an epoch in which the weights follow the atoms, over its steps.",
    columns=OF_STEPS,
    caption="CPU time of a step against the number of modalities.",
    setting=Setting("fast", 6144, 15, 1),
    height=2.8,
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
