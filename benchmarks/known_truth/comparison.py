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
    """Information of every subset, and the synergistic part of the whole, found and true, in bits.

    ``told``: what the latents themselves tell of the rows that were judged (see ``told``).
    """

    system: str
    mixing: str
    rows: int
    seconds: float
    found: Mapping[Subset, float]
    true: Mapping[Subset, float]
    found_synergy: float
    true_synergy: float
    told: Mapping[Subset, float]

    @property
    def judged(self) -> Mapping[Subset, float]:
        """What is found, less the luck of the rows: the latents themselves tell of few rows more or less than of all.

        The same in expectation as what is found, and nearer to that in a single draw (a control variate), for encoders
        that are not far from the latents have the same luck. Synergy and null systems are judged by what is found.
        """
        return {subset: value + self.true[subset] - self.told[subset] for subset, value in self.found.items()}

    @property
    def whole(self) -> Subset:
        """All modalities."""
        return max(self.true, key=len)

    @property
    def worst(self) -> Subset:
        """The subset whose information is furthest from the truth."""
        return max(self.true, key=lambda subset: abs(self.judged[subset] - self.true[subset]))

    @property
    def phantom(self) -> float:
        """Synergy found beyond the true one."""
        return self.found_synergy - self.true_synergy


def compared(
    report: Mapping[str, Any], truth: Mapping[str, Any], told: Mapping[Subset, float], seconds: float
) -> Comparison:
    """A report of a fit (the object of report.json, in bits) beside the truth of its table, and what is ``told`` of the
    rows that it judged.

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
        told,
    )


def mean_of(draws: Sequence[Comparison]) -> Comparison:
    """What fits of several draws of a system find in mean; seconds too.

    Raises ValueError where there is none, or they are of different systems, mixings or rows.
    """
    if len({(one.system, one.mixing, one.rows) for one in draws}) != 1:
        raise ValueError("draws of one system, one mixing and one number of rows are wanted")
    found = {subset: _mean([one.found[subset] for one in draws]) for subset in draws[0].true}
    told = {subset: _mean([one.told[subset] for one in draws]) for subset in draws[0].true}
    synergy, seconds = _mean([one.found_synergy for one in draws]), _mean([one.seconds for one in draws])
    return replace(draws[0], found=found, found_synergy=synergy, seconds=seconds, told=told)


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
    found, true = comparison.judged[subset], comparison.true[subset]
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
    "| system | mixing | rows | information found (true; told of the test rows by the latents), bits | worst error "
    "| phantom synergy | seconds | verdict |\n"
    "|---|---|---|---|---|---|---|---|"
)


def row(comparison: Comparison, which: str = "") -> str:
    """The comparison as a row under ``HEADER``; ``which`` of several follows the name of the system."""
    worst = comparison.worst
    shown = [subset for subset in comparison.true if len(subset) == 1 or subset == comparison.whole]
    cells = (
        ", ".join([comparison.system, *[which] * bool(which)]),
        comparison.mixing,
        str(comparison.rows),
        ", ".join(_found_and_true(comparison, subset) for subset in shown),
        f"{comparison.judged[worst] - comparison.true[worst]:+.3f} {_named(worst)}",
        f"{comparison.phantom:+.3f}",
        f"{comparison.seconds:.0f}",
        verdict(comparison),
    )
    return f"| {' | '.join(cells)} |"


def _found_and_true(comparison: Comparison, subset: Subset) -> str:
    name = "all" if subset == comparison.whole else _named(subset)
    found, true, told = (of[subset] for of in (comparison.found, comparison.true, comparison.told))
    return f"{name} {found:.3f} ({true:.3f}; {told:.3f})"


def _named(subset: Subset) -> str:
    return "+".join(subset)
