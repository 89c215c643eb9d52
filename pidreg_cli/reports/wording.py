"""Numbers and names as words: one way to write each, for every rendering."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pidreg_cli.reports.model import Report

Span = tuple[float | None, float | None] | None

SMALL_TOTAL = 0.1
"""Below this total (bits) two decimals would hide the parts."""
NONE = "-"
PROTOCOLS = {
    "split": "the {rows} test rows, which neither trained nor tuned the model",
    "valid": "the {rows} validation rows, which stopped training but did not train",
    "folds": "all {rows} rows, each read by a model that did not see it",
    "new-data": "the {rows} labelled rows given after the fit",
    "features": "all {rows} rows, without a model",
}


def decimal(value: float, places: int = 2) -> str:
    """Fixed decimals, never ``-0.00``."""
    return f"{round(value, places) + 0.0:.{places}f}"


def percent(share: float | None, places: int = 0) -> str:
    """A share as ``38 %``; a dash where there is none."""
    return NONE if share is None else f"{decimal(100 * share, places)} %"


def measured(value: float | None) -> str:
    """A number in the target's units: four digits, thousands separated."""
    if value is None:
        return NONE
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def rows_phrase(protocol: str, rows: int) -> str:
    """Which rows a number comes from."""
    return PROTOCOLS.get(protocol, "{rows} rows").format(rows=f"{rows:,}")


def listing(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def together(names: Sequence[str]) -> str:
    """A set of modalities as one candidate: ``a + b``."""
    return " + ".join(names)


def explained(information: float, units: str) -> float:
    """Share of variance that this much information about a normal target predicts: ``1 - 2^(-2 I)`` for
    bits.
    """
    return 1.0 - math.exp(-2.0 * information * (math.log(2.0) if units == "bits" else 1.0))


@dataclass(frozen=True)
class Wording:
    """Amounts of information of one report, with the decimals and the total that fit it."""

    units: str
    total: float
    places: int
    confidence: float

    @classmethod
    def of(cls, report: Report) -> Wording:
        """For a report with information."""
        if report.information is None:
            raise ValueError("a report without information has no amounts")
        total = report.information.values[-1].value
        places = 2 if total >= SMALL_TOTAL else 3
        return cls(report.information.units, total, places, report.information.confidence)

    def amount(self, value: float | None) -> str:
        """``0.37``."""
        return NONE if value is None else decimal(value, self.places)

    def visible(self, value: float) -> bool:
        """Whether the amount differs from zero as printed."""
        return self.amount(abs(value)) != self.amount(0.0)

    def with_units(self, value: float) -> str:
        """``0.37 bits``."""
        return f"{self.amount(value)} {self.units}"

    def share(self, value: float) -> str:
        """``38 %`` of the total."""
        return percent(value / self.total if self.total > 0 else None)

    def span(self, ci: Span) -> str:
        """``0.31 to 0.43``."""
        if ci is None or None in ci:
            return NONE
        return f"{self.amount(ci[0])} to {self.amount(ci[1])}"

    def cell(self, value: float, ci: Span) -> str:
        """``0.37  (38 %)  0.31 to 0.43``."""
        known = f"  {self.span(ci)}" if ci is not None else ""
        return f"{self.amount(value)} {f'({self.share(value)})':>7}{known}"

    def interval_name(self) -> str:
        """``95 % CI``."""
        return f"{100 * self.confidence:g} % CI"
