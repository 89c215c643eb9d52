"""A report in nats: every information in it by the same factor, ``ln 2`` nats to the bit."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from pidreg_cli.reports.model import Report

NATS_PER_BIT = math.log(2)
IN_BITS = frozenset(
    {
        "information.repaired",
        "information.order_unresolved",
        "information.drawn",
        "information.plugin",
        "training.weights_not_converged",
        "training.weights_oscillate",
        "training.synergy_vanished",
    }
)
"""Diagnostics whose value is an amount of information."""
AMOUNTS = re.compile(r"\d*\.\d+((, | to | and )-?\d*\.\d+)*(?= bits)|(?<= CI )-?\d*\.\d+ to -?\d*\.\d+")
"""Numbers before the word, and the intervals that follow them."""
NUMBER = re.compile(r"\d*\.\d+")
UNIT = re.compile(r"(?<=\d )bits\b|(?<=than by )bits\b|(?<=Read )bits(?= as )|\bbits(?= may be too high)")
"""The word where it is the unit: elsewhere it is the name of a column."""
QUOTED = re.compile(r"(?<!\w)'[^']*'(?!\w)")
KEPT = frozenset({"share", "p_value"})
"""Numbers beside informations that are none."""


def in_nats(report: Report) -> Report:
    """The report with ``information.units`` 'nats', and every information, interval and message in them."""
    if report.information is None or report.information.units == "nats":
        return report
    content = report.model_dump(by_alias=True)
    names = (*report.names, report.data.target)
    for part in ("pid", "one_versus_rest", "sensitivity", "shapley"):
        content[part] = _scaled(content[part])
    information = content["information"]
    information |= {
        key: _scaled(information[key]) for key in ("values", "co_information", "covariate_information")
    }
    information["units"] = "nats"
    if content["fusion"] is not None:
        content["fusion"]["stage1_movement"] = _scaled(content["fusion"]["stage1_movement"])
    if content["selection"] is not None:
        subsets = content["selection"]["subsets"]
        content["selection"]["reason"] = _words(content["selection"]["reason"], names)
        content["selection"]["subsets"] = tuple(
            subset | {key: _scaled(subset[key]) for key in ("information", "ci")} for subset in subsets
        )
    content["diagnostics"] = tuple(_told(finding, names) for finding in content["diagnostics"])
    return Report.model_validate(content)


def _scaled(value: Any) -> Any:
    """Every number within ``value`` in nats, except those that are no informations."""
    match value:
        case float():
            return value * NATS_PER_BIT
        case dict():
            return {key: inner if key in KEPT else _scaled(inner) for key, inner in value.items()}
        case tuple():
            return tuple(_scaled(inner) for inner in value)
    return value


def _told(finding: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    value = finding["value"]
    texts = {key: _words(finding[key], names) for key in ("message", "hint")}
    scaled = value * NATS_PER_BIT if finding["code"] in IN_BITS and value is not None else value
    return {**finding, **texts, "value": scaled}


def _words(text: str, names: Sequence[str] = ()) -> str:
    """Amounts of bits as nats, with as many decimals and one more; ``names`` and what is quoted stay as they are."""
    alike = [re.escape(name) for name in names if _converted(name) != name]
    kept = re.compile("|".join([*sorted(alike, key=len, reverse=True), QUOTED.pattern]))
    parts, end = [], 0
    for name in kept.finditer(text):
        parts += [_converted(text[end : name.start()]), name.group()]
        end = name.end()
    return "".join([*parts, _converted(text[end:])])


def _converted(text: str) -> str:
    return UNIT.sub("nats", AMOUNTS.sub(lambda found: NUMBER.sub(_nats, found.group()), text))


def _nats(amount: re.Match[str]) -> str:
    places = len(amount.group().partition(".")[2]) + 1
    return f"{float(amount.group()) * NATS_PER_BIT:.{places}f}"
