"""The language of requirements: ``NAME OPERATOR BOUND``, such as ``unique.mri >= 0.05``.

A name is words joined by dots; a word that holds a dot, a space or an operator is quoted: ``unique."blood.lab"``.
A bound is a number, ``true``, ``false``, or a quoted text.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import Literal, NoReturn

from pidreg_cli.errors import UsageError

Operator = Literal[">=", ">", "<=", "<", "==", "!="]
Bound = float | bool | str

_WORD = re.compile(r'"([^"]*)"|([^\s."<>=!]+)')
_OPERATOR = re.compile(r"\s*(>=|<=|==|!=|>|<)\s*")
_NUMBER = re.compile(r"[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?\Z")
_PLAIN = re.compile(r'[^\s."<>=!]+\Z')
_WORDS = {"true": True, "false": False}
GRAMMAR = (
    "write NAME OPERATOR NUMBER, such as 'unique.mri >= 0.05'; quote words with dots, spaces or operators: "
    'unique."blood.lab"'
)


@dataclass(frozen=True)
class Name:
    """The words of a name, in order, and how it was written: what is shown is what was asked, quotes and all."""

    words: tuple[str, ...]
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text or self.canonical

    @property
    def canonical(self) -> str:
        """The name with the quotes that it needs, however it was written."""
        return ".".join(word if _PLAIN.match(word) else f'"{word}"' for word in self.words)


@dataclass(frozen=True)
class Requirement:
    """What a value of the report must be."""

    name: Name
    operator: Operator
    bound: Bound

    def __str__(self) -> str:
        return f"{self.name} {self.operator} {written(self.bound)}"


def written(bound: Bound) -> str:
    """A bound as the language writes it."""
    if isinstance(bound, bool):
        return str(bound).lower()
    return f'"{bound}"' if isinstance(bound, str) else f"{bound:.12g}"


def parse_requirement(text: str) -> Requirement:
    """The requirement in ``text``. Raises UsageError that names the column where it is not one."""
    name, end = _name(text)
    found = _OPERATOR.match(text, end)
    if found is None:
        _refuse(text, end, "expected one of >=, >, <=, <, ==, !=")
    operator: Operator = found[1]  # type: ignore[assignment]
    bound = _bound(text, found.end())
    if not _is_number(bound) and operator not in ("==", "!="):
        _refuse(text, found.end(), f"{operator} compares numbers")
    return Requirement(name, operator, bound)


def parse_name(text: str) -> Name:
    """The name in ``text``, nothing else. Raises UsageError."""
    name, end = _name(text)
    if text[end:].strip():
        _refuse(text, end, "expected the end of the name")
    return name


def _name(text: str) -> tuple[Name, int]:
    start = place = len(text) - len(text.lstrip())
    words = []
    while True:
        found = _WORD.match(text, place)
        if found is None:
            _refuse(text, place, "expected a name")
        words.append(found[2] if found[1] is None else found[1])
        place = found.end()
        if text[place : place + 1] != ".":
            return Name(tuple(words), text[start:place]), place
        place += 1


def _bound(text: str, start: int) -> Bound:
    rest = text[start:].strip()
    if rest in _WORDS:
        return _WORDS[rest]
    if len(rest) > 1 and rest[0] == rest[-1] == '"' and '"' not in rest[1:-1]:
        return rest[1:-1]
    if _NUMBER.match(rest) is None or not math.isfinite(float(rest)):
        _refuse(text, start, "expected a finite number, true, false, or a quoted text")
    return float(rest)


def _is_number(bound: Bound) -> bool:
    return isinstance(bound, float)


def _refuse(text: str, place: int, expected: str) -> NoReturn:
    raise UsageError("check.syntax", f"{text!r}, column {place + 1}: {expected}", GRAMMAR)
