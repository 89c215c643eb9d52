"""Seconds and memory of ``decompose --no-model`` beside a bare pyarrow scan and matrix product of the same columns.

``python -m benchmarks.decompose_speed [--rows N] [--columns P ...]``. Each is a process of its own, with one thread;
processor seconds leave out what other work on the machine takes.
"""

from __future__ import annotations

import argparse
import compileall
import os
import sys
import tempfile
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
    """Processor seconds and peak memory in MB of a process."""

    seconds: float
    memory: float


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


def cost_of(*command: str) -> Cost:
    """Run a command with one thread and measure it."""
    surroundings = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    pid = os.posix_spawn(sys.executable, [sys.executable, *command], surroundings)
    _, status, used = os.wait4(pid, 0)
    if status:
        raise SystemExit(f"{' '.join(command)} failed")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    """Print a table row for every number of columns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--columns", type=int, nargs="+", default=[20, 100])
    asked = parser.parse_args()
    # As an installation is: else every start compiles all modules where no bytecode may be written.
    compileall.compile_dir(pidreg_cli.__path__[0], quiet=1)
    print("| rows x columns | bare scan and product | decompose --no-model | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for columns in asked.columns:
            path = Path(folder) / "table.parquet"
            # In a process of its own: the peak of a child counts what its parent held.
            cost_of("-c", f"{WRITE}write_table(Path({str(path)!r}), {asked.rows}, {columns})")
            bare = cost_of("-c", BARE, str(path))
            ours = cost_of("-m", "pidreg_cli", "decompose", str(path), "--no-model", "--threads", "1", "-q")
            print(
                f"| {asked.rows:,} x {columns} | {bare.seconds:.1f} s, {bare.memory:.0f} MB | "
                f"{ours.seconds:.1f} s, {ours.memory:.0f} MB | {ours.seconds / bare.seconds:.1f} |"
            )


if __name__ == "__main__":
    main()
