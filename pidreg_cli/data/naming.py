"""Names: legal ones of modalities, the columns that a name claims by convention, those near a wrong one.

Convention: modality ``a`` is the list column ``a``, else the columns that start ``a__``, else ``a.``, else
``a_``. A column belongs to the longest modality name that it starts with (``lab_blood`` before ``lab``).
"""

from __future__ import annotations

import unicodedata
from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from pidreg_cli.errors import UsageError

SEPARATORS = ("__", ".", "_")
# Atoms are written {a}{b,c} and options NAME=GLOB,GLOB; names appear in file names and expressions.
FORBIDDEN = frozenset('{},*=+|/\\"')


def is_modality_name(name: str) -> bool:
    """Whether a modality may be named so: not empty, no ``{ } , * = + | / \\ "``, no control character."""
    return name != "" and not any(c in FORBIDDEN or unicodedata.category(c) in ("Cc", "Cs") for c in name)


def check_modality_name(name: str) -> None:
    """Raise UsageError where a modality may not bear this name."""
    if not is_modality_name(name):
        raise UsageError(
            "usage.modality_name",
            f"A modality cannot be named {name!r}.",
            'Names must not be empty nor contain { } , * = + | / \\ " or control characters.',
        )


def by_convention(
    names: Sequence[str], columns: Sequence[str], lists: Collection[str]
) -> dict[str, tuple[str, ...]]:
    """Share ``columns`` (those without another role; ``lists`` hold lists) among modality ``names``.

    Gives the columns of each name, in table order; of a name that claims nothing an empty tuple.
    """
    owned: dict[str, list[str]] = {name: [] for name in names}
    longest_first = sorted(names, key=len, reverse=True)
    for column in columns:
        owner = next((name for name in longest_first if starts_with_name(column, name)), None)
        if owner is not None:
            owned[owner].append(column)
    return {name: _strongest(name, starting, lists) for name, starting in owned.items()}


def starts_with_name(column: str, name: str) -> bool:
    """Whether a column is called as a modality, or begins with its name and a separator."""
    return column == name or column.startswith(tuple(name + separator for separator in SEPARATORS))


def _strongest(name: str, columns: Sequence[str], lists: Collection[str]) -> tuple[str, ...]:
    if name in columns and name in lists:
        return (name,)
    for separator in SEPARATORS:
        found = tuple(column for column in columns if column.startswith(name + separator))
        if found:
            return found
    return ()


def prefixes(columns: Iterable[str]) -> tuple[str, ...]:
    """Every NAME of the columns called ``NAME__feature``, in table order; both parts non-empty."""
    parts = (column.partition("__") for column in columns)
    return tuple(dict.fromkeys(name for name, _, feature in parts if name and feature))


def nearest(wrong: str, known: Iterable[str]) -> str:
    """' Did you mean 'x' or 'y'?' for known names near a wrong one (case ignored), else nothing."""
    folded: dict[str, str] = {}
    for name in known:
        folded.setdefault(name.casefold(), name)
    close = get_close_matches(wrong.casefold(), folded, n=3, cutoff=0.6)
    return f" Did you mean {' or '.join(repr(folded[match]) for match in close)}?" if close else ""


def listing(names: Sequence[str], shown: int = 8) -> str:
    """Names quoted and separated by commas, the first ``shown`` of them and how many more there are."""
    text = ", ".join(repr(name) for name in names[:shown])
    return text if len(names) <= shown else f"{text} and {len(names) - shown} more"
