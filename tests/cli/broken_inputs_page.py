"""docs/broken-inputs.md from the table that tests run: ``python -m tests.cli.broken_inputs_page`` writes it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.cli.broken_inputs import CASES, Case, made, run_case

PAGE = Path(__file__).parents[2] / "docs" / "broken-inputs.md"
LONGEST = 240
# Within a cell of a table a bar would end it, and a backtick the code.
PIPE, QUOTE = "\\|", "'"
HEAD = """# Broken and awkward input

What `pidreg prepare` does with {count} kinds of input that are not as they should be: the exit code (0 done, 2
usage, 3 data, 6 output) and the message. A hint of what to do follows each error. Nothing is written where the exit
code is not 0. `python -m tests.cli.broken_inputs_page` makes this page of the table that the tests run
(`tests/cli/broken_inputs.py`), and each test compares its line.

| input | exit | message |
|---|---|---|
"""


def page() -> str:
    """The page, each message as it is printed now."""
    lines = [line_of(name, chosen, *_printed(chosen)) for name, chosen in CASES.items()]
    return HEAD.format(count=len(CASES)) + "\n".join(lines) + "\n"


def line_of(name: str, chosen: Case, status: int, err: str) -> str:
    """The line of a case that ended with ``status`` and wrote ``err`` to stderr."""
    said = err.splitlines()
    message = next((line for line in said if line.startswith("error: ")), None)
    message = message or next(line for line in said if chosen.words in line)
    shown = message if len(message) <= LONGEST else message[: LONGEST - 3] + "..."
    return f"| {name} | {status} | `{shown.replace('|', PIPE).replace('`', QUOTE)}` |"


def _printed(chosen: Case) -> tuple[int, str]:
    with _within_new_folder():
        status, _, err = run_case(chosen, made(chosen))
        for path in Path.cwd().iterdir():
            path.chmod(0o700)
    return status, err


@contextmanager
def _within_new_folder() -> Iterator[None]:
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(before)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
