"""The progress of work that goes by rows: a bar on a terminal, a line with ``--verbose`` elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pidreg_cli.cli.console import Console

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

    from pidreg_cli.data.preparation.findings import RowProgress


@contextmanager
def open_row_progress(console: Console) -> Iterator[RowProgress]:
    """A listener for the work in the block."""
    if not console.shows_progress:
        yield PlainRows(console)
        return
    # Only a terminal needs rich.
    from rich.console import Console as RichConsole
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    terminal = RichConsole(file=console.stderr, highlight=False, markup=False, emoji=False)
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=terminal, transient=True) as bar:
        yield BarOfRows(bar)


class PlainRows:
    """A line for each pass, with ``--verbose``."""

    def __init__(self, console: Console) -> None:
        self.console = console

    def begin(self, task: str, rows: int) -> None:
        """A pass starts."""
        self.console.detail(f"{task}: {rows:,} rows")

    def advance(self, rows: int) -> None:
        """Rows are done."""

    def finish(self) -> None:
        """The pass ended."""


class BarOfRows:
    """A bar for each pass."""

    def __init__(self, bar: Bar) -> None:
        self._bar = bar

    def begin(self, task: str, rows: int) -> None:
        """A pass starts: a new bar."""
        self._current = self._bar.add_task(task, total=rows)

    def advance(self, rows: int) -> None:
        """Rows are done: the bar moves."""
        self._bar.advance(self._current, rows)

    def finish(self) -> None:
        """The pass ended: its bar goes."""
        self._bar.remove_task(self._current)
