"""Found information beside the true one, and the rules that it must keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

Subset = tuple[str, ...]

JUDGED_ROWS = 20_000
"""Rows from which on the rules apply."""

# Of mild mixing: bits, or the share of the truth where that is more.
NEAR_BITS = 0.05
NEAR_SHARE = 0.05
# Of stronger mixing: the least share of the truth.
LEAST_SHARE = 0.90
# Truths up to this many bits are none at all.
NOTHING = 0.001
PHANTOM_LIMIT = 0.02
NULL_LIMIT = 0.01


@dataclass(frozen=True)
class Comparison:
    """Information of every subset, and the synergistic part of the whole, found and true, in bits."""

    system: str
    mixing: str
    rows: int
    seconds: float
    found: Mapping[Subset, float]
    true: Mapping[Subset, float]
    found_synergy: float
    true_synergy: float

    @property
    def whole(self) -> Subset:
        """All modalities."""
        return max(self.true, key=len)

    @property
    def worst(self) -> Subset:
        """The subset whose information is furthest from the truth."""
        return max(self.true, key=lambda subset: abs(self.found[subset] - self.true[subset]))

    @property
    def phantom(self) -> float:
        """Synergy found beyond the true one."""
        return self.found_synergy - self.true_synergy


def compared(report: Mapping[str, Any], truth: Mapping[str, Any], seconds: float) -> Comparison:
    """A report of a fit (the object of report.json, in bits) beside the truth of its table.

    Raises ValueError where the report has no decomposition or is in other units.
    """
    information, pid = report["information"], report["pid"]
    if information is None or pid is None:
        raise ValueError("the report has no decomposition")
    if information["units"] != truth["units"]:
        raise ValueError(f"the report is in {information['units']}, the truth in {truth['units']}")
    return Comparison(
        truth["system"],
        truth.get("mixing", "mild"),
        truth["rows"],
        seconds,
        {tuple(entry["modalities"]): entry["value"] for entry in information["values"]},
        {tuple(entry["modalities"]): entry["reported"] for entry in truth["information"]},
        pid["summary"]["synergistic"],
        truth["summary"]["synergistic"],
    )


def mean_of(draws: Sequence[Comparison]) -> Comparison:
    """What fits of several draws of a system find in mean; seconds too. The test rows of one draw tell of an
    information of .4 bits within .015 (one standard error of 4,000 rows), whoever predicts them.

    Raises ValueError where there is none, or they are of different systems, mixings or rows.
    """
    if len({(one.system, one.mixing, one.rows) for one in draws}) != 1:
        raise ValueError("draws of one system, one mixing and one number of rows are wanted")
    found = {subset: _mean([one.found[subset] for one in draws]) for subset in draws[0].true}
    synergy, seconds = _mean([one.found_synergy for one in draws]), _mean([one.seconds for one in draws])
    return replace(draws[0], found=found, found_synergy=synergy, seconds=seconds)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def broken_rules(comparison: Comparison) -> list[str]:
    """The rules that a fit did not keep, in words; none where it has too few rows to be judged."""
    if comparison.rows < JUDGED_ROWS:
        return []
    broken = [_named(subset) for subset in comparison.true if not _keeps(comparison, subset)]
    if comparison.true_synergy < NOTHING and comparison.phantom >= PHANTOM_LIMIT:
        broken.append("phantom synergy")
    if comparison.true[comparison.whole] < NOTHING and comparison.found[comparison.whole] >= NULL_LIMIT:
        broken.append("null")
    return broken


def _keeps(comparison: Comparison, subset: Subset) -> bool:
    found, true = comparison.found[subset], comparison.true[subset]
    if comparison.mixing == "mild":
        return abs(found - true) <= max(NEAR_BITS, NEAR_SHARE * true)
    return found >= LEAST_SHARE * true


def verdict(comparison: Comparison) -> str:
    """``ok``, what does not hold, or that there are too few rows for a verdict."""
    if comparison.rows < JUDGED_ROWS:
        return "not judged"
    broken = broken_rules(comparison)
    return f"fails: {', '.join(broken)}" if broken else "ok"


HEADER = (
    "| system | mixing | rows | information found (true), bits | worst error | phantom synergy | seconds | verdict |\n"
    "|---|---|---|---|---|---|---|---|"
)


def row(comparison: Comparison, which: str = "") -> str:
    """The comparison as a row under ``HEADER``; ``which`` of several follows the name of the system."""
    shown = [subset for subset in comparison.true if len(subset) == 1 or subset == comparison.whole]
    cells = (
        ", ".join([comparison.system, *[which] * bool(which)]),
        comparison.mixing,
        str(comparison.rows),
        ", ".join(_found_and_true(comparison, subset) for subset in shown),
        f"{comparison.found[comparison.worst] - comparison.true[comparison.worst]:+.3f} {_named(comparison.worst)}",
        f"{comparison.phantom:+.3f}",
        f"{comparison.seconds:.0f}",
        verdict(comparison),
    )
    return f"| {' | '.join(cells)} |"


def _found_and_true(comparison: Comparison, subset: Subset) -> str:
    name = "all" if subset == comparison.whole else _named(subset)
    return f"{name} {comparison.found[subset]:.3f} ({comparison.true[subset]:.3f})"


def _named(subset: Subset) -> str:
    return "+".join(subset)
