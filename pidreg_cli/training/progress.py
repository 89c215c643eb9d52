"""What training tells its surroundings while it runs: a protocol that the terminal, a log or nobody listens to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class EpochRecord:
    """One finished epoch; also one line of ``history.jsonl``. Losses are means over the epoch, atoms are in bits.

    ``criterion``: of stage 2 the epoch with the least is kept (``stage2.criterion``); None in histories of earlier
    versions, which kept that of the least ``valid_loss``.
    """

    model: str
    stage: int
    epoch: int
    train_loss: float
    valid_loss: float
    criterion: float | None = None
    terms: Mapping[str, float] = field(default_factory=dict)
    atoms: Mapping[str, float] = field(default_factory=dict)
    weights: Mapping[str, float] = field(default_factory=dict)
    bottleneck: Mapping[str, float] = field(default_factory=dict)


class Progress(Protocol):
    """Listener of a fit. ``begin`` opens a task of at most ``epochs`` epochs; ``finish`` closes it."""

    def branch(self) -> Progress:
        """A listener of one more line of tasks, which go on beside those of this one."""

    def begin(self, task: str, epochs: int) -> None:
        """A stage of a model starts; it takes at most ``epochs`` epochs."""

    def epoch(self, record: EpochRecord) -> None:
        """An epoch ended."""

    def finish(self) -> None:
        """The task ended, perhaps before its bound."""

    def notice(self, text: str) -> None:
        """Something worth knowing that asks for no action."""

    def warning(self, text: str) -> None:
        """Something the user should act on or know before trusting the result."""


class Silent:
    """A listener that hears nothing (the default of the library)."""

    def branch(self) -> Progress:
        """Itself."""
        return self

    def begin(self, task: str, epochs: int) -> None:
        """Ignore."""

    def epoch(self, record: EpochRecord) -> None:
        """Ignore."""

    def finish(self) -> None:
        """Ignore."""

    def notice(self, text: str) -> None:
        """Ignore."""

    def warning(self, text: str) -> None:
        """Ignore."""
