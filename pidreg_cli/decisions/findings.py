"""A finding: what the reader of the numbers should know, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["info", "warning", "error"]


@dataclass(frozen=True)
class Diagnostic:
    """``code`` is stable and dotted; ``message`` says what was found, ``hint`` what to do; ``value`` its
    number.
    """

    code: str
    severity: Severity
    message: str
    hint: str
    value: float | None = None


def listed(names: tuple[str, ...], most: int = 5) -> str:
    """Names in a sentence, the first few of many: ``a, b and c``; ``a, b, c, d, e and 12 more``."""
    shown = [*names[:most], f"{len(names) - most} more"] if len(names) > most else list(names)
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"
