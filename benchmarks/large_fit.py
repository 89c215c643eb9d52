"""A fit on a table larger than memory beside one of a sample that fits: ``python -m benchmarks.large_fit``.

The folder (PIDREG_BENCH_GB gigabytes, 8 by default) is generated among temporary files and deleted after; the fit may
take PIDREG_BENCH_MEMORY (2GB), and rounds of its two stages are PIDREG_BENCH_ROUNDS (4,16). Both fits have the same
settings, one thread, the same number of steps, and predict the same test rows. Time per training row is the median over
rounds, looks at the validation rows included; in the first pass over its rows a streamed fit transforms them, too.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.large_tables import PROGRAM, in_another_process
from pidreg_cli.data.streaming.plan import TableSize
from pidreg_cli.memory import bytes_of

FEATURES = 100  # of each of the two modalities
GROUP_ROWS = 50_000
GROUPS_OF_A_FILE = 5
TEST_ROWS = 50_000
ROUND = 250_000  # training rows of a round of the streamed fit
BATCH = 256
NAMES = [f"{modality}__{feature}" for modality in "ab" for feature in range(FEATURES)]
SCHEMA = pa.schema([*((name, pa.float64()) for name in [*NAMES, "target"]), ("split", pa.string())])


def block(rng: np.random.Generator, rows: int) -> pa.RecordBatch:
    """Standard normal features; a tenth of each modality tells the target, some only together; R2 is .8 at most."""
    features = rng.standard_normal((2 * FEATURES, rows))
    a, b = features[: FEATURES // 10], features[FEATURES : FEATURES + FEATURES // 10]
    signal = (a.sum(0) + b.sum(0) + (a * b).sum(0)) / np.sqrt(3 * len(a))
    target = signal + 0.5 * rng.standard_normal(rows)
    split = np.array(["train", "valid", "test"])[rng.choice(3, rows, p=[0.7, 0.1, 0.2])]
    return pa.record_batch([*features, target, split], schema=SCHEMA)


def generate(folder: Path, size: float) -> None:
    """Write about ``size`` bytes of doubles in files of a quarter of a million rows."""
    rng = np.random.default_rng(0)
    rows = GROUP_ROWS * GROUPS_OF_A_FILE
    folder.mkdir()
    for number in range(max(1, round(size / (8 * rows * len(NAMES))))):
        path = folder / f"{number:03}.parquet"
        with pq.ParquetWriter(path, SCHEMA, compression="none", use_dictionary=["split"]) as writer:
            for _ in range(GROUPS_OF_A_FILE):
                writer.write_batch(block(rng, GROUP_ROWS))


def copy_sample(folder: Path, path: Path, rows: int) -> None:
    """Write the first rows: the order of the table is random."""
    first = sorted(folder.iterdir())[: -(-rows // (GROUP_ROWS * GROUPS_OF_A_FILE))]
    pq.write_table(pa.concat_tables(pq.read_table(one) for one in first)[:rows], path)


def copy_test_rows(folder: Path, path: Path) -> None:
    """Write test rows of the last file, which trained neither fit."""
    table = pq.read_table(sorted(folder.iterdir())[-1], memory_map=True)
    pq.write_table(table.filter(pc.equal(table["split"], "test"))[:TEST_ROWS], path)


@dataclass(frozen=True)
class Fitted:
    """Seconds in all, and before training; peak resident megabytes; seconds of each round."""

    seconds: float
    before: float
    peak: float
    rounds: list[float]


def fitted(data: Path, run: Path, settings: dict[str, object], *more: str) -> Fitted:
    """Fit in a process of its own; epochs are timed by its log."""
    chosen = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    options = [
        "--preset",
        "fast",
        "--modalities",
        "a,b",
        "--threads",
        "1",
        "-v",
        "-o",
        str(run),
        *chosen,
        *more,
    ]
    start = time.perf_counter()
    process = subprocess.Popen(
        [*PROGRAM, "fit", str(data), *options], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    marks: tuple[list[float], list[float]] = ([], [])
    log = []
    for line in process.stderr or ():
        log.append(line)
        stage = 1 if "stage 2" in line else 0
        if line.startswith("model, stage"):
            marks[stage].append(time.perf_counter() - start)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise RuntimeError("".join(log[-20:]))
    rounds = [end - begin for stage in marks for begin, end in pairwise(stage)]
    return Fitted(time.perf_counter() - start, marks[0][0], usage.ru_maxrss * 1024 / 1e6, rounds)


def error(run: Path, rows: Path, out: Path) -> float:
    """RMSE of the run's predictions of ``rows``."""
    subprocess.run([*PROGRAM, "predict", str(run), str(rows), "-o", str(out), "-q"], check=True)
    target: NDArray[np.float64] = pq.read_table(rows, columns=["target"])["target"].to_numpy()
    return float(np.sqrt(np.mean(np.square(pq.read_table(out)["prediction"].to_numpy() - target))))


