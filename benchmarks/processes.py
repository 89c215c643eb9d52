"""One process against several of torchrun, on one thread each: ``python -m benchmarks.processes``.

The same fit of the same table with the same batches; with ``--memory`` the table is streamed. Prints seconds until
training begins, of an epoch (the least of a training, because what disturbs only adds), of the boosted trees, and of
the whole command, with the speed-ups; and how far atoms and predictions are from those of one process. Where others use
the machine, no process has a core of its own for long: then CPU seconds of an epoch, of the process that used most, say
more. They leave out only waiting for each other.

Cores of one machine share memory, caches and, as two threads of one core, even arithmetic. So as many whole fits as
there are processes, which know nothing of each other, are timed at the same time, too: an epoch of these takes longer
than one alone, and by that much any sharing of the work must fall short. What is left is the speed-up within reach.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.fits.machine import machine

GROUP_ROWS = 10_000
WIDTHS = {"a": 81, "b": 86}
LATENT = {"a": slice(0, 4), "b": slice(2, 6)}
FIXED = {
    "network.encoder.kind": "mlp",
    "network.further": "[]",
    "stage1.min_epochs": "1",
    "stage1.max_epochs": "3",
    "stage2.min_epochs": "1",
    "stage2.max_epochs": "5",
}
BEGUN, EPOCH = re.compile(r"(.*): at most \d+ epochs"), re.compile(r"(.*), epoch \d+: ")


@dataclass(frozen=True)
class Timing:
    """Seconds of a fit: until training begins, the fastest epoch, by the clock and of the CPU, the boosted trees,
    everything.
    """

    before: float
    epoch: float
    processor: float
    trees: float
    whole: float


def write_table(path: Path, rows: int) -> None:
    """Two modalities that share latents; the target has a part of each, and a product of both."""
    rng = np.random.default_rng(0)
    latent = rng.standard_normal((rows, 6), dtype=np.float32)
    columns = {}
    for name, width in WIDTHS.items():
        mixing = rng.standard_normal((4, width), dtype=np.float32)
        block = latent[:, LATENT[name]] @ mixing + 0.7 * rng.standard_normal((rows, width), dtype=np.float32)
        columns |= {f"{name}__{i}": column for i, column in enumerate(block.T)}
    target = latent[:, 0] + latent[:, 2] * latent[:, 4] + 0.5 * latent[:, 5]
    columns["target"] = target + 0.5 * rng.standard_normal(rows)
    pq.write_table(pa.table(columns), path, row_group_size=GROUP_ROWS)


def timed(processes: int, arguments: list[str]) -> Timing:
    """Run a fit and note when its lines arrive."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *(torchrun if processes > 1 else []), "-m", "pidreg_cli", *arguments]
    start = last = time.perf_counter()
    epochs, processor, used, trees, task, before_training = [], [], {}, 0.0, "", 0.0
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as fit:
        assert fit.stderr is not None  # noqa: S101  it was asked for
        for line in fit.stderr:
            now = time.perf_counter()
            before, used = used, processor_seconds(fit.pid, processes)
            if EPOCH.match(line):
                epochs.append(now - last)
                processor.append(max(seconds - before[pid] for pid, seconds in used.items()))
            elif begun := BEGUN.match(line):
                trees += now - last if task.endswith("boosted trees") else 0.0
                task = begun[1]
                before_training = before_training or now - start
            else:
                continue
            last = now
    if fit.returncode or not epochs:
        raise SystemExit(f"the fit failed: {' '.join(command)}")
    return Timing(before_training, min(epochs), min(processor), trees, time.perf_counter() - start)


def processor_seconds(fit: int, processes: int) -> dict[int, float]:
    """CPU seconds so far of each process of the fit, by its id."""
    children = Path(f"/proc/{fit}/task/{fit}/children").read_text().split()
    found = {}
    for process in children if processes > 1 else [fit]:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        found[int(process)] = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return found


def difference(runs: list[Path]) -> tuple[float, float]:
    """Largest difference of an atom (bits), and of a prediction in standard deviations of the target."""
    reports = [json.loads((run / "report.json").read_text()) for run in runs]
    atoms = [np.array([atom["value"] for atom in report["pid"]["atoms"]]) for report in reports]
    rows = [pq.read_table(run / "heldout.parquet") for run in runs]
    first, second = (table["prediction"].to_numpy() for table in rows)
    spread = float(rows[0]["y"].to_numpy().std())
    return float(np.abs(atoms[0] - atoms[1]).max()), float(np.abs(first - second).max()) / spread


def compared(folder: Path, batch: int, arguments: argparse.Namespace) -> None:
    """One batch size: fits in turns, the least time of each, and a line of the table."""
    settings = FIXED | {"training.batch_size": str(batch), "features.boosted": arguments.boosted}
    sets = [part for key, value in settings.items() for part in ("--set", f"{key}={value}")]

    def fit(run: str) -> list[str]:
        place = ["fit", str(folder / "table.parquet"), "-o", str(folder / f"{run}.pidreg"), "--force"]
        memory = ["--memory", arguments.memory] if arguments.memory else []
        return [*place, "--threads", "1", "-v", "--no-progress", *memory, *sets]

    found: dict[int, list[Timing]] = {1: [], arguments.processes: []}
    beside: list[float] = []
    for _ in range(arguments.repeats):
        for count, timings in found.items():
            timings.append(timed(count, fit(str(count))))
        beside.append(epoch_beside([fit(f"beside{number}") for number in range(arguments.processes)]))
    cells = [str(batch)]
    for name in ("before", "epoch", "processor", "trees", "whole"):
        one, several = (min(getattr(t, name) for t in timings) for timings in found.values())
        cells.append(f"{one:.2f} / {several:.2f} = {one / several:.2f}" if several else "-")
    alone = min(timing.epoch for timing in found[1])
    cells.append(f"{arguments.processes * alone / min(beside):.2f}")
    atoms, predictions = difference([folder / f"{count}.pidreg" for count in found])
    print(f"| {' | '.join([*cells, f'{atoms:.1e}', f'{predictions:.1e}'])} |", flush=True)


def epoch_beside(fits: list[list[str]]) -> float:
    """Seconds of the fastest epoch of fits that are made at the same time, of the slowest of them."""
    with ThreadPoolExecutor(len(fits)) as pool:
        return max(timing.epoch for timing in pool.map(lambda fit: timed(1, fit), fits))


def main() -> None:
    """Every batch size."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--batches", type=int, nargs="+", default=[256, 1024, 4096, 8192])
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--boosted", choices=["off", "on"], default="off")
    parser.add_argument(
        "--memory", metavar="LIMIT", help="of each process, as fit knows it: less streams the table"
    )
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_table(folder / "table.parquet", arguments.rows)
        print(f"{machine()}; {arguments.rows} rows, {sum(WIDTHS.values())} features")
        print(f"seconds with one process / with {arguments.processes} = speed-up")
        print(
            "| batch | before training | epoch | CPU of an epoch | boosted trees | command | within reach "
            "| atoms, bits | predictions, sd |"
        )
        print("|---:|---|---|---|---|---|---:|---:|---:|", flush=True)
        for batch in arguments.batches:
            compared(folder, batch, arguments)


if __name__ == "__main__":
    main()
