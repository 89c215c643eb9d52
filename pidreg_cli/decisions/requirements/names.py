"""What a name means in a report: the amounts that people ask for, and every other value by its path.

Informations are in bits, also of a report in nats, so that a rule means the same for both; a value by its path is as
the report has it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from itertools import combinations
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


def amount_of(report: Content, name: Name, may_have: Callable[[Words], bool] = lambda _: False) -> Amount:
    """The value of ``name``, null where a part that would hold it is null.

    ``may_have``: whether other reports have a value at a path. Raises UsageError with the nearest names where there is
    none.
    """
    known = amounts(report)
    found = known.get(name.words) or _by_path(report, name.words)
    if found is None and _meets_null(report, name.words) and may_have(name.words):
        return Amount(None)
    if found is None:
        _refuse_list(report, name)
        raise UsageError("check.unknown_name", f"the report has no value {name}", _hint(report, known, name))
    return found


def amounts(report: Content) -> dict[Words, Amount]:
    """Amounts by the short names of the command line."""
    return {
        **_parts(report),
        **_shares(report),
        **_informations(report),
        **_named("shapley", report["shapley"], _scale(report), _singles(report)),
        **_named(
            "weight", (report["fusion"] or {}).get("weights"), 1.0, [*_singles(report), *_pairs(report)]
        ),
    }


def _singles(report: Content) -> list[str]:
    return [modality["name"] for modality in report["modalities"]]


def _pairs(report: Content) -> list[str]:
    return [f"{one}*{other}" for one, other in combinations(_singles(report), 2)]


def _parts(report: Content) -> dict[Words, Amount]:
    """``total``, ``redundant``, ``synergistic``, ``unique.NAME``; with one modality the total alone."""
    names = _singles(report)
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


def against_rest(report: Content) -> dict[Words, Amount]:
    """Parts of each modality against all others by their paths, in bits; ``added`` has an interval."""
    keys, scale = ("unique", *PARTS, "added"), _scale(report)
    return {
        ("one_versus_rest", row["modality"], key): _scaled(row[key], row.get(f"{key}_ci"), scale)
        for row in report["one_versus_rest"]
        for key in keys
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
    word: str, values: Mapping[str, float] | None, scale: float, names: Sequence[str]
) -> dict[Words, Amount]:
    """Null for each of ``names`` where there are no values."""
    if values is None:
        return {(word, name): Amount(None) for name in names}
    return {(word, name): _scaled(value, None, scale) for name, value in values.items()}


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
    places: list[Any] = [report]
    for word in words:
        places.append(_step(places[-1], word))
        if places[-1] is _NOWHERE:
            return None
    if isinstance(places[-1], Mapping | list):
        return None
    return Amount(places[-1], _interval_of(places, words))


def _refuse_list(report: Content, name: Name) -> None:
    """Say of a list that it is one: it holds values that can be named."""
    place: Any = report
    for word in name.words:
        place = _step(place, word)
    if isinstance(place, list):
        raise UsageError(
            "check.unknown_name",
            f"{name} is a list of {len(place)} in the report, and single values are compared",
            f"name one by its place, from 0: {name}.0{_scalar_of(place[0])}"
            if place
            else "it is empty: there is nothing to compare",
        )


def _scalar_of(entry: object) -> str:
    """How to go on to a number of an entry of a list, where it holds several."""
    if not isinstance(entry, dict):
        return ""
    numbers = (key for key, value in entry.items() if isinstance(value, float | int))
    return f".{next(numbers, next(iter(entry), ''))}"


def _meets_null(report: Content, words: Words) -> bool:
    place: Any = report
    for word in words:
        place = _step(place, word)
        if place is None:
            return True
    return False


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


INTERVALS = {"value": "ci", "information": "ci", "expected_rmse": "rmse_ci"}
"""Of numbers whose interval is not named by them with ``_ci`` after it."""


def _interval_of(places: list[Any], words: Words) -> tuple[float | None, float | None] | None:
    """The interval of the last of ``places``, beside it, or at the same place in that of the part it lies in."""
    span = _NOWHERE
    for depth in range(1, len(words) + 1):
        holder, key, inner = places[-depth - 1], words[-depth], words[len(words) - depth + 1 :]
        if isinstance(holder, Mapping):
            span = holder.get(INTERVALS.get(key, f"{key}_ci"), _NOWHERE)
            for word in inner:
                span = _step(span, word)
        if isinstance(span, list) and len(span) == 2:
            return span[0], span[1]
    return None


def _hint(report: Content, known: Mapping[Words, Amount], name: Name) -> str:
    names = [str(Name(words)) for words in (*known, *_paths(report))]
    close = get_close_matches(name.canonical, names, n=3, cutoff=0.5)
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
