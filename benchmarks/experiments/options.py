"""Options of the commands that run experiments: those that one of them heeds, checked before anything runs."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.experiments.experiment import OPTIONS, Experiment, Setting
from benchmarks.experiments.page import Page
from benchmarks.fits.options import enough_rows, existing_file, positive
from pidreg_cli.errors import PidregError

TRIAL = Path("benchmark_results")
"""Where results go that nobody asked to publish."""
MEANING: Mapping[str, Mapping[str, Any]] = {
    "preset": {"choices": ["fast", "balanced", "thorough", "paper"], "help": "of every fit"},
    "rows": {"type": enough_rows, "help": "of a table, or of the largest; 70 %% of them train a fit"},
    "seeds": {"type": positive, "help": "repetitions of every line"},
    "threads": {"type": positive, "help": "of a fit"},
    "assignments": {"action": "append", "metavar": "KEY=VALUE", "help": "as of fit; repeatable"},
    "table": {"type": existing_file, "metavar": "PATH", "help": "a Parquet file to fit"},
    "target": {"metavar": "COLUMN", "help": "of the table"},
    "modalities": {"metavar": "A,B", "help": "of the table, as of fit"},
}


def parser(page: Page, experiments: Sequence[Experiment]) -> argparse.ArgumentParser:
    """Options of one experiment's command, or of all those of a page."""
    first, *others = experiments
    about = f"All of docs/{page.name}.md. Options count where a section's own command has them."
    made = argparse.ArgumentParser(description=about if others else f"{first.title} {first.question}")
    for option, flag in OPTIONS.items():
        if any(option in one.options for one in experiments):
            made.add_argument(flag, dest=option, **MEANING[option])
    made.add_argument(
        "--cases", type=positive, metavar="N", help="measure N of them and stop; the next run goes on"
    )
    made.add_argument(
        "--missing",
        action="store_true",
        help="only what has no saved numbers, or older than its way of measuring",
    )
    made.add_argument("--render", action="store_true", help="no fits: page and figures from saved numbers")
    place = made.add_mutually_exclusive_group()
    place.add_argument(
        "-o", "--output", type=Path, default=TRIAL, help="folder of the page (default: %(default)s)"
    )
    place.add_argument("--save", action="store_true", help=f"into the repository's docs/{page.name}.md")
    return made


def settings_asked(
    made: argparse.ArgumentParser, given: argparse.Namespace, experiments: Sequence[Experiment]
) -> list[Setting]:
    """The setting of each experiment. Ends with an error of usage where no fit can have it."""
    chosen = {option: vars(given).get(option) for option in OPTIONS}
    chosen["assignments"] = tuple(chosen["assignments"] or ()) or None
    changed = {option: value for option, value in chosen.items() if value is not None}
    if len({"table", "target", "modalities"} & changed.keys()) not in (0, 3):
        made.error("--table, --target and --modalities go together")
    found = [one.with_options(changed) for one in experiments]
    try:
        for setting in found:
            setting.settings(0)
    except PidregError as error:
        made.error("; ".join(filter(None, (error.message, error.hint))))
    return found
