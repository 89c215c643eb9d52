"""Peak memory and throughput of streaming commands on a large Parquet file: ``python -m benchmarks.large_tables``.

The file (PIDREG_BENCH_GB gigabytes, 1 by default) is generated in the folder for temporary files and deleted after.
``predict`` uses a quick fit of its first rows. Times are ratios to a bare scan of the same file in the same run.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = 48
GROUP_ROWS = 2**18
FITTED_ROWS = 20_000
PROGRAM = [sys.executable, "-m", "pidreg_cli"]
SCAN = """
import sys, pyarrow.parquet as pq
with pq.ParquetFile(sys.argv[1], pre_buffer=False, buffer_size=65536) as file:
    print(sum(batch.num_rows for batch in file.iter_batches(batch_size=43690)))
"""


def generate(path: Path, size: float) -> None:
    """Write about ``size`` bytes of doubles."""
    rng = np.random.default_rng(0)
    names = [f"{'ab'[column % 2]}__{column}" for column in range(COLUMNS)]
    groups = max(1, round(size / (8 * (COLUMNS + 1) * GROUP_ROWS)))
    schema = pa.schema([(name, pa.float64()) for name in [*names, "target"]])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for _ in range(groups):
            block = rng.standard_normal((COLUMNS + 1, GROUP_ROWS))
            writer.write_batch(pa.record_batch(list(block), schema=schema))


def in_another_process(function: Callable[..., None], *arguments: object) -> None:
    """A process counts the memory of the one that starts it as its own peak: here nothing large is kept."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise RuntimeError(f"{function.__name__} ended with {process.exitcode}")


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak resident megabytes of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command[:4]} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def copy_first_rows(path: Path, first: Path) -> None:
    """Write the first rows of the table."""
    with pq.ParquetFile(path, pre_buffer=False) as file:
        pq.write_table(pa.Table.from_batches([next(file.iter_batches(FITTED_ROWS))]), first)


def fit_first_rows(path: Path, run: Path) -> None:
    """Fit the first rows of the table into ``run``."""
    first = run.with_suffix(".parquet")
    in_another_process(copy_first_rows, path, first)
    # The model predicts noise however long it trains.
    epochs = ["--set", "stage1.min_epochs=1", "--set", "stage1.max_epochs=2", "--set", "stage2.max_epochs=2"]
    measured(
        [
            *PROGRAM,
            "fit",
            str(first),
            "--preset",
            "fast",
            *epochs,
            "-q",
            "--modalities",
            "a,b",
            "-o",
            str(run),
        ]
    )


def main() -> None:
    """Print the table."""
    gigabytes = float(os.environ.get("PIDREG_BENCH_GB", "1"))
    with tempfile.TemporaryDirectory(prefix="pidreg-bench-") as folder:
        names = ("in.parquet", "out.parquet", "rows.parquet", "first.pidreg")
        path, out, single, run = (Path(folder) / name for name in names)
        in_another_process(generate, path, gigabytes * 1e9)
        rows = pq.read_metadata(path).num_rows
        print(f"{path.stat().st_size / 1e9:.2f} GB, {rows:,} rows, {COLUMNS} features")
        fit_first_rows(path, run)
        scan = measured([sys.executable, "-c", SCAN, str(path)])
        print("| case | time, of a bare scan | peak memory |\n|---|---|---|")
        print(f"| bare scan | 1.0 ({scan[0]:.1f} s) | {scan[1]:.0f} MB |")
        for arguments in (
            ["prepare", str(path), "--dry-run"],
            ["prepare", str(path), "-o", str(out)],
            ["decompose", str(path), "--no-model", "--modalities", "a,b"],
            ["decompose", str(path), "--no-model", "--modalities", "a,b", "--per-row", str(single)],
            ["predict", str(run), str(path), "-o", str(out), "--force"],
        ):
            seconds, peak = measured([*PROGRAM, *arguments])
            name = " ".join(one for one in arguments if folder not in one)
            print(f"| {name} | {seconds / scan[0]:.1f} | {peak:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
