"""Whether a recommendation held when it was retrained, in one sentence with its numbers."""

from __future__ import annotations

from dataclasses import dataclass

from pidreg_cli.decisions.findings import listed
from pidreg_cli.decisions.reasons import allowed, number
from pidreg_cli.decisions.selection import Rule


@dataclass(frozen=True)
class Comparison:
    """A set of modalities against all, on the same held-out rows.

    ``rmse``, ``rmse_all``: in the target's units. ``loss``: share by which the RMSE of the set is larger; ``bits``:
    information of all less that of the set; both with their intervals. ``good``: whether the set predicts well enough
    by the ``rule``. ``expected``: the loss that the choice expected.
    """

    rmse: float
    rmse_all: float
    loss: float
    loss_interval: tuple[float, float]
    bits: float
    bits_interval: tuple[float, float]
    good: bool
    rule: Rule
    expected: float
    confidence: float


def verdict(
    found: Comparison, left: tuple[str, ...], *, kept_all: bool, affordable: bool, nothing: bool = False
) -> tuple[bool, str]:
    """Whether the recommendation is confirmed, and the sentence.

    ``left``: modalities that the compared set lacks; ``nothing``: it lacks all. ``kept_all``: all are recommended, and
    the set without the least needed was compared. A budget that does not allow all leaves no choice: it is confirmed
    that the loss is not larger than expected.
    """
    if not affordable:
        confirmed = found.loss_interval[0] <= max(found.expected, found.rule.tolerance)
        bound = f"{_share(found.expected)} were expected"
    else:
        confirmed = found.good != kept_all
        bound = _bound(found)
    result = "confirmed" if confirmed else "not confirmed"
    return (
        confirmed,
        f"{result}: {_subject(left, kept_all=kept_all, nothing=nothing)}, {_difference(found)}; {bound}",
    )


def _subject(left: tuple[str, ...], *, kept_all: bool, nothing: bool) -> str:
    if nothing:
        return "predicting the mean of the same rows"
    least = ", the least needed," if kept_all else ""
    return f"retrained without {listed(left, most=len(left))}{least} on the same splits"


def _difference(found: Comparison) -> str:
    low, high = found.loss_interval
    direction = "higher" if found.loss >= 0 else "lower"
    interval = f"{100 * found.confidence:g} % CI"
    bits_low, bits_high = found.bits_interval
    return (
        f"RMSE is {found.rmse:.4g} against {found.rmse_all:.4g} with all, {_share(abs(found.loss))} {direction} "
        f"({interval} {_number(low)} to {_share(high)}), and {number(found.bits)} bits are lost "
        f"({interval} {number(bits_low)} to {number(bits_high)})"
    )


def _bound(found: Comparison) -> str:
    rule = found.rule
    if rule.name == "one-se":
        return "within one standard error" if found.good else "more than one standard error"
    if found.good:
        return f"within the tolerance of {allowed(rule.tolerance)}"
    if found.loss > rule.tolerance:
        chance = " though chance explains it" if found.loss_interval[0] <= 0 else ""
        return f"more than the tolerance of {allowed(rule.tolerance)}{',' if chance else ''}{chance}"
    return f"within the tolerance of {allowed(rule.tolerance)} but more than chance explains"


def _share(share: float) -> str:
    return f"{_number(share)} %"


def _number(share: float) -> str:
    return f"{round(100 * share, 1) + 0.0:.1f}"
