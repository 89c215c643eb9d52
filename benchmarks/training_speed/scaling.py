"""What the sections on rows, modalities and columns share: epochs of a full and of a bare training, and what is shown
of them.
"""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.experiments.drawing import grid
from benchmarks.experiments.experiment import Records, Setting, Table
from benchmarks.experiments.measuring import by
from benchmarks.training_speed.epochs import Trainer, only, table
from benchmarks.training_speed.pairs import GOAL, Spread, in_turns, ratios
from pidreg_cli.reports.figures import palette
from pidreg_cli.training.batches import batch_size_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STATUS = Path("/proc/self/status")
TITLES = {"alone": "step alone", "full": "with atoms"}
OF_STEPS = (
    "CPU milliseconds of a step, its share of the epoch's validation included, and with that of the atoms which "
    "the weights follow; medians of {rounds} rounds, each of an epoch of {rows} rows. Ratios: to the bare step of "
    "the same round, median (quartiles)."
)
"""What the columns of ``step_table`` are."""


def measured(rows: int, widths: Mapping[str, int], setting: Setting, rounds: int) -> list[dict[str, Any]]:
    """CPU seconds of epochs, a record per round: ``full``, with everything and atoms (stage 1), ``alone``, the same
    without atoms (stage 2), and ``bare``.
    """
    settings = setting.settings(0)
    trainer = Trainer(table(rows, widths), settings)
    steps = rows // batch_size_for(rows, settings.training)
    found = []
    for number in range(rounds):
        times: dict[str, float] = {}
        for name in in_turns(("full", "bare"), number):
            if name == "full":
                stages = trainer.seconds(settings.loss, 1, 1)
                times |= {"full": stages[1][0], "alone": stages[2][0]}
            else:
                times["bare"] = trainer.seconds(only(settings.loss), 0, 1)[2][0]
        kept = {name: round(seconds, 5) for name, seconds in times.items()}
        found.append({"rows": rows, "modalities": len(widths), "steps": steps, "repetition": number, **kept})
    return found


def peak_megabytes() -> int:
    """The most memory that this process held, libraries included.

    Linux says it of the program alone; elsewhere it may be that of the process which started it.
    """
    lines = STATUS.read_text().splitlines() if STATUS.exists() else []
    kilobytes = [int(line.split()[1]) for line in lines if line.startswith("VmHWM:")]
    return round((kilobytes or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])[0] / 1024)


def places(records: Records, key: str) -> dict[int, Records]:
    """Records by what was varied, such as rows."""
    return {place: found for (place,), found in by(records, key).items()}


def middle(records: Records, key: str) -> float:
    """Median over rounds."""
    return float(np.median([record[key] for record in records]))


def milliseconds(records: Records, key: str = "full") -> float:
    """Of a step, the median over rounds."""
    return 1e3 * middle(records, key) / float(records[0]["steps"])


def ratio(records: Records, key: str = "full") -> Spread:
    """Of an epoch to the bare one of the same round."""
    return ratios([record[key] for record in records], [record["bare"] for record in records])


def kinds(records: Records) -> list[str]:
    """What was measured beside the bare epoch."""
    return [key for key in ("alone", "full") if key in records[0]]


def step_table(found: Mapping[int, Records], of: str) -> Table:
    """A line per place: milliseconds of a step, and ratios to the bare one; ``of``: what the places count."""
    shown = kinds(next(iter(found.values())))
    lines = []
    for count, one in found.items():
        cells = [cell for key in shown for cell in (f"{milliseconds(one, key):.2f}", str(ratio(one, key)))]
        lines.append((f"{count:,}", f"{milliseconds(one, 'bare'):.2f}", *cells))
    columns = [column for key in shown for column in (f"{TITLES[key]} (ms)", "ratio")]
    return Table((of, "bare (ms)", *columns), tuple(lines))


def grown(found: Mapping[int, Records], key: str = "full") -> float:
    """How many times a step of the most costs one of the least."""
    return milliseconds(found[max(found)], key) / milliseconds(found[min(found)], key)


def course(found: Mapping[int, float], of: str) -> str:
    """How the ratio to a bare step goes: with the number of what is counted, or up and down."""
    low, high = min(found, key=lambda count: found[count]), max(found, key=lambda count: found[count])
    changes = [found[other] - found[one] for one, other in pairwise(found)]
    if all(change >= 0 for change in changes):
        trend = f"grows with the number of {of}"
    elif all(change <= 0 for change in changes):
        trend = f"falls with the number of {of}"
    else:
        trend = "goes up and down"
    return (
        f"Its ratio to a bare step {trend}: least with {low:,}, {found[low]:.2f}, and most with {high:,}, "
        f"{found[high]:.2f}."
    )


def beyond_goal(found: Mapping[int, Records], of: str) -> list[str]:
    """With how many a step, alone where that was measured, takes longer than it should."""
    kind = kinds(next(iter(found.values())))[0]
    over = [f"{count:,}" for count, one in found.items() if ratio(one, kind).median > GOAL]
    told = f"With {', '.join(over)} {of} a step ({TITLES[kind]}) takes more than {GOAL} times a bare one"
    return [f"{told}, the goal of the section on a step of training."] if over else []


def curves(axes: Axes, x: Sequence[float], lines: Sequence[Records], scale: float, unit: str) -> None:
    """Full and bare against ``x``, named at their ends; ``lines``: records of each place."""
    for number, (key, name) in enumerate((("full", "PIDReg"), ("bare", "bare"))):
        y = [middle(records, key) * scale for records in lines]
        axes.plot(
            x, y, color=palette.LINES[number], marker=palette.MARKERS[number], markersize=5, linewidth=1.6
        )
        axes.annotate(
            name,
            (x[-1], y[-1]),
            xytext=(7, 4 if number == 0 else -4),
            textcoords="offset points",
            va="center",
            color=palette.LINES[number],
        )
    axes.set_ylabel(unit)
    grid(axes)


def step_curves(figure: Figure, found: Mapping[int, Records]) -> Axes:
    """Milliseconds of a step at each place; the axis of places is still to be named."""
    axes = figure.subplots()
    steps = next(iter(found.values()))[0]["steps"]
    curves(axes, [*found], [*found.values()], 1e3 / steps, "CPU time of a step (ms)")
    axes.set_ylim(bottom=0)
    return axes


def logarithmic(axes: Axes, counts: Sequence[int], of: str, room: float) -> None:
    """Name the counts on an axis of their logarithms, which ends at ``room`` times the last for what stands there."""
    axes.set_xscale("log")
    axes.set_xticks(counts, [f"{count:,}" for count in counts], fontsize=8)
    axes.minorticks_off()
    axes.set_xlim(right=counts[-1] * room)
    axes.set_xlabel(of)
