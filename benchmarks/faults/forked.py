"""A command in a child of this process that has imported everything already: a moment later it can be killed.

The child is forked before it does any work, with one thread, and runs the same program as the installed command.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

# Read by numpy when it is imported: threads do not survive the fork, and cannot be made again without memory.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

Preparation = Callable[[], None]
WAIT = 120.0
"""Seconds after which a command hangs."""


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit status, or minus the number of the signal; and what it wrote to stderr."""

    status: int
    seconds: float
    err: str

    @property
    def clean(self) -> bool:
        """Whether nothing but a message was said."""
        return "Traceback" not in self.err and "this is a bug" not in self.err


@dataclass
class Child:
    """A command that runs in a child process, in a folder."""

    pid: int
    started: float
    err: Path

    def signal(self, number: int) -> None:
        """Send a signal; the child may have ended by itself."""
        os.kill(self.pid, number)

    def wait(self) -> Ended:
        """Wait for the end; a child that hangs is killed and counts as ended by SIGALRM."""
        while time.monotonic() - self.started < WAIT:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            if pid:
                return self._ended(os.waitstatus_to_exitcode(status))
            time.sleep(0.002)
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        return self._ended(-signal.SIGALRM)

    def _ended(self, status: int) -> Ended:
        seconds = time.monotonic() - self.started
        return Ended(status, seconds, self.err.read_text(encoding="utf-8", errors="replace"))


def warm_up() -> None:
    """Import what commands import on their way, so that a child starts with its work."""
    import matplotlib.pyplot  # noqa: F401
    import numpy as np
    import scipy.linalg
    import torch

    import pidreg_cli.decomposing.of_features
    import pidreg_cli.decomposing.of_run
    import pidreg_cli.pipeline
    import pidreg_cli.predicting.prediction_run
    import pidreg_cli.reports.figures.amounts
    import pidreg_cli.selecting.of_run  # noqa: F401

    torch.set_num_threads(1)
    # OpenBLAS waits for ever where it does not get its own 32 MB: it has them before memory is limited.
    scipy.linalg.cho_factor(np.eye(300) @ np.eye(300))
    # Makes torch load its compiler, which takes longer than the fit.
    torch.optim.AdamW([torch.zeros(1)])


def start(
    arguments: Sequence[str],
    folder: Path,
    logs: Path,
    prepare: Preparation | None = None,
    stdout: int | None = None,
) -> Child:
    """Start a command in ``folder``; it writes what it says to ``logs``, its result to ``stdout`` where given."""
    err = logs / f"{time.monotonic_ns()}.err"
    err.touch()
    sys.stdout.flush()
    sys.stderr.flush()
    started = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become(arguments, folder, err, prepare, stdout)
    return Child(pid, started, err)


def run(
    arguments: Sequence[str],
    folder: Path,
    logs: Path,
    prepare: Preparation | None = None,
    stdout: int | None = None,
) -> Ended:
    """Run a command to its end."""
    return start(arguments, folder, logs, prepare, stdout).wait()


def _become(
    arguments: Sequence[str], folder: Path, err: Path, prepare: Preparation | None, stdout: int | None
) -> None:
    """In the child: run the program and leave, whatever happens."""
    status = 99
    try:
        from pidreg_cli.cli.app import main

        # A parent in the background of a script passes on that interrupts are ignored.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        os.chdir(folder)
        os.dup2(os.open(err, os.O_WRONLY), 2)
        os.dup2(os.open(os.devnull, os.O_WRONLY) if stdout is None else stdout, 1)
        if stdout is not None:
            os.close(stdout)
        # The parent's streams remember what they were: a file can be asked for its place, a pipe cannot.
        sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))  # noqa: SIM115
        if prepare is not None:
            prepare()
        status = main(list(arguments))
    finally:
        os._exit(status)
