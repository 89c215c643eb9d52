"""How often the recommendation is the right one: ``python -m benchmarks.selection [--rows N] [--seeds N]``.

Each system is drawn anew for every seed; sets are compared by readouts of the features, as ``pidreg select-modalities
--no-model`` does. Exit status 1 where a system is decided rightly in less than nine of ten seeds.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pidreg_cli.config.loading import load_settings
from pidreg_cli.data.preparation.findings import SilentRows
from pidreg_cli.data.roles import RoleRequest
from pidreg_cli.data.synthetic import generate
from pidreg_cli.reports.model import Selection
from pidreg_cli.selecting.of_features import select_features

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], tuple[Mapping[str, Floats], Floats]]

ENOUGH = 0.9
"""Share of seeds whose recommendation must be right."""


@dataclass(frozen=True)
class Case:
    """A system, the recommendations that are right, and options; ``draw`` is None for systems of ``pidreg synth``."""

    name: str
    right: frozenset[tuple[str, ...]]
    draw: Draw | None = None
    options: Mapping[str, object] = field(default_factory=dict)


def copies(rng: np.random.Generator, rows: int) -> tuple[Mapping[str, Floats], Floats]:
    """b is a, measured again with an error of a thousandth."""
    common, jitter, noise = rng.standard_normal((3, rows))
    return {"a": common, "b": common + 0.001 * jitter}, common + 0.5 * noise


def three_of_five(rng: np.random.Generator, rows: int) -> tuple[Mapping[str, Floats], Floats]:
    """a alone, c and e by their product; b is noise, d a noisy view of a."""
    a, b, c, d, e, noise = rng.standard_normal((6, rows))
    return {"a": a, "b": b, "c": c, "d": a + d, "e": e}, a + c * e + 0.5 * noise


def pair_of_twenty(rng: np.random.Generator, rows: int) -> tuple[Mapping[str, Floats], Floats]:
    """Of twenty modalities two tell only together and one tells alone."""
    values = rng.standard_normal((20, rows))
    target = values[2] * values[7] + values[11] + 0.5 * rng.standard_normal(rows)
    return {f"m{i}": values[i] for i in range(20)}, target


def sets(*names: str) -> frozenset[tuple[str, ...]]:
    """``"a b"`` as the set of a and b; empty for none."""
    return frozenset(tuple(name.split()) for name in names)


CASES = (
    Case("dominant", sets("a")),
    Case("unique", sets("a")),
    Case("redundant-copies", sets("a", "b"), copies),
    Case("synergy", sets("a b")),
    Case("xor", sets("a b")),
    Case("additive", sets("a b")),
    Case("null", sets("")),
    Case("three-of-five", sets("a c e"), three_of_five, {"selection.cost": {"b": 1200.0}}),
    Case("pair-of-twenty", sets("m2 m7 m11"), pair_of_twenty),
)


def decided(case: Case, rows: int, seed: int, folder: Path) -> Selection:
    """The selection on a table drawn with this seed."""
    path = folder / f"{case.name}.parquet"
    if case.draw is None:
        table = generate(case.name, rows, seed).table
        names: tuple[str, ...] = ("a", "b")
    else:
        columns, target = case.draw(np.random.default_rng(seed), rows)
        names = tuple(columns)
        table = pa.table({**{f"{name}__0": values for name, values in columns.items()}, "target": target})
    pq.write_table(table, path)
    settings = load_settings(options=case.options).selection
    roles = RoleRequest({name: (f"{name}__*",) for name in names}, "target")
    report, _ = select_features([path], roles, settings, (), SilentRows(), seed=seed, threads=1)
    if report.selection is None:
        raise ValueError("the report lacks its selection")
    return report.selection


def shares(case: Case, rows: int, seeds: int) -> Iterator[tuple[bool, float]]:
    """For every seed: whether the recommendation is right, and how firm it says it is."""
    with TemporaryDirectory() as folder:
        for seed in range(seeds):
            found = decided(case, rows, seed, Path(folder))
            same = 0.0 if found.stability is None else found.stability.same
            yield found.recommended in case.right, same


def main() -> int:
    """Print a row per system; 1 where one is decided wrongly too often."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--seeds", type=int, default=20)
    given = parser.parse_args()
    print("| system | right | resamples that agree | CPU seconds |\n|---|---|---|---|")
    wrong = False
    for case in CASES:
        start = time.process_time()
        right, same = np.array(list(shares(case, given.rows, given.seeds))).T
        seconds = (time.process_time() - start) / given.seeds
        print(
            f"| {case.name} | {int(right.sum())} of {given.seeds} | {same.mean():.0%} | {seconds:.2f} |",
            flush=True,
        )
        wrong |= bool(right.mean() < ENOUGH)
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
