"""What was noticed on the way, for the user and for the sidecar; and who listens to it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True)
class Finding:
    """``code`` is stable; a warning asks the user to look before trusting a result, a note does not."""

    code: str
    severity: Literal["note", "warning"]
    message: str


def note(code: str, message: str) -> Finding:
    """Something worth knowing."""
    return Finding(code, "note", message)


def warning(code: str, message: str) -> Finding:
    """Something to know before trusting the result."""
    return Finding(code, "warning", message)


def share_of(rows: int, of: int) -> str:
    """``rows`` of ``of`` in percent; few are never none."""
    return "<0.1%" if 0 < rows < 0.0005 * of else f"{rows / of:.1%}"


class RowProgress(Protocol):
    """Listener of work that goes by rows."""

    def begin(self, task: str, rows: int) -> None:
        """A pass over ``rows`` rows starts."""

    def advance(self, rows: int) -> None:
        """So many more rows are done."""

    def finish(self) -> None:
        """The pass ended."""


class SilentRows:
    """A listener that hears nothing."""

    def begin(self, task: str, rows: int) -> None:
        """Ignore."""

    def advance(self, rows: int) -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""
