"""Values of benchmarks' options: what is wrong with one is an error of usage, said in a line."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

from pidreg_cli.data.splits import CROSS_FIT_BELOW


def whole(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"not a whole number: {text!r}") from None


def at_least(least: int, why: str = "") -> Callable[[str], int]:
    """Whole numbers from ``least`` on; ``why`` there are no smaller ones."""

    def number(text: str) -> int:
        found = whole(text)
        if found < least:
            raise argparse.ArgumentTypeError(f"must be at least {least}{why}, however: {text}")
        return found

    return number


def existing_file(text: str) -> str:
    """Path of a file, absolute."""
    path = Path(text)
    if not path.is_file():
        raise argparse.ArgumentTypeError(f"no such file: {text}")
    return str(path.resolve())


positive = at_least(1)
# With fewer rows a fit would pool folds, and no model would have been scored on rows that none saw.
enough_rows = at_least(CROSS_FIT_BELOW, ", so that one model scores all others")
