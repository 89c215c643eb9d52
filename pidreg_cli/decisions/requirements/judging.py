"""Whether a report keeps requirements, and how far it has moved from a baseline."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pidreg_cli.decisions.requirements.language import Bound, Name, Requirement, written
from pidreg_cli.decisions.requirements.names import Amount, Content, Words, against_rest, amount_of, amounts
from pidreg_cli.errors import UsageError
from pidreg_cli.harmless import marked

Use = Literal["value", "ci"]
Kind = Literal["requirement", "drift"]
Span = tuple[float | None, float | None] | None

_COMPARE: Mapping[str, Callable[[Any, Any], bool]] = {
    ">=": operator.ge,
    ">": operator.gt,
    "<=": operator.le,
    "<": operator.lt,
    "==": operator.eq,
    "!=": operator.ne,
}


@dataclass(frozen=True)
class Verdict:
    """One check: what was asked, what the report says, and whether that holds.

    ``judged`` is the number that decided: the value, an end of its interval, or a drift; None where there was none.
    ``reason`` says in words why it does not hold, empty where it does.
    """

    kind: Kind
    title: str
    requirement: str
    value: float | bool | str | None
    ci: Span
    judged: float | bool | str | None
    held: bool
    reason: str


def judge(
    report: Content,
    requirement: Requirement,
    use: Use,
    title: str = "",
    may_have: Callable[[Words], bool] = lambda _: False,
) -> Verdict:
    """Whether the report keeps ``requirement``. Raises UsageError for an unknown name or values of another type.

    ``use`` "ci" judges the end of the interval that is nearer to breaking the rule; a number without an interval, and
    null, do not hold. ``may_have``: whether other reports have a value at a path, that is null here where a part on the
    way is.
    """
    found = amount_of(report, requirement.name, may_have)
    _check_types(found.value, requirement)
    judged, held, reason = _judged(found, requirement, use)
    text = str(requirement)
    return Verdict("requirement", title or text, text, found.value, found.ci, judged, held, reason)


def _check_types(value: object, requirement: Requirement) -> None:
    """A number is compared with numbers, a text with texts: anything else is a mistake in the rule."""
    if value is None or _type(value) == _type(requirement.bound):
        return
    raise UsageError(
        "check.type",
        f"{requirement}: the report has {_told(value)} there, which is no {_type(requirement.bound)}",
        f"compare {requirement.name} with a {_type(value)}",
    )


def _told(value: object) -> str:
    return written(value) if isinstance(value, bool) else repr(value)


def _type(value: object) -> str:
    if isinstance(value, bool):
        return "truth value"
    return "text" if isinstance(value, str) else "number"


def _judged(found: Amount, requirement: Requirement, use: Use) -> tuple[Bound | None, bool, str]:
    if found.value is None:
        what = "number" if _type(requirement.bound) == "number" else "value"
        return None, False, f"the report has no {what} there (null)"
    if use == "value" or _type(found.value) != "number":
        held = _COMPARE[requirement.operator](found.value, requirement.bound)
        return found.value, held, "" if held else f"it is {shown(found.value)}"
    return _judged_by_interval(found.ci, requirement)


def _judged_by_interval(ci: Span, requirement: Requirement) -> tuple[float | None, bool, str]:
    low, high = ci or (None, None)
    if low is None or high is None:
        return None, False, "the report has no interval there"
    compare, bound = _COMPARE[requirement.operator], requirement.bound
    if requirement.operator == "!=":
        inside = low <= bound <= high  # type: ignore[operator]
        return (low if bound < low else high), not inside, "its interval holds that number" if inside else ""  # type: ignore[operator]
    far, near = (high, low) if requirement.operator in (">=", ">") else (low, high)
    held = compare(near, bound) and (requirement.operator != "==" or compare(far, bound))
    return near, held, "" if held else f"its interval ends at {shown(near)}"


def drift_verdicts(
    report: Content, baseline: Content, most_bits: float | None, most_widths: float | None
) -> list[Verdict]:
    """How far total, redundant, synergistic and each unique part moved, against the limits given.

    Where the measure decomposes two sources only and there are more, the parts are those of each modality against all
    others. Parts of such a measure have no intervals: what each modality adds to the others does. ``most_bits``:
    absolute difference in bits; ``most_widths``: difference over the width of the wider of the two intervals. Raises
    UsageError where the two reports do not measure the same.
    """
    _check_comparable(report, baseline)
    new, old = (amounts(one) | against_rest(one) for one in (report, baseline))
    parts = [
        words for words in amounts(report) if words[0] in ("total", "redundant", "synergistic", "unique")
    ]
    rest = list(against_rest(report))
    added = [("total",), *(words for words in rest if words[-1] == "added")]
    in_bits = parts if report["pid"] else [("total",), *(words for words in rest if words[-1] != "added")]
    in_widths = parts if _parts_have_intervals(report) else added
    found = []
    if most_bits is not None:
        found += [_bit_drift(Name(words), new[words], old[words], most_bits) for words in in_bits]
    if most_widths is not None:
        found += [_width_drift(Name(words), new[words], old[words], most_widths) for words in in_widths]
    return found


def _parts_have_intervals(report: Content) -> bool:
    """False also of measures of two sources of which there are more: these have no parts."""
    spans = (report["pid"] or {}).get("summary_ci")
    return spans is not None and spans["redundant"] is not None


def _bit_drift(name: Name, new: Amount, old: Amount, most: float) -> Verdict:
    moved = _moved(new, old)
    text = f"drift of {name} <= {most:.12g} {'bit' if most == 1 else 'bits'}"
    return _drift(text, new, moved, most, "bits", f"from {shown(old.value)} to {shown(new.value)}")


def _width_drift(name: Name, new: Amount, old: Amount, most: float) -> Verdict:
    width = max((_width(one.ci) or 0.0 for one in (new, old)), default=0.0)
    known = _width(new.ci) is not None and _width(old.ci) is not None
    moved = _moved(new, old) if known else None
    if moved is not None:
        moved = moved / width if width > 0 else (0.0 if moved == 0 else math.inf)
    text = f"drift of {name} <= {most:.12g} interval widths"
    return _drift(text, new, moved, most, "widths", f"from {shown(old.value)} to {shown(new.value)}")


def _drift(text: str, new: Amount, moved: float | None, most: float, unit: str, change: str) -> Verdict:
    held = moved is not None and moved <= most
    reason = "" if held else f"it moved {shown(moved)} {unit}, {change}"
    if moved == math.inf:
        reason = f"it moved, and both intervals are of width zero, {change}"
    if moved is None:
        reason = "one of the reports has no number or no interval there"
    judged = moved if moved is None or math.isfinite(moved) else None
    return Verdict("drift", text, text, new.value, new.ci, judged, held, reason)


def _moved(new: Amount, old: Amount) -> float | None:
    if isinstance(new.value, float | int) and isinstance(old.value, float | int):
        return abs(float(new.value) - float(old.value))
    return None


def _width(ci: Span) -> float | None:
    low, high = ci or (None, None)
    return None if low is None or high is None else high - low


def _check_comparable(report: Content, baseline: Content) -> None:
    for what, of in _IDENTITY.items():
        new, old = of(report), of(baseline)
        if new != old:
            raise UsageError(
                "check.other_baseline",
                f"the baseline has another {what}: {_named(old)}; the report has {_named(new)}",
                "give the baseline of the same question, or make a new one",
            )


def _named(value: object) -> str:
    return marked(str(value)) if value else "none"


def _modalities(report: Content) -> str:
    return ", ".join(sorted(modality["name"] for modality in report["modalities"]))


def _measure(report: Content) -> str | None:
    parts = [report["pid"], *report["one_versus_rest"]]
    return next((part["measure"] for part in parts if part is not None), None)


_IDENTITY: Mapping[str, Callable[[Content], object]] = {
    "list of modalities": _modalities,
    "target": lambda report: report["data"]["target"],
    "measure": _measure,
    "estimator": lambda report: (report["information"] or {}).get("estimator"),
    "kind of interactions": lambda report: (report["information"] or {}).get("interactions"),
    "list of covariates": lambda report: ", ".join(
        sorted((report["information"] or {}).get("covariates") or ())
    ),
}


def shown(value: object) -> str:
    """A value in few digits; truth values and null as rules and reports write them."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return written(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)
