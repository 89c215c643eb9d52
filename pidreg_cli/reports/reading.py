"""What the numbers of a modality mean for keeping it: a verdict by stated rules, and a sentence.

Three amounts decide: what the modality tells on its own, what it adds to all the others, and what of this
is unique to it. An amount is there where its interval lies above zero; it is negligible where its interval
ends below ``NEGLIGIBLE``. In this order:

- it adds something, but a negligible amount: ``adds little``;
- it adds, and its unique part is there: ``adds its own``;
- it adds, and another measure than the headline calls more than a negligible part unique: ``adds``;
- it adds, and tells nothing on its own: ``only in combination``; else ``adds in combination``;
- it is open whether it adds anything, but it may be more than negligible: ``unclear``;
- it adds a negligible amount at most: ``replaceable`` where it tells something on its own, else
  ``nothing visible``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from pidreg_cli.reports.model import Measure, OneVersusRest, Report
from pidreg_cli.reports.wording import Span, Wording

NEGLIGIBLE = 0.02
"""Bits: so much information makes predictions better by 1.4 % of their error, whatever the total."""
BITS_PER_NAT = 1 / math.log(2)

Verdict = Literal[
    "adds its own",
    "adds",
    "adds in combination",
    "only in combination",
    "adds little",
    "replaceable",
    "nothing visible",
    "unclear",
]


def measure_of(report: Report) -> Measure | None:
    """Of the parts, or of each modality against the others; None for one modality."""
    parts = [report.pid, *report.one_versus_rest]
    return next((part.measure for part in parts if part is not None), None)


@dataclass(frozen=True)
class Amount:
    """A value and its interval."""

    value: float
    ci: Span

    @property
    def low(self) -> float:
        """Lower end; the value itself without an interval."""
        return self.value if self.ci is None or self.ci[0] is None else self.ci[0]

    @property
    def high(self) -> float:
        """Upper end; the value itself without an interval."""
        return self.value if self.ci is None or self.ci[1] is None else self.ci[1]


@dataclass(frozen=True)
class Reading:
    """A modality of at least two: its amounts and the verdict; ``least_unique``, ``most_unique``: by the measures
    that give it least and most, the headline among them.
    """

    modality: str
    alone: Amount
    unique: Amount
    least_unique: float
    most_unique: float
    added: Amount
    verdict: Verdict


def verdict_of(alone: Amount, unique: Amount, most_unique: float, added: Amount, bound: float) -> Verdict:
    """The verdict, by the rules of this module."""
    if added.low > 0:
        return _adding(alone, unique, most_unique, added, bound)
    if added.high > bound:
        return "unclear"
    return "replaceable" if alone.low > 0 else "nothing visible"


def _adding(alone: Amount, unique: Amount, most_unique: float, added: Amount, bound: float) -> Verdict:
    if added.high <= bound:
        return "adds little"
    if unique.low > 0:
        return "adds its own"
    if most_unique > bound:
        return "adds"
    return "adds in combination" if alone.low > 0 else "only in combination"


def readings(report: Report) -> tuple[Reading, ...]:
    """One per modality; empty where there is nothing to compare."""
    if report.information is None:
        return ()
    bound = negligible(report.information.units)
    singles = {v.modalities[0]: v for v in report.information.values if len(v.modalities) == 1}
    found = []
    for row in report.one_versus_rest:
        alone = Amount(singles[row.modality].value, singles[row.modality].ci)
        unique, added = _unique(report, row), Amount(row.added, row.added_ci)
        known = [unique.value, *other_uniques(report, row.modality)]
        # Other measures divide differently; only by these two the others lack what is unique.
        lacking = unique if row.measure in ("broja", "mmi") else Amount(0.0, None)
        verdict = verdict_of(alone, lacking, max(known), added, bound)
        found.append(Reading(row.modality, alone, unique, min(known), max(known), added, verdict))
    return tuple(found)


def negligible(units: str) -> float:
    """``NEGLIGIBLE`` in bits or nats."""
    return NEGLIGIBLE if units == "bits" else NEGLIGIBLE / BITS_PER_NAT


def other_uniques(report: Report, modality: str) -> list[float]:
    """What the other measures call unique to the modality."""
    summaries = [s.summary.unique[modality] for s in report.sensitivity if s.summary is not None]
    rows = [row for s in report.sensitivity for row in s.one_versus_rest or ()]
    return [*summaries, *(row.unique for row in rows if row.modality == modality)]


def _unique(report: Report, row: OneVersusRest) -> Amount:
    """By the headline; against the rest, and without an interval, where its measure takes two sources only."""
    if report.pid is None:
        return Amount(row.unique, None)
    spans = report.pid.summary_ci
    unique = report.pid.summary.unique[row.modality]
    return Amount(unique, None if spans is None else spans.unique[row.modality])


def meaning(reading: Reading, wording: Wording) -> str:
    """The verdict in a sentence with its numbers."""
    added, unique = wording.with_units(reading.added.value), wording.with_units(reading.unique.value)
    high = wording.with_units(reading.added.high)
    texts: dict[Verdict, str] = {
        "adds its own": f"the others, however combined, lack {unique} of what it tells",
        "adds": f"{added} more than the others tell; {unique_range(reading, wording)}",
        "adds in combination": f"{added} more than the others tell, to be seen only once these are known",
        "only in combination": f"on its own nothing that can be told from zero, but {added} once the others are known",
        "adds little": f"{added} more than the others tell: real, but small",
        "replaceable": "what it tells, the others tell too",
        "nothing visible": "nothing that can be told from zero, alone or with the others",
        "unclear": f"it may add up to {high} to the others, or nothing; more rows would tell",
    }
    return f"{reading.verdict}: {texts[reading.verdict]}"


def unique_range(reading: Reading, wording: Wording) -> str:
    """How much the known measures call unique, from the least to the most."""
    least, most = wording.amount(reading.least_unique), wording.with_units(reading.most_unique)
    if least == wording.amount(reading.most_unique):
        return f"by every measure {most} of this are unique to it"
    lower = least if wording.visible(reading.least_unique) else "none"
    return f"how much of this is unique to it, from {lower} to {most}, depends on the measure"
