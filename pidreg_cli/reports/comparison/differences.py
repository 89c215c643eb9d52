"""Amounts of two reports, and intervals of their differences."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pidreg_cli.reports.model import Report
from pidreg_cli.reports.numbers import Interval

BITS_PER_NAT = 1 / math.log(2)
ROUNDING = 1e-12
"""Of amounts that are the same: relative, or in bits."""
Reading = Literal["more", "less", "may be chance", "same", "-"]


@dataclass(frozen=True)
class Known:
    """An amount of one report with its interval, None where there is none."""

    value: float
    ci: tuple[float, float] | None


@dataclass(frozen=True)
class Difference:
    """An amount in both reports, None in one that lacks it; ``change``: the second less the first."""

    name: str
    first: Known | None
    second: Known | None

    @property
    def change(self) -> Known | None:
        """The second less the first, with its interval."""
        if self.first is None or self.second is None:
            return None
        return Known(self.second.value - self.first.value, difference_interval(self.first, self.second))

    @property
    def reading(self) -> Reading:
        """Whether the change can be told from chance; a dash where that is not known."""
        change = self.change
        if change is None:
            return "-"
        if _same(self.first, self.second):
            return "same"
        if change.ci is None:
            return "-"
        return "more" if change.ci[0] > 0 else "less" if change.ci[1] < 0 else "may be chance"


def _same(first: Known | None, second: Known | None) -> bool:
    """But for rounding: units are exchanged for bits."""
    if first is None or second is None or (first.ci is None) != (second.ci is None):
        return False
    ends = zip((first.value, *(first.ci or ())), (second.value, *(second.ci or ())), strict=True)
    return all(math.isclose(one, other, rel_tol=ROUNDING, abs_tol=ROUNDING) for one, other in ends)


def difference_interval(first: Known, second: Known) -> tuple[float, float] | None:
    """Interval of ``second - first`` of independent estimates, at the confidence of theirs; None without these.

    Square and add (Zou and Donner, Statistics in Medicine 27, 2008): each end lies as far from the difference as the
    ends that decide it, the lower of one and the upper of the other, lie from their values together. Estimates from
    the same rows err alike, so that the interval is then too wide rather than too narrow.
    """
    if first.ci is None or second.ci is None:
        return None
    change = second.value - first.value
    down = math.hypot(second.value - second.ci[0], first.ci[1] - first.value)
    up = math.hypot(second.ci[1] - second.value, first.value - first.ci[0])
    return change - down, change + up


def part_differences(first: Report, second: Report) -> tuple[Difference, ...]:
    """Total and, where both reports have them by the same measure, its parts."""
    if first.pid is None or second.pid is None or first.pid.measure != second.pid.measure:
        return paired(total(first), total(second))
    return paired(parts(first), parts(second))


def modality_differences(first: Report, second: Report) -> tuple[Difference, ...]:
    """What each modality tells on its own and adds to the others: no choice of measure changes these."""
    return paired(amounts(first), amounts(second))


def paired(first: Mapping[str, Known], second: Mapping[str, Known]) -> tuple[Difference, ...]:
    """By name, in the order of the first report, then what only the second has."""
    return tuple(Difference(name, first.get(name), second.get(name)) for name in {**first, **second})


def total(report: Report) -> dict[str, Known]:
    """Information of all modalities together, in bits."""
    if report.information is None:
        return {}
    whole = report.information.values[-1]
    return {"total": in_bits(report, whole.value, whole.ci)}


def parts(report: Report) -> dict[str, Known]:
    """The summary of the decomposition, in bits."""
    if report.pid is None:
        return {}
    summary, spans = report.pid.summary, report.pid.summary_ci
    unique = {
        f"unique to {name}": in_bits(report, value, None if spans is None else spans.unique[name])
        for name, value in summary.unique.items()
    }
    shared = in_bits(report, summary.redundant, None if spans is None else spans.redundant)
    joint = in_bits(report, summary.synergistic, None if spans is None else spans.synergistic)
    return {**total(report), **unique, "shared": shared, "only together": joint}


def amounts(report: Report) -> dict[str, Known]:
    """Per modality, in bits."""
    if report.information is None:
        return {}
    alone = {v.modalities[0]: v for v in report.information.values if len(v.modalities) == 1}
    added = {row.modality: row for row in report.one_versus_rest}
    found = {}
    for name in report.names:
        found[f"{name} on its own"] = in_bits(report, alone[name].value, alone[name].ci)
        if name in added:
            found[f"{name} added to the others"] = in_bits(report, added[name].added, added[name].added_ci)
    return found


def in_bits(report: Report, value: float, ci: Interval) -> Known:
    """The amount in bits, whatever the units of the report."""
    scale = BITS_PER_NAT if report.information is not None and report.information.units == "nats" else 1.0
    whole = None if ci is None or ci[0] is None or ci[1] is None else (ci[0] * scale, ci[1] * scale)
    return Known(value * scale, whole)
