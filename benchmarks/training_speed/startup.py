"""How soon the command answers: ``python -m benchmarks.training_speed.startup``."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import name_lines
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import by
from benchmarks.training_speed import PAGE
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "sample_data" / "diabetes.parquet"
COMMANDS = {
    "pidreg --version": (["--version"], 0),
    "pidreg --help": (["--help"], 0),
    "pidreg fit --help": (["fit", "--help"], 0),
    "a usage error": (["fit", "--no-such-option"], 2),
    "a file that is missing": (["fit", "no.parquet", "--modalities", "a,b"], 3),
    "decompose --no-model of 442 rows": (
        ["decompose", str(SAMPLE), "--no-model", "--modalities", "clinical,serum", "--target", "progression"],
        0,
    ),
}
LIMIT = 0.4  # seconds, of what needs no library


def cases(setting: Setting) -> list[Case]:
    """Every command, in turns."""
    return list(product(range(setting.seeds), COMMANDS))


def measure(setting: Setting, repetition: int, name: str) -> list[Record]:
    """Wall time of a command."""
    arguments, status = COMMANDS[name]
    command = [sys.executable, "-m", "pidreg_cli", *arguments]
    with TemporaryDirectory() as folder:
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        start = time.perf_counter()
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, cwd=folder, env=environment
        )
        seconds = time.perf_counter() - start
    if done.returncode != status:
        raise RuntimeError(f"{name}: exit status {done.returncode}: {done.stderr}")
    return [{"command": name, "repetition": repetition, "seconds": round(seconds, 4)}]


def medians(records: Records) -> dict[str, float]:
    """Seconds by command."""
    found = by(records, "command")
    return {command: float(np.median([r["seconds"] for r in one])) for (command,), one in found.items()}


def table(records: Records) -> Table:
    """A line per command."""
    lines = tuple((command, f"{seconds:.2f}") for command, seconds in medians(records).items())
    return Table(("command", "seconds"), lines)


def plot(records: Records, figure: Figure) -> None:
    """Bars."""
    axes, found = figure.subplots(), medians(records)
    bars = axes.barh(range(len(found)), list(found.values()), height=0.6, color=palette.UNIQUE)
    axes.bar_label(bars, [f"{value:.2f}" for value in found.values()], fontsize=8, padding=3)
    axes.set_xlabel("seconds until the command has answered")
    axes.set_xlim(0, max(found.values()) * 1.15)
    name_lines(axes, list(found))


def says(records: Records) -> list[str]:
    """Whether help comes at once."""
    found = medians(records)
    quick = max(list(found.values())[:4])
    slow = max(found, key=lambda command: found[command])
    return [
        f"Version, help and usage errors take at most {quick:.2f} s (goal: {LIMIT} s); they load neither "
        "torch nor pandas.",
        f"The slowest is `{slow}`, {found[slow]:.2f} s.",
    ]


EXPERIMENT = Experiment(
    name="startup",
    title="Start-up",
    question="How soon does the command answer?",
    done="Commands in processes of their own, in turns.",
    columns="Wall time from start to end, median of the repetitions.",
    caption="Wall time of short commands.",
    setting=Setting("fast", 2000, 7, 1),
    height=2.3,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
    options=("seeds",),
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
