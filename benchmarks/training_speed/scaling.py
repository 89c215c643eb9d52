"""What the sections on rows and on modalities share: epochs of a full and of a bare training, and their figure."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.experiments.drawing import grid
from benchmarks.experiments.experiment import Records, Setting
from benchmarks.training_speed.epochs import Trainer, only, table
from benchmarks.training_speed.pairs import Spread, in_turns, ratios
from pidreg_cli.reports.figures import palette
from pidreg_cli.training.batches import batch_size_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STATUS = Path("/proc/self/status")


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


def middle(records: Records, key: str) -> float:
    """Median over rounds."""
    return float(np.median([record[key] for record in records]))


def ratio(records: Records, key: str = "full") -> Spread:
    """Of an epoch to the bare one of the same round."""
    return ratios([record[key] for record in records], [record["bare"] for record in records])


def kinds(records: Records) -> list[str]:
    """What was measured beside the bare epoch."""
    return [key for key in ("alone", "full") if key in records[0]]


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
