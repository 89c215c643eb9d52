"""The reason of a recommendation, in one sentence with its numbers."""

from __future__ import annotations

from collections.abc import Sequence

from pidreg_cli.decisions.findings import listed
from pidreg_cli.decisions.selection import NO_LOSS, Choice, Contrast, Rule
from pidreg_cli.information.lattice import sources_of


def reason(choice: Choice, names: Sequence[str], confidence: float) -> str:
    """Why ``choice.recommended``, for modalities called ``names``."""
    if choice.recommended == 0:
        return nothing_reason(choice, confidence)
    if not choice.affordable:
        return budget_reason(choice, names, confidence)
    if choice.recommended == choice.reference == choice.full:
        return keep_reason(choice, names, confidence)
    if choice.recommended == choice.reference:
        return better_without(choice, names)
    return drop_reason(choice, names, confidence)


def named(mask: int, names: Sequence[str]) -> str:
    """Names of a set, for a sentence."""
    return listed(tuple(names[i] for i in sources_of(mask)), most=len(names))


def number(value: float) -> str:
    """Two decimals, never ``-0.00``."""
    return f"{round(value, 2) + 0.0:.2f}"


def bits_of(contrast: Contrast, confidence: float) -> str:
    """``0.01 bits (95 % CI -0.01 to 0.03)``."""
    if contrast.interval is None:
        return f"{number(contrast.bits)} bits"
    low, high = contrast.interval
    return f"{number(contrast.bits)} bits ({100 * confidence:g} % CI {number(low)} to {number(high)})"


def percent(share: float) -> str:
    """``0.3 %``; ``1e-07`` reads as ``0.0 %``, never as ``-0.0 %``."""
    return f"{round(100 * share, 1) + 0.0:.1f} %"


def allowed(tolerance: float) -> str:
    """``1 %``, ``0.5 %``."""
    return f"{100 * tolerance:g} %"


def nothing_reason(choice: Choice, confidence: float) -> str:
    """Nothing, or nothing within the budget, predicts better than the mean."""
    if not choice.affordable:
        return (
            f"keep none: nothing within the budget of {choice.rule.budget:g} predicts measurably better than the mean; "
            f"all modalities would add {bits_of(choice.against, confidence)} and {would(choice)}"
        )
    gain = gain_of(choice.against)
    effect = f"lower RMSE by {percent(gain)}" if gain > 0 else f"raise RMSE by {percent(-gain)}"
    return (
        "keep none: all modalities together do not predict measurably better than the mean; they tell "
        f"{bits_of(choice.against, confidence)} and {effect}"
    )


def gain_of(contrast: Contrast) -> float:
    """Share of its RMSE that the smaller set would lose by what the reference adds."""
    return 1 - 1 / (1 + contrast.loss)


def keep_reason(choice: Choice, names: Sequence[str], confidence: float) -> str:
    """Nothing can be dropped."""
    against = choice.against
    one = choice.full.bit_count() == 1
    subject = (
        "without it" if one else f"without {named(choice.full - against.smaller, names)}, the least needed,"
    )
    loss = f"{bits_of(against, confidence)} are lost and RMSE rises by {percent(against.loss)}"
    return f"keep {'it' if one else 'all'}: {subject} {loss}{why_not(against, choice.rule)}"


def why_not(against: Contrast, rule: Rule) -> str:
    """Which condition of the rule a loss violates."""
    if rule.name == "one-se":
        return f", more than one standard error ({percent(against.standard_error)})"
    if against.loss > rule.tolerance:
        return f", more than the tolerance of {allowed(rule.tolerance)}"
    return f", within the tolerance of {allowed(rule.tolerance)} but more than chance explains"


def better_without(choice: Choice, names: Sequence[str]) -> str:
    """A smaller set predicts better than all."""
    rmse = {c.mask: c.expected_rmse for c in choice.candidates}
    gain = rmse[choice.full] / rmse[choice.recommended] - 1
    dropped = named(choice.full - choice.recommended, names)
    return f"drop {dropped}: with all modalities RMSE is {percent(gain)} higher than without"


def drop_reason(choice: Choice, names: Sequence[str], confidence: float) -> str:
    """What keeping more would add."""
    return (
        f"{subject_of(choice, names)} adds {bits_of(choice.against, confidence)} and {effect_of(choice)}"
        f"{within(choice)}"
    )


def effect_of(choice: Choice) -> str:
    """``lowers RMSE by 0.3 % at a cost of 1200``."""
    against = choice.against
    lowered = f"lowers RMSE by {percent(gain_of(against))}" if against.loss > 0 else "does not lower RMSE"
    return f"{lowered} at a cost of {against.cost:g}" if choice.priced and against.cost > 0 else lowered


def would(choice: Choice) -> str:
    """``lower RMSE by 9.8 % at a cost of 2``."""
    return effect_of(choice).replace("lowers", "lower") if choice.against.loss > 0 else "not lower RMSE"


def within(choice: Choice) -> str:
    """Which bound a loss keeps."""
    against, rule = choice.against, choice.rule
    if rule.name == "tolerance":
        return f", within the tolerance of {allowed(rule.tolerance)}"
    if against.loss <= NO_LOSS:
        return ""
    return f", within one standard error ({percent(against.standard_error)})"


def budget_reason(choice: Choice, names: Sequence[str], confidence: float) -> str:
    """All modalities are beyond the budget."""
    kept, against = choice.recommended, choice.against
    best = "the best set" if kept == choice.reference else "about as good as the best set"
    return (
        f"keep {named(kept, names)}: {best} within the budget of {choice.rule.budget:g}; "
        f"{named(choice.full - kept, names)} would add {bits_of(against, confidence)} and {would(choice)}"
    )


def subject_of(choice: Choice, names: Sequence[str]) -> str:
    """``drop b: keeping it``; where all modalities are not the reference: ``keep a: the best set, a and
    b,``.
    """
    if choice.reference != choice.full:
        return f"keep {named(choice.recommended, names)}: the best set, {named(choice.reference, names)},"
    dropped = choice.full - choice.recommended
    return f"drop {named(dropped, names)}: keeping {'it' if dropped.bit_count() == 1 else 'them'}"
