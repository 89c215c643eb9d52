"""The progress of a fit: a line that renews itself on a terminal, plain lines anywhere else."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from pidreg_cli.cli.console import Console

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress as Bar

    from pidreg_cli.training.progress import EpochRecord, Progress


@contextmanager
def open_progress(console: Console) -> Iterator[Progress]:
    """A listener for the fit in the block."""
    if not console.shows_progress:
        yield PlainProgress(console)
        return
    # Only a terminal needs rich.
    from rich.console import Console as RichConsole

    terminal = RichConsole(file=console.stderr, highlight=False, markup=False, emoji=False)
    with _bar(terminal) as bar:
        yield TerminalProgress(console, bar)


class PlainProgress:
    """Notices and warnings as lines; epochs only with ``--verbose``."""

    def __init__(self, console: Console) -> None:
        self.console = console
        self.task = ""

    def branch(self) -> Progress:
        """A listener with a stage of its own."""
        return PlainProgress(self.console)

    def begin(self, task: str, epochs: int) -> None:
        """A stage of a model starts."""
        self.task = task
        self.console.detail(f"{task}: at most {epochs} epochs")

    def epoch(self, record: EpochRecord) -> None:
        """An epoch ended."""
        self.console.detail(f"{self.task}, epoch {record.epoch}: {summary(record)}")

    def finish(self) -> None:
        """The stage ended."""

    def notice(self, text: str) -> None:
        """Something worth knowing."""
        self.console.notice(text)

    def warning(self, text: str) -> None:
        """Something to know before trusting the result."""
        self.console.warning(text)


class TerminalProgress(PlainProgress):
    """A bar per stage; lines scroll above it."""

    def __init__(self, console: Console, bar: Bar) -> None:
        super().__init__(console)
        self._bar = bar

    def branch(self) -> Progress:
        """A listener with a bar of its own."""
        return TerminalProgress(self.console, self._bar)

    def begin(self, task: str, epochs: int) -> None:
        """A stage of a model starts: a new bar."""
        super().begin(task, epochs)
        self._current = self._bar.add_task(task, total=epochs, state="")

    def epoch(self, record: EpochRecord) -> None:
        """An epoch ended: the bar moves."""
        super().epoch(record)
        self._bar.update(self._current, completed=record.epoch, state=summary(record))

    def finish(self) -> None:
        """The stage ended: its bar goes."""
        self._bar.remove_task(self._current)


def summary(record: EpochRecord) -> str:
    """Losses of an epoch, and the atoms in bits where it computed them."""
    atoms = [f"{name} {value:.2f}" for name, value in record.atoms.items()]
    losses = f"loss {record.train_loss:.4f}, validation {record.valid_loss:.4f}"
    return f"{losses}; bits: {', '.join(atoms)}" if atoms else losses


def _bar(terminal: RichConsole) -> Bar:
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    return Bar(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[state]}", markup=False),
        console=terminal,
        transient=True,
    )
