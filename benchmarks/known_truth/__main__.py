"""What fits find in systems whose information is known: ``python -m benchmarks.known_truth``.

A row per system, mixing and number of rows, as each fit finishes; figures of test rows, as the fit's report gives
them. Exit status 1 where a fit of 20,000 rows or more does not keep the rules, or a fit did not end well.
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

from benchmarks.known_truth.comparison import HEADER, Comparison, broken_rules, compared, row
from benchmarks.known_truth.held_back import HELD_BACK
from pidreg_cli.data.synthetic import SYSTEMS, SyntheticSystem, generate, write_synthetic
from pidreg_cli.data.synthetic.mixing import STRENGTHS

SEED = 0


class FitError(Exception):
    """A fit that did not end well, with the first line it wrote: the error, before its hint."""


def fitted(
    system: SyntheticSystem, rows: int, mixing: str, options: Sequence[str], folder: Path
) -> Comparison:
    """Draw a table into ``folder``, fit it with the command and compare its report with the truth.

    Raises:
        FitError: the command failed.
    """
    drawn = generate(system, rows, SEED, mixing)
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
        str(SEED),
    ]
    start = time.perf_counter()
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    if done.returncode:
        raise FitError(f"exit status {done.returncode}: {(done.stderr.strip().splitlines() or [''])[0]}")
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    return compared(report, drawn.truth, time.perf_counter() - start)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; the exit status."""
    parser = _parser()
    given = parser.parse_args(arguments)
    known = HELD_BACK if given.held_back else SYSTEMS
    unknown = set(given.systems or ()) - set(known)
    if unknown:
        parser.error(f"no system {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    print(HEADER, flush=True)
    cases = product(given.systems or known, given.mixing, given.rows)
    kept = [_printed(known, name, rows, mixing, _fit_options(given)) for name, mixing, rows in cases]
    return 0 if all(kept) else 1


def _printed(
    known: Mapping[str, SyntheticSystem], name: str, rows: int, mixing: str, options: Sequence[str]
) -> bool:
    """Print the row of one fit; whether it keeps the rules."""
    try:
        with TemporaryDirectory() as folder:
            found = fitted(known[name], rows, mixing, options, Path(folder))
    except FitError as error:
        print(f"| {name} | {mixing} | {rows} | | | | | {error} |", flush=True)
        return False
    print(row(found), flush=True)
    return not broken_rules(found)


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
    parser.add_argument("--threads", type=int, default=1, metavar="N")
    return parser


if __name__ == "__main__":
    sys.exit(main())
