"""Peak memory and throughput of ``pidreg prepare`` on a large Parquet file: ``python -m benchmarks.prepare_memory``.

The file (PIDREG_BENCH_GB gigabytes, 1 by default) is generated in the folder for temporary files and deleted after.
Times are ratios to a bare scan of the same file in the same run.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

COLUMNS = 48
GROUP_ROWS = 2**18
SCAN = """
import sys, pyarrow.parquet as pq
with pq.ParquetFile(sys.argv[1], pre_buffer=False, buffer_size=65536) as file:
    print(sum(batch.num_rows for batch in file.iter_batches(batch_size=43690)))
"""


def generate(path: Path, size: float) -> int:
    """Write about ``size`` bytes of doubles; the number of rows."""
    rng = np.random.default_rng(0)
    names = [f"{'ab'[column % 2]}__{column}" for column in range(COLUMNS)]
    groups = max(1, round(size / (8 * (COLUMNS + 1) * GROUP_ROWS)))
    schema = pa.schema([(name, pa.float64()) for name in [*names, "target"]])
    with pq.ParquetWriter(path, schema, compression="none", use_dictionary=False) as writer:
        for _ in range(groups):
            block = rng.standard_normal((COLUMNS + 1, GROUP_ROWS))
            writer.write_batch(pa.record_batch(list(block), schema=schema))
    return groups * GROUP_ROWS


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and peak resident megabytes of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError(f"{command[:4]} ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - start, usage.ru_maxrss / 1024


def main() -> None:
    """Print the table."""
    gigabytes = float(os.environ.get("PIDREG_BENCH_GB", "1"))
    with tempfile.TemporaryDirectory(prefix="pidreg-bench-") as folder:
        path, out = Path(folder) / "in.parquet", Path(folder) / "out.parquet"
        rows = generate(path, gigabytes * 1e9)
        print(f"{path.stat().st_size / 1e9:.2f} GB, {rows:,} rows, {COLUMNS} features")
        program = [sys.executable, "-m", "pidreg_cli", "prepare", str(path)]
        scan = measured([sys.executable, "-c", SCAN, str(path)])
        print("| case | time, of a bare scan | peak memory |\n|---|---|---|")
        print(f"| bare scan | 1.0 ({scan[0]:.1f} s) | {scan[1]:.0f} MB |")
        for name, arguments in (("prepare --dry-run", ["--dry-run"]), ("prepare", ["-o", str(out)])):
            seconds, peak = measured([*program, *arguments])
            print(f"| {name} | {seconds / scan[0]:.1f} | {peak:.0f} MB |", flush=True)


if __name__ == "__main__":
    main()
