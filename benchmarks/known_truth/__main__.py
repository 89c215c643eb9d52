"""What fits find in systems whose information is known: ``python -m benchmarks.known_truth``.

A row per system, mixing and number of rows, as each fit finishes; figures of test rows, as the fit's report gives
them, beside the truth and what the latents themselves tell of these rows (``told``). Judged is what is found less the
luck of the rows, which is the difference of these two (synergy and null systems by what is found); with ``--draws N``
the mean of as many tables, each of which has a row. Exit status 1 where 20,000 rows or more do not keep the rules, or a
fit did not end well.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.known_truth.comparison import HEADER, Comparison, broken_rules, compared, mean_of, row
from benchmarks.known_truth.held_back import HELD_BACK
from benchmarks.known_truth.told import told_of
from pidreg_cli.data.synthetic import SYSTEMS, SyntheticSystem, generate, write_synthetic
from pidreg_cli.data.synthetic.mixing import STRENGTHS


class FitError(Exception):
    """A fit that did not end well, with the first line it wrote: the error, before its hint."""


def fitted(
    system: SyntheticSystem, rows: int, mixing: str, options: Sequence[str], folder: Path, draw: int = 0
) -> Comparison:
    """Draw a table into ``folder``, fit it with the command and compare its report with the truth.

    ``draw`` is the seed of both.

    Raises:
        FitError: the command failed.
    """
    drawn = generate(system, rows, draw, mixing)
    data, run = folder / "data.parquet", folder / "run"
    write_synthetic(drawn, data)
    command = [
        sys.executable,
        "-m",
        "pidreg_cli",
        "fit",
        str(data),
        "-o",
        str(run),
        "-q",
        "--seed",
        str(draw),
    ]
    start = time.perf_counter()
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise FitError(f"exit status {done.returncode}: {(done.stderr.strip().splitlines() or [''])[0]}")
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    seconds = time.perf_counter() - start
    target = np.asarray(drawn.table["target"], np.float64)
    return compared(report, drawn.truth, told_of(system, draw, target, _judged_rows(report, run)), seconds)


def _judged_rows(report: Mapping[str, Any], run: Path) -> NDArray[np.intp]:
    """Positions of the rows whose errors are the informations of the report; ids of these tables are positions."""
    held = pq.read_table(run / "heldout.parquet")
    parts = np.asarray(held["split"].to_pylist())
    chosen = np.asarray(held["id"], np.intp)[parts != "valid"]
    if len(chosen) != report["information"]["rows"]:
        raise FitError(f"{len(chosen)} rows are held out, {report['information']['rows']} judged")
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    known = HELD_BACK if given.held_back else SYSTEMS
    unknown = set(given.systems or ()) - set(known)
    if unknown:
        parser.error(f"no system {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    if given.draws < 1:
        parser.error(f"--draws must be at least 1, however: {given.draws}")
    print(HEADER, flush=True)
    cases = product(given.systems or known, given.mixing, given.rows)
    options, draws = _fit_options(given), given.draws
    kept = [_printed(known[name], rows, mixing, options, draws) for name, mixing, rows in cases]
    return 0 if all(kept) else 1


def _printed(system: SyntheticSystem, rows: int, mixing: str, options: Sequence[str], draws: int) -> bool:
    """Print a row of each fit, and of their mean where there are several; whether the rules are kept."""
    found = []
    for draw in range(draws):
        which = f"draw {draw}" if draws > 1 else ""
        try:
            with TemporaryDirectory() as folder:
                found.append(fitted(system, rows, mixing, options, Path(folder), draw))
        except FitError as error:
            print(
                f"| {', '.join([system.name, *[which] * bool(which)])} | {mixing} | {rows} | | | | | {error} |",
                flush=True,
            )
            return False
        print(row(found[-1], which), flush=True)
    judged = mean_of(found)
    if draws > 1:
        print(row(judged, f"mean of {draws}"), flush=True)
    return not broken_rules(judged)


def _fit_options(given: argparse.Namespace) -> list[str]:
    assignments = [part for assignment in given.set for part in ("--set", assignment)]
    return ["--preset", given.preset, "--threads", str(given.threads), *assignments]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.known_truth", description=__doc__)
    parser.add_argument("--rows", nargs="+", type=int, default=[2000, 20_000], metavar="N")
    parser.add_argument("--preset", default="balanced", metavar="NAME")
    parser.add_argument("--systems", nargs="+", metavar="NAME", help="default: all")
    parser.add_argument("--mixing", nargs="+", choices=list(STRENGTHS), default=["mild"])
    parser.add_argument("--held-back", action="store_true", help="systems that nothing is tuned on, instead")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="as of fit; repeatable"
    )
    parser.add_argument("--draws", type=int, default=1, metavar="N", help="tables of each system")
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    return parser


if __name__ == "__main__":
    sys.exit(main())
