"""A step against the number of modalities: ``python -m benchmarks.training_speed.modalities``."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import TYPE_CHECKING

from benchmarks.experiments.command import main
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import by
from benchmarks.training_speed import PAGE
from benchmarks.training_speed.pairs import GOAL, Spread
from benchmarks.training_speed.scaling import curves, kinds, measured, middle, ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTS = (2, 3, 4, 6, 8, 12)
FEATURES = 10
TITLES = {"alone": "step alone", "full": "with atoms"}


def cases(setting: Setting) -> list[Case]:
    """Every number of modalities."""
    return [(count,) for count in COUNTS]


def measure(setting: Setting, count: int) -> list[Record]:
    """One number of modalities, in as many rounds as there are ``seeds``."""
    return measured(setting.rows, {f"m{i}": FEATURES for i in range(count)}, setting, setting.seeds)


def counts(records: Records) -> dict[int, Records]:
    """Records by number of modalities."""
    return {count: found for (count,), found in by(records, "modalities").items()}


def table(records: Records) -> Table:
    """A line per number of modalities: milliseconds of a step, and ratios to the bare one."""
    shown = kinds(records)
    lines = []
    for count, found in counts(records).items():
        step = 1e3 / found[0]["steps"]
        cells = [
            cell for key in shown for cell in (f"{step * middle(found, key):.2f}", str(ratio(found, key)))
        ]
        lines.append((str(count), f"{step * middle(found, 'bare'):.2f}", *cells))
    columns = [column for key in shown for column in (f"{TITLES[key]} (ms)", "ratio")]
    return Table(("modalities", "bare (ms)", *columns), tuple(lines))


def plot(records: Records, figure: Figure) -> None:
    """Milliseconds against modalities."""
    axes, found = figure.subplots(), counts(records)
    curves(axes, [*found], [*found.values()], 1e3 / records[0]["steps"], "CPU time of a step (ms)")
    axes.set_ylim(bottom=0)
    axes.set_xticks([*found])
    axes.set_xlim(right=max(found) * 1.1)
    axes.set_xlabel("modalities")


def says(records: Records) -> list[str]:
    """How cost and its ratio to a bare step go with the number of modalities."""
    found = counts(records)
    few, many = min(found), max(found)
    growth = middle(found[many], "full") / middle(found[few], "full")
    sentences = [
        f"A step of {many} modalities, with its share of the atoms, takes {growth:.1f} times one of {few}.",
        course({count: ratio(one).median for count, one in found.items()}),
    ]
    sentences += beyond_goal({count: ratio(one, kinds(records)[0]) for count, one in found.items()}, records)
    if "alone" in records[0]:
        alone, full = ratio(found[few], "alone"), ratio(found[few])
        sentences.append(
            f"The full step of the section on a step of training is the step alone: with {few} modalities, of fewer "
            f"features here, it takes {alone} times a bare one. Atoms, once in an epoch of {records[0]['steps']} "
            f"steps, make it {full}."
        )
    return sentences


def beyond_goal(found: Mapping[int, Spread], records: Records) -> list[str]:
    """With how many modalities a step, alone where that was measured, takes longer than it should."""
    over = [str(count) for count, spread in found.items() if spread.median > GOAL]
    what = TITLES[kinds(records)[0]]
    some = f"{', '.join(over)} modalities of so few features"
    told = f"With {some} a step ({what}) takes more than {GOAL} times a bare one"
    return [f"{told}, the goal of the section on a step of training."] if over else []


def course(found: Mapping[int, float]) -> str:
    """How the ratio goes: with the number of modalities, or up and down."""
    low, high = min(found, key=lambda count: found[count]), max(found, key=lambda count: found[count])
    steps = [found[other] - found[one] for one, other in pairwise(found)]
    if all(step >= 0 for step in steps):
        trend = "grows with the number of modalities"
    else:
        trend = (
            "falls with the number of modalities" if all(step <= 0 for step in steps) else "goes up and down"
        )
    return (
        f"Its ratio to a bare step {trend}: least with {low}, {found[low]:.2f}, and most with {high}, "
        f"{found[high]:.2f}. With more than two modalities a head also reads random sets of them, and the epoch's "
        "atoms need the sets of two and of all but one."
    )


EXPERIMENT = Experiment(
    name="modalities",
    title="Modalities",
    question="What does a step cost with more modalities?",
    done=f"Modalities of {FEATURES} features; an epoch in which the weights follow the atoms, over its steps.",
    columns=(
        "CPU milliseconds of a step, its share of the epoch's validation included, and with that of the atoms which "
        "the weights follow; medians of {rounds} rounds, each of an epoch of {rows} rows. Ratios: to the bare step of "
        "the same round, median (quartiles)."
    ),
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
