"""Two reports as one object: their amounts side by side, and how these are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pidreg_cli.reports.comparison.differences import (
    Difference,
    Known,
    modality_differences,
    part_differences,
    total,
)
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.wording import SMALL_TOTAL, Wording


@dataclass(frozen=True)
class Comparison:
    """Two reports, what they are called, and how amounts of them are written; intervals only where alike."""

    first: Report
    second: Report
    names: tuple[str, str]
    wording: Wording
    alike: bool

    @property
    def parts(self) -> tuple[Difference, ...]:
        """Total and parts."""
        return self._judged(part_differences(self.first, self.second))

    @property
    def modalities(self) -> tuple[Difference, ...]:
        """What each modality tells and adds."""
        return self._judged(modality_differences(self.first, self.second))

    def _judged(self, found: Sequence[Difference]) -> tuple[Difference, ...]:
        """Without intervals where those of the two have different confidences."""
        if self.alike:
            return tuple(found)
        return tuple(Difference(d.name, bare(d.first), bare(d.second)) for d in found)


def bare(known: Known | None) -> Known | None:
    """The amount alone."""
    return None if known is None else Known(known.value, None)


def compared(first: Report, second: Report, places: tuple[str, str]) -> Comparison:
    """Both reports; ``places``: the paths they were read from, which name them."""
    levels = [r.information.confidence for r in (first, second) if r.information is not None]
    totals = [known.value for report in (first, second) for known in total(report).values()]
    highest = max(totals, default=0.0)
    wording = Wording("bits", highest, 2 if highest >= SMALL_TOTAL else 3, levels[0] if levels else 0.95)
    return Comparison(first, second, called(places), wording, len(set(levels)) == 1)


def called(places: tuple[str, str]) -> tuple[str, str]:
    """Short names of two paths; the paths where their ends are the same."""
    first, second = ("standard input" if place == "-" else Path(place).name or place for place in places)
    return (first, second) if first != second else places


def signed(both: Comparison, value: float) -> str:
    """``+0.12``, ``-0.12``, ``0.00``."""
    text = both.wording.amount(value)
    return f"+{text}" if value > 0 and both.wording.visible(value) else text
