"""Typed errors: raised where the cause is known, turned into text and an exit status in one place (``cli``)."""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar


class ExitStatus(IntEnum):
    """Exit statuses of every command."""

    DONE = 0
    CHECK_FAILED = 1
    USAGE = 2
    DATA = 3
    RUN = 4
    TRAINING = 5
    OUTPUT = 6
    BUG = 70
    INTERRUPTED = 130
    CLOSED_PIPE = 141
    TERMINATED = 143


class PidregError(Exception):
    """An error a user can act on.

    ``code`` is stable and dotted (``data.missing_target``), ``message`` says what was wrong and the rule, ``hint``
    what to do.
    """

    status: ClassVar[ExitStatus] = ExitStatus.BUG

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __reduce__(self) -> tuple[type[PidregError], tuple[str, str, str]]:
        """As it was raised, also in another process: an exception would come back of its message alone."""
        return type(self), (self.code, self.message, self.hint)


class UsageError(PidregError):
    """Wrong options or configuration, or an output that already exists."""

    status = ExitStatus.USAGE


class DataError(PidregError):
    """Input data that cannot be used as asked."""

    status = ExitStatus.DATA


class DeviceMemoryError(PidregError):
    """A device without memory for a step of training: with the status of any lack of memory. Unlike data that are
    refused, it may do for what is left of a run next time.
    """

    status = ExitStatus.DATA


class ArrayError(DataError, ValueError):
    """Data in memory that cannot be used: also a ValueError, as estimators of scikit-learn raise."""


class RunError(PidregError):
    """A run folder, model or report file that cannot be read."""

    status = ExitStatus.RUN


class TrainingError(PidregError):
    """A numerical failure in training."""

    status = ExitStatus.TRAINING


class OutputError(PidregError):
    """An output that could not be written."""

    status = ExitStatus.OUTPUT


class ProcessError(PidregError):
    """Another of several processes of one command is gone, and this one was ended with it."""

    status = ExitStatus.TERMINATED
