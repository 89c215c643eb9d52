"""Seconds and memory of ``decompose --no-model`` beside a bare pyarrow scan and matrix product of the same columns.

``python -m benchmarks.decompose_speed [--rows N] [--columns P ...] [--threads T ...] [--repeat R]``. Each is a process
of its own, start of Python and imports included, with the same number of threads. They take turns, and the least
seconds of each count: what else works on the machine only ever adds some.
"""

from __future__ import annotations

import argparse
import compileall
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

import pidreg_cli

MODALITIES = "abcd"
WRITE = "from pathlib import Path; from benchmarks.decompose_speed import write_table; "
BARE = """
import sys, numpy as np, pyarrow.parquet as pq
file = pq.ParquetFile(sys.argv[1], pre_buffer=False, buffer_size=2**16)
columns = [name for name in file.schema_arrow.names if name != "target"]
products = 0.0
for batch in file.iter_batches(batch_size=2**15, columns=columns):
    rows = np.empty((len(columns), batch.num_rows))
    for place, name in enumerate(columns):
        rows[place] = batch.column(name).to_numpy()
    products = products + rows @ rows.T
"""


class Cost(NamedTuple):
    """Seconds by the clock, seconds of all processors, and peak memory in MB of a process."""

    seconds: float
    work: float
    memory: float

    def least(self, other: Cost) -> Cost:
        """The least of each, of two runs of the same."""
        return Cost(*map(min, self, other))


def write_table(path: Path, rows: int, columns: int) -> None:
    """A table of four modalities with a factor each, whose product and sum the target shows."""
    rng = np.random.default_rng(0)
    factors = rng.normal(size=(len(MODALITIES), rows))
    table = {}
    for column in range(columns):
        place = column * len(MODALITIES) // columns
        table[f"{MODALITIES[place]}__{column}"] = 0.7 * factors[place] + rng.normal(size=rows)
    table["target"] = factors[0] + factors[1] * factors[2] + 0.5 * rng.normal(size=rows)
    pq.write_table(pa.table(table), path)


def cost_of(threads: int, *command: str) -> Cost:
    """Run a command with so many threads and measure it."""
    # Arrow, too, goes by OMP_NUM_THREADS.
    surroundings = {**os.environ, "OMP_NUM_THREADS": str(threads), "OPENBLAS_NUM_THREADS": str(threads)}
    start = time.perf_counter()
    pid = os.posix_spawn(sys.executable, [sys.executable, *command], surroundings)
    _, status, used = os.wait4(pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return Cost(seconds, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def costs(path: Path, threads: int, repeat: int) -> tuple[Cost, Cost]:
    """The least of the bare process and of the command, in turns."""
    ours = ["-m", "pidreg_cli", "decompose", str(path), "--no-model", "--threads", str(threads), "-q"]
    bare, whole = cost_of(threads, "-c", BARE, str(path)), cost_of(threads, *ours)
    for _ in range(repeat - 1):
        bare = bare.least(cost_of(threads, "-c", BARE, str(path)))
        whole = whole.least(cost_of(threads, *ours))
    return bare, whole


def row(rows: int, columns: int, threads: int, bare: Cost, whole: Cost) -> str:
    """A row of the table."""
    return (
        f"| {rows:,} x {columns} | {threads} | {_shown(bare)} | {_shown(whole)} | "
        f"{whole.seconds / bare.seconds:.2f} ({whole.work / bare.work:.2f}) |"
    )


def _shown(cost: Cost) -> str:
    return f"{cost.seconds:.2f} s ({cost.work:.2f}), {cost.memory:.0f} MB"


def main() -> None:
    """Print a table row for every number of columns and threads."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, nargs="+", default=[20, 100])
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeat", type=int, default=3)
    asked = parser.parse_args()
    # As an installation is: else every start compiles all modules where no bytecode may be written.
    compileall.compile_dir(pidreg_cli.__path__[0], quiet=1)
    print("Seconds by the clock, of all processors in brackets\n")
    print(
        "| rows x columns | threads | bare scan and product | decompose --no-model | ratio |\n|---|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as folder:
        for columns in asked.columns:
            path = Path(folder) / "table.parquet"
            # In a process of its own: the peak of a child counts what its parent held.
            cost_of(1, "-c", f"{WRITE}write_table(Path({str(path)!r}), {asked.rows}, {columns})")
            for threads in asked.threads:
                print(row(asked.rows, columns, threads, *costs(path, threads, asked.repeat)), flush=True)


if __name__ == "__main__":
    main()
