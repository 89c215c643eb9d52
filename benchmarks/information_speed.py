"""Time of the closed forms and of the readouts: ``python -m benchmarks.information_speed``."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy
from threadpoolctl import threadpool_limits

from pidreg_cli.information.features import ReadoutBlocks
from pidreg_cli.information.gaussian_pid import gaussian_pid
from pidreg_cli.information.readouts import balanced_folds, cross_fitted_predictions

REPETITIONS = 25


def machine() -> str:
    """Processor and versions, one line."""
    information = Path("/proc/cpuinfo")
    lines = information.read_text().splitlines() if information.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    processor = names[0] if names else platform.processor()
    versions = f"Python {platform.python_version()}, NumPy {np.__version__}, SciPy {scipy.__version__}"
    return f"{processor}, one thread; {versions}"


def covariance(size: int) -> np.ndarray:
    """A well-conditioned sample covariance."""
    rows = np.random.default_rng(0).standard_normal((4 * size, size))
    return np.cov(rows, rowvar=False)


def blocks(target: int, *widths: int) -> tuple[np.ndarray, range, dict[str, range]]:
    """Covariance, target columns and named sources of the given widths."""
    edges = np.cumsum([target, *widths]).tolist()
    sources = {f"s{i}": range(edges[i], edges[i + 1]) for i in range(len(widths))}
    return covariance(edges[-1]), range(target), sources


def seconds(run: Callable[[], object], repetitions: int) -> tuple[float, float]:
    """Smallest and median wall time of a call."""
    times = []
    for _ in range(repetitions):
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return min(times), float(np.median(times))


def readouts(modalities: int, width: int, rows: int, influences: bool = False) -> Callable[[], object]:
    """Cross-fitted readouts of every subset, products included."""
    rng = np.random.default_rng(0)
    codes = tuple(rng.standard_normal((rows, width)) for _ in range(modalities))
    target = codes[0][:, 0] + codes[1][:, 0] * codes[0][:, 1] + rng.standard_normal(rows)
    folds = balanced_folds(np.arange(rows), 10, rng)
    masks = range(1, 1 << modalities)
    return lambda: cross_fitted_predictions(ReadoutBlocks(codes), target, folds, masks, influences=influences)


def cases() -> list[tuple[str, Callable[[], object], int]]:
    """What is timed, and how often."""
    small, wide, many = blocks(1, 64, 64), blocks(2, 600, 600), blocks(1, *[16] * 12)
    found: list[tuple[str, Callable[[], object], int]] = [
        (f"1 + 64 + 64, {measure}", lambda measure=measure: gaussian_pid(*small, measure), 40 * REPETITIONS)
        for measure in ("broja", "mmi", "dep", "ig")
    ]
    found += [
        (f"2 + 600 + 600, {measure}", lambda measure=measure: gaussian_pid(*wide, measure), REPETITIONS)
        for measure in ("broja", "mmi", "dep", "ig")
    ]
    found.append(("1 + 12 x 16: 4,095 subsets and the lattice", lambda: gaussian_pid(*many), 5))
    found.append(("readouts of 2 modalities, d = 64, 4,000 rows", readouts(2, 64, 4000), 3))
    found.append(("the same with influences", readouts(2, 64, 4000, influences=True), 3))
    found.append(("readouts of 4 modalities, d = 16, 2,000 rows", readouts(4, 16, 2000), 3))
    found.append(("readouts of 8 modalities, d = 16, 2,000 rows", readouts(8, 16, 2000), 1))
    return found


def main() -> None:
    """Print the table."""
    print(machine())
    print("| case | best | median |\n|---|---|---|")
    with threadpool_limits(1):
        for name, run, repetitions in cases():
            best, median = seconds(run, repetitions)
            print(f"| {name} | {1e3 * best:.2f} ms | {1e3 * median:.2f} ms |", flush=True)


if __name__ == "__main__":
    main()
