"""What a name means in a report: the amounts that people ask for, and every other value by its path.

Informations are in bits, also of a report in nats, so that a rule means the same for both; a value by its path is as
the report has it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pidreg_cli.decisions.requirements.language import Name
from pidreg_cli.errors import UsageError

Content = Mapping[str, Any]
Words = tuple[str, ...]

PARTS = ("redundant", "synergistic")
# What tells the elements of a list apart, in this order.
LABELS = ("id", "name", "modality", "measure", "code")
BITS_PER_NAT = 1 / math.log(2)


@dataclass(frozen=True)
class Amount:
    """A value of the report, None for null, and its interval where the report has one."""

    value: float | bool | str | None
    ci: tuple[float | None, float | None] | None = None


def amount_of(report: Content, name: Name) -> Amount:
    """The value of ``name``. Raises UsageError with the nearest names where there is none."""
    known = amounts(report)
    found = known.get(name.words) or _by_path(report, name.words)
    if found is None:
        raise UsageError("check.unknown_name", f"the report has no value {name}", _hint(report, known, name))
    return found


def amounts(report: Content) -> dict[Words, Amount]:
    """Amounts by the short names of the command line."""
    return {
        **_parts(report),
        **_shares(report),
        **_informations(report),
        **_named(report, "shapley", report["shapley"], _scale(report)),
        **_named(report, "weight", (report["fusion"] or {}).get("weights"), 1.0),
    }


def _parts(report: Content) -> dict[Words, Amount]:
    """``total``, ``redundant``, ``synergistic``, ``unique.NAME``; with one modality the total alone."""
    names = [modality["name"] for modality in report["modalities"]]
    if report["pid"] is None:
        values = (report["information"] or {}).get("values") or [{}]
        empty: dict[Words, Amount] = {(part,): Amount(None) for part in PARTS}
        total = _scaled(values[-1].get("value"), values[-1].get("ci"), _scale(report))
        return {("total",): total, **empty, **{("unique", name): Amount(None) for name in names}}
    summary, spans = report["pid"]["summary"], report["pid"]["summary_ci"] or {}
    scale = _scale(report)
    found: dict[Words, Amount] = {
        (part,): _scaled(summary[part], spans.get(part), scale) for part in ("total", *PARTS)
    }
    uniques = spans.get("unique", {})
    return found | {
        ("unique", name): _scaled(value, uniques.get(name), scale)
        for name, value in summary["unique"].items()
    }


def _shares(report: Content) -> dict[Words, Amount]:
    """``share.…``: parts over the total, null where there is no total. Their intervals are not known."""
    parts = _parts(report)
    total = parts[("total",)].value
    return {("share", *words): Amount(_ratio(part.value, total)) for words, part in parts.items()}


def _ratio(part: object, total: object) -> float | None:
    if isinstance(part, float | int) and isinstance(total, float | int) and total > 0:
        return part / total
    return None


def _informations(report: Content) -> dict[Words, Amount]:
    """``information.NAME`` and of sets ``information.a+b``, in the order of the modalities."""
    values = (report["information"] or {}).get("values", [])
    return {
        ("information", "+".join(one["modalities"])): _scaled(one["value"], one["ci"], _scale(report))
        for one in values
    }


def _named(
    report: Content, word: str, values: Mapping[str, float] | None, scale: float
) -> dict[Words, Amount]:
    return {(word, name): _scaled(value, None, scale) for name, value in (values or {}).items()}


def _scale(report: Content) -> float:
    nats = (report["information"] or {}).get("units") == "nats"
    return BITS_PER_NAT if nats else 1.0


def _scaled(value: float | None, ci: list[float | None] | None, scale: float) -> Amount:
    if value is None:
        return Amount(None)
    if ci is None:
        return Amount(value * scale)
    low, high = (None if end is None else end * scale for end in ci)
    return Amount(value * scale, (low, high))


def _by_path(report: Content, words: Words) -> Amount | None:
    """A number, truth value, text or null at a path of keys, positions in lists or labels of their elements."""
    place: Any = report
    parent: Any = None
    for word in words:
        parent, place = place, _step(place, word)
        if place is _NOWHERE:
            return None
    if isinstance(place, Mapping | list):
        return None
    return Amount(place, _interval_beside(parent, words[-1]))


class _Nowhere:
    """The end of a path that the report does not have; null is a value."""


_NOWHERE = _Nowhere()


def _step(place: Any, word: str) -> Any:
    if isinstance(place, Mapping):
        return place.get(word, _NOWHERE)
    if not isinstance(place, list):
        return _NOWHERE
    if word.isdecimal() and int(word) < len(place):
        return place[int(word)]
    return next((one for one in place if _label(one) == word), _NOWHERE)


def _label(element: Any) -> str | None:
    if not isinstance(element, Mapping):
        return None
    return next((str(element[key]) for key in LABELS if key in element), None)


def _interval_beside(parent: Any, key: str) -> tuple[float | None, float | None] | None:
    if not isinstance(parent, Mapping):
        return None
    span = parent.get("ci" if key in ("value", "information") else f"{key}_ci")
    return (span[0], span[1]) if isinstance(span, list) and len(span) == 2 else None


def _hint(report: Content, known: Mapping[Words, Amount], name: Name) -> str:
    names = [str(Name(words)) for words in (*known, *_paths(report))]
    close = get_close_matches(str(name), names, n=3, cutoff=0.5)
    if close:
        return f"did you mean {', '.join(close)}?"
    return f"names are, for example: {', '.join(names[:6])}"


def _paths(place: Any, words: Words = ()) -> Iterator[Words]:
    """Paths of all values that are neither mappings nor in lists."""
    for key, value in place.items():
        if isinstance(value, Mapping):
            yield from _paths(value, (*words, key))
        elif not isinstance(value, list):
            yield (*words, key)