def settings_of(rounds: Sequence[int]) -> dict[str, object]:
    """Rounds of the two stages, no fewer and no more; no trees, which are fitted on tables in memory only; batches of
    256 rows, which a table of any size has.
    """
    found: dict[str, object] = {"features.boosted": "off", "training.round_rows": ROUND}
    found["training.largest_batch"] = 256
    for stage, number in enumerate(rounds, 1):
        found |= {f"stage{stage}.{bound}_epochs": number for bound in ("min", "max")}
    return found | {"stage2.patience": rounds[1]}


def main() -> None:
    """Print the table."""
    gigabytes = float(os.environ.get("PIDREG_BENCH_GB", "8"))
    memory = os.environ.get("PIDREG_BENCH_MEMORY", "2GB")
    with tempfile.TemporaryDirectory(prefix="pidreg-bench-") as place:
        folder, sample, test = (Path(place) / name for name in ("table", "sample.parquet", "test.parquet"))
        in_another_process(generate, folder, gigabytes * 1e9)
        one = TableSize(1, len(NAMES), 2).in_memory - TableSize(0, len(NAMES), 2).in_memory
        held = int((bytes_of(memory) - TableSize(0, len(NAMES), 2).in_memory) / one)
        in_another_process(copy_sample, folder, sample, held)
        in_another_process(copy_test_rows, folder, test)
        rows = sum(pq.read_metadata(path).num_rows for path in folder.iterdir())
        size = sum(path.stat().st_size for path in folder.iterdir()) / 1e9
        print(
            f"{size:.1f} GB, {rows:,} rows, {len(NAMES)} features; a fit within {memory}; sample of {held:,} rows"
        )
        print(
            "| fit | training rows | peak memory | before training | µs a training row, first pass | later | in all "
            "| RMSE |\n|---|---:|---:|---:|---:|---:|---:|---:|"
        )
        asked = [int(number) for number in os.environ.get("PIDREG_BENCH_ROUNDS", "4,16").split(",")]
        for name, data, more in (
            ("streamed", folder, ["--memory", memory]),
            ("sample in memory", sample, []),
        ):
            trained = training_rows(data)
            steps = min(trained, ROUND) // BATCH
            rounds = [max(1, number * (ROUND // BATCH) // steps) for number in asked]
            run = Path(place) / f"{name}.pidreg"
            found = fitted(data, run, settings_of(rounds), *more)
            first = -(-trained // (steps * BATCH))
            parts = found.rounds[:first], found.rounds[first:]
            row = [f"{1e6 * float(np.median(part)) / (steps * BATCH):.1f}" if part else "" for part in parts]
            rmse = error(run, test, Path(place) / f"{name}.parquet")
            print(
                f"| {name} | {trained:,} | {found.peak:.0f} MB | {found.before:.0f} s | {row[0]} | {row[1]} "
                f"| {found.seconds:.0f} s | {rmse:.4f} |",
                flush=True,
            )


def training_rows(data: Path) -> int:
    """Rows of the table that train."""
    split = pq.read_table(data, columns=["split"])["split"]
    return int(pc.sum(pc.equal(split, "train")).as_py())


if __name__ == "__main__":
    main()
