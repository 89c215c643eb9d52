"""``--modalities a,b`` and ``--modality NAME=GLOB,...`` as the mapping of the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from pidreg_cli.errors import UsageError

_PART = re.compile(r'\s*(?:"((?:[^"]|"")*)"\s*|([^,"\s][^,]*|))(,|\Z)')
QUOTING = "a name with a comma or a leading quote is quoted, quotes in it doubled: '\"dose, mg\",age'"


def comma_parts(text: str) -> list[str] | None:
    """Parts of ``A,B``, quoted as in CSV where they hold commas; None where quotes do not pair or a part is empty."""
    parts, place, comma = [], 0, ","
    while comma:
        found = _PART.match(text, place)
        if found is None:
            return None
        quoted, plain, comma = found.groups()
        parts.append(plain.strip() if quoted is None else quoted.replace('""', '"'))
        place = found.end()
    return parts if all(parts) else None


def named_modalities(names: str | None, patterns: Sequence[str]) -> dict[str, list[str]] | None:
    """Names with their column patterns, in the order given; empty ones for the naming convention.

    Raises:
        UsageError: an empty or repeated name, or ``--modality`` without patterns.
    """
    pairs = [*_by_convention(names), *map(_by_pattern, patterns)]
    if not pairs:
        return None
    return _unrepeated(pairs)


def _by_convention(names: str | None) -> Iterator[tuple[str, list[str]]]:
    if names is None:
        return
    for name in names.split(","):
        if not name.strip():
            raise UsageError(
                "usage.modalities", f"--modalities {names!r}: a name is empty", "write --modalities a,b"
            )
        yield name.strip(), []


def _by_pattern(text: str) -> tuple[str, list[str]]:
    name, _, patterns = text.partition("=")
    globs = comma_parts(patterns)
    if not name.strip() or globs is None:
        raise UsageError(
            "usage.modality",
            f"--modality {text!r}: not NAME=GLOB[,GLOB...]",
            f"write --modality 'labs=blood_*,urine_*'; {QUOTING}",
        )
    return name.strip(), globs


def _unrepeated(pairs: Iterable[tuple[str, list[str]]]) -> dict[str, list[str]]:
    modalities: dict[str, list[str]] = {}
    for name, globs in pairs:
        if name in modalities:
            raise UsageError(
                "usage.modality_twice",
                f"modality {name!r} is given twice",
                "join its columns: NAME=GLOB,GLOB",
            )
        modalities[name] = globs
    return modalities


def column_names(option: str, text: str | None) -> list[str]:
    """Names separated by commas, as ``comma_parts``; none for None.

    Raises:
        UsageError: a name is empty, or quotes do not pair; the message says of which option.
    """
    if text is None:
        return []
    names = comma_parts(text)
    if names is None:
        raise UsageError(
            f"usage.{option.lstrip('-')}",
            f"{option} {text!r}: a name is empty, or a quote has no other",
            f"write {option} age,sex; {QUOTING}",
        )
    return names
