"""Rules in a file: what a CI job checks, kept beside the code it guards.

.. code-block:: yaml

    use: ci                      # judge intervals, unless a rule says otherwise
    baseline: baseline.json      # relative to this file
    max_drift: 0.05              # bits
    rules:
      - total >= 0.3
      - name: MRI earns its cost
        require: unique.mri >= 0.05
        use: value
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from pidreg_cli.config.yaml_text import MAX_BYTES, parse_yaml_value
from pidreg_cli.decisions.requirements.judging import Use
from pidreg_cli.decisions.requirements.language import Requirement, parse_requirement
from pidreg_cli.errors import UsageError
from pidreg_cli.limited_reading import limited_bytes

KEYS = ("use", "baseline", "max_drift", "max_drift_widths", "rules")
RULE_KEYS = ("require", "name", "use")
USES = ("value", "ci")


@dataclass(frozen=True)
class Rule:
    """A requirement, its title ('' for its own text), and how it is judged (None: as all others)."""

    requirement: Requirement
    title: str = ""
    use: Use | None = None


@dataclass(frozen=True)
class Rules:
    """The content of a file of rules; ``baseline`` is a path that exists from where the program runs."""

    rules: tuple[Rule, ...]
    use: Use | None = None
    baseline: Path | None = None
    max_drift: float | None = None
    max_drift_widths: float | None = None


def read_rules(path: Path) -> Rules:
    """The rules in a file. Raises UsageError that names the file and the rule where one is not understood."""
    try:
        text = limited_bytes(path, MAX_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise UsageError("check.rules", f"{path} cannot be read: {why}", "give a YAML file") from error
    except ValueError as error:
        raise UsageError(
            "check.rules", f"{path}: {error}: not a file of rules", "give a YAML file"
        ) from error
    content = parse_yaml_value(text, str(path))
    if isinstance(content, list):
        content = {"rules": content}
    if not isinstance(content, Mapping):
        _refuse(path, "expected a list of rules, or keys with values")
    return _rules(path, content)


def _rules(path: Path, content: Mapping[str, Any]) -> Rules:
    _known(path, content, KEYS)
    entries = content.get("rules", [])
    if not isinstance(entries, list):
        _refuse(path, "rules: expected a list")
    baseline = content.get("baseline")
    if baseline is not None and not isinstance(baseline, str):
        _refuse(path, "baseline: expected the path of a report", "give a path relative to this file")
    return Rules(
        tuple(_rule(path, number, entry) for number, entry in enumerate(entries, 1)),
        _use(path, content.get("use")),
        None if baseline is None else path.parent / baseline,
        _limit(path, "max_drift", content.get("max_drift")),
        _limit(path, "max_drift_widths", content.get("max_drift_widths")),
    )


def _rule(path: Path, number: int, entry: Any) -> Rule:
    place = f"rule {number}"
    if isinstance(entry, str):
        entry = {"require": entry}
    if not isinstance(entry, Mapping) or not isinstance(entry.get("require"), str):
        _refuse(path, f"{place}: expected a text such as 'total >= 0.3', or keys with 'require'")
    _known(path, entry, RULE_KEYS, f"{place}: ")
    title = entry.get("name", "")
    if not isinstance(title, str):
        _refuse(path, f"{place}: name: expected a text")
    try:
        requirement = parse_requirement(entry["require"])
    except UsageError as error:
        raise UsageError(error.code, f"{path}: {place}: {error.message}", error.hint) from error
    return Rule(requirement, title, _use(path, entry.get("use"), f"{place}: "))


def _use(path: Path, value: Any, place: str = "") -> Use | None:
    if value is not None and value not in USES:
        _refuse(path, f"{place}use: {value!r} is neither value nor ci", "write one of these")
    return value  # type: ignore[no-any-return]


def _limit(path: Path, key: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        _refuse(path, f"{key}: expected a number from 0, however: {value!r}", "write a number, such as 0.05")
    return float(value)


def _known(path: Path, content: Mapping[str, Any], known: tuple[str, ...], place: str = "") -> None:
    for key in content:
        if key not in known:
            _refuse(path, f"{place}unknown key {key!r}; allowed are {', '.join(known)}", "leave it out")


def _refuse(
    path: Path, what: str, hint: str = "a rule is a text such as 'total >= 0.3', or keys: require, name, use"
) -> NoReturn:
    raise UsageError("check.rules", f"{path}: {what}", hint)
