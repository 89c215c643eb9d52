"""Where a command writes: the result on stdout, everything else on stderr, plain text on both."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from dataclasses import dataclass
from io import RawIOBase, TextIOWrapper
from pathlib import Path
from typing import TextIO

from pidreg_cli.errors import OutputError
from pidreg_cli.harmless import harmless_lines


@dataclass
class Console:
    """The streams of a process and how much to say on them. Tests put their own streams in.

    ``quiet`` silences results, notices and progress, not warnings and errors. ``verbose`` adds details.
    ``closed``: stdout was so before the start, and what would be written to it is lost.
    """

    stdout: TextIO
    stderr: TextIO
    quiet: bool = False
    verbose: bool = False
    debug: bool = False
    animated: bool = True
    closed: bool = False

    @classmethod
    def of_process(cls) -> Console:
        """The console of this process; a stream that was closed before the start swallows its text."""
        # File names need not be text of the terminal's encoding; the result must not fail on them.
        stdout: TextIO = sys.stdout or _nowhere()
        if isinstance(stdout, TextIOWrapper):
            stdout.reconfigure(errors="backslashreplace")
            if isinstance(stdout.buffer, RawIOBase):
                # PYTHONUNBUFFERED: where a raw stream can write only a part of the result, it does not say so.
                stdout = open(  # noqa: SIM115
                    stdout.fileno(), "w", encoding=stdout.encoding, errors=stdout.errors, closefd=False
                )
        return cls(stdout, sys.stderr or _nowhere(), closed=sys.stdout is None)

    def silent(self) -> Console:
        """A console that says nothing: of all but one of several processes."""
        return Console(_nowhere(), _nowhere())

    def listen(
        self, *, quiet: bool = False, verbose: bool = False, debug: bool = False, animated: bool = True
    ) -> None:
        """Take over what the options of a command say."""
        self.quiet, self.verbose, self.debug, self.animated = quiet, verbose, debug, animated

    @property
    def shows_progress(self) -> bool:
        """Whether progress may be drawn: on a terminal that can, and unless told not to."""
        dumb = os.environ.get("TERM", "") in ("", "dumb")
        return self.animated and not self.quiet and not dumb and self.stderr.isatty()

    def check_stdout(self) -> None:
        """Refuse to lose a result, before any work for it. Raises OutputError where stdout is closed."""
        if self.closed and not self.quiet:
            raise OutputError(
                "output.closed",
                "the result goes to stdout, which is closed",
                "leave stdout open, or send it to a file: > FILE",
            )

    def result(self, text: str) -> None:
        """Print the result of the command. Raises OutputError where stdout is closed."""
        self.check_stdout()
        if not self.quiet:
            self.stdout.write(text if text.endswith("\n") else f"{text}\n")

    def notice(self, text: str) -> None:
        """Say what asks for no action."""
        if not self.quiet:
            self._line(f"note: {text}")

    def detail(self, text: str) -> None:
        """Say what only ``--verbose`` asks for."""
        if self.verbose and not self.quiet:
            self._line(text)

    def warning(self, text: str) -> None:
        """Say what the user should know before trusting the result."""
        self._line(f"warning: {text}")

    def error(self, text: str) -> None:
        """Say why the command failed."""
        self._line(text)

    def flush(self) -> None:
        """Write what is buffered, so that a full disk or a closed pipe shows now and not at exit."""
        self.stdout.flush()
        self.stderr.flush()

    def abandon_stdout(self) -> None:
        """Let what is still buffered go nowhere: the interpreter would fail on it once more at exit."""
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stdout.fileno())

    def _line(self, text: str) -> None:
        self.stderr.write(f"{harmless_lines(text)}\n")
        self.stderr.flush()


def _nowhere() -> TextIO:
    return Path(os.devnull).open("w", encoding="utf-8")
