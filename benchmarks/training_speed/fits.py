"""Whole fits of a table as users start them: ``python -m benchmarks.training_speed.fits --table PATH --target COLUMN
--modalities A,B``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pyarrow.parquet as pq

from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import name_lines
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.training_speed import PAGE
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).parents[2]
PRESETS = ("fast", "balanced")
GOALS = {"superconductivity": {"fast": 45, "balanced": 180}}
"""Seconds by table and preset, on two threads: 21,263 rows of 167 features (UCI, superconductivity data)."""


def cases(setting: Setting) -> list[Case]:
    """Every preset, of the table that was given; without one there is nothing to fit."""
    return [(preset,) for preset in PRESETS if setting.table]


def measure(setting: Setting, preset: str) -> list[Record]:
    """Seconds of a fit from start to end, and its error on rows that trained nothing."""
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run.pidreg"
        start = time.perf_counter()
        fit(setting, preset, run)
        seconds = round(time.perf_counter() - start, 1)
        metrics = json.loads((run / "report.json").read_text(encoding="utf-8"))["metrics"]
    size = pq.read_metadata(setting.table)
    shape = {"table": Path(setting.table).stem, "rows": size.num_rows, "columns": size.num_columns}
    how = {"preset": preset, "threads": setting.threads}
    return [{**how, **shape, "seconds": seconds, **errors(metrics)}]


def fit(setting: Setting, preset: str, run: Path) -> None:
    """As a user starts it. Raises CalledProcessError where it fails."""
    roles = ["--target", setting.target, "--modalities", setting.modalities]
    how = ["--preset", preset, "--threads", str(setting.threads), "-q", "-o", str(run)]
    chosen = [word for assignment in setting.assignments for word in ("--set", assignment)]
    command = [sys.executable, "-m", "pidreg_cli", "fit", setting.table, *roles, *how, *chosen]
    subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


def errors(metrics: dict[str, dict[str, float]]) -> dict[str, float]:
    """RMSE and R2 of rows that trained nothing, from the metrics of a report."""
    found = metrics["test"]
    return {"rmse": round(found["rmse"], 4), "r2": round(found["r2"], 4)}


def goal(record: Record) -> int | None:
    """Seconds, where there is one."""
    return GOALS.get(record["table"], {}).get(record["preset"])


def table(records: Records) -> Table:
    """A line per preset."""
    lines = tuple(
        (r["preset"], f"{r['seconds']:.0f}", str(goal(r) or ""), f"{r['rmse']:.3f}", f"{r['r2']:.3f}")
        for r in records
    )
    return Table(("preset", "fit (s)", "goal (s)", "RMSE", "R2"), lines)


def plot(records: Records, figure: Figure) -> None:
    """Bars of seconds, and the goals."""
    axes = figure.subplots()
    bars = axes.barh(range(len(records)), [r["seconds"] for r in records], height=0.6, color=palette.UNIQUE)
    axes.bar_label(
        bars, [f"{r['seconds']:.0f} s" for r in records], label_type="center", fontsize=8, color=palette.PAGE
    )
    for place, seconds in enumerate(map(goal, records)):
        if seconds is not None:
            axes.plot([seconds] * 2, [place - 0.38, place + 0.38], color=palette.TOGETHER, linestyle="--")
    axes.set_xlim(0, max(max(r["seconds"], goal(r) or 0) for r in records) * 1.1)
    axes.set_xlabel("time of a fit (s)")
    name_lines(axes, [record["preset"] for record in records])


def says(records: Records) -> list[str]:
    """What was fitted, and whether goals are kept."""
    first = records[0]
    sentences = [
        f"The table `{first['table']}` has {first['rows']:,} rows of {first['columns']} columns; every fit had "
        f"{first['threads']} threads."
    ]
    for record in records:
        limit = goal(record)
        kept = (
            ""
            if limit is None
            else f", {'under' if record['seconds'] < limit else 'over'} the goal of {limit} s"
        )
        sentences.append(
            f"`{record['preset']}` takes {record['seconds']:.0f} s{kept}, with an RMSE of {record['rmse']:.3f}."
        )
    return sentences


EXPERIMENT = Experiment(
    name="fits",
    title="Whole fits",
    question="How long does a fit of a table take, and how well does it predict?",
    done="`pidreg fit` as users start it, from the file to the run with its report.",
    columns="Seconds from start to end; error on rows that trained nothing.",
    caption="Seconds of whole fits by preset; dashed: the goal.",
    setting=Setting("fast", 2000, 1, 2),
    height=1.7,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
    options=("threads", "assignments", "table", "target", "modalities"),
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
