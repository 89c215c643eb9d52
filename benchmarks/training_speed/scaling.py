"""What the sections on rows and on modalities share: epochs of a full and of a bare training, and their figure."""

from __future__ import annotations

import resource
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from benchmarks.experiments.drawing import grid
from benchmarks.experiments.experiment import Record, Records, Setting
from benchmarks.training_speed.epochs import Trainer, only, table
from pidreg_cli.reports.figures import palette
from pidreg_cli.training.batches import batch_size_for

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def measured(rows: int, widths: Mapping[str, int], setting: Setting, repetitions: int) -> dict[str, Any]:
    """CPU seconds of an epoch with everything (stage 1) and of a bare one, least of the repetitions, and memory."""
    settings = setting.settings(0)
    trainer = Trainer(table(rows, widths), settings)
    full, bare = [], []
    for _ in range(repetitions):
        full += trainer.seconds(settings.loss, 1, 1)[1]
        bare += trainer.seconds(only(settings.loss), 1, 1)[2]
    return {
        "rows": rows,
        "modalities": len(widths),
        "steps": rows // batch_size_for(rows, settings.training),
        "full": round(min(full), 4),
        "bare": round(min(bare), 4),
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def ratio(record: Record) -> float:
    """Of a full epoch to a bare one."""
    return float(record["full"] / record["bare"])


def curves(axes: Axes, x: Sequence[float], records: Records, scale: float, unit: str) -> None:
    """Full and bare against ``x``, named at their ends."""
    for number, (key, name) in enumerate((("full", "PIDReg"), ("bare", "bare"))):
        y = [record[key] * scale for record in records]
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
