"""Which files a command would read if it were repeated: what it writes must not be among them."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path, PurePath
from urllib.parse import unquote, urlsplit

ANY_DEPTH = "**"
ADDRESS = "://"
RUNS = (".pidreg", ".pidreg.partial")
"""How names of run folders end by default."""


def reads(given: str, path: Path, suffixes: tuple[str, ...]) -> bool:
    """Whether an input (a file, folder, glob or address) reads ``path``, which need not be there yet.

    Folders are searched as ``expand_inputs`` does, for names that end in ``suffixes``.
    """
    if ADDRESS in given:
        # Of others nothing is written to: they need not be asked over the network.
        address = urlsplit(given)
        return address.scheme == "file" and reads(unquote(address.path), path, suffixes)
    output, one = path.parent.resolve() / path.name, Path(given)
    if one.is_dir():
        return _found_in(one.resolve(), output, suffixes)
    if one.exists() or not has_magic(given):
        return one.resolve() == path.resolve()
    fixed = _fixed_part(one)
    base = fixed.resolve()
    if not output.is_relative_to(base) or (passes_over_runs(one) and in_run(output.relative_to(base))):
        return False
    pattern = (*base.parts, *one.parts[len(fixed.parts) :])
    folders = [output, *output.parents]
    matched = (folder for folder in folders if _matches(pattern, folder.parts))
    return any(folder == output or _found_in(folder, output, suffixes) for folder in matched)


def _found_in(folder: Path, output: Path, suffixes: tuple[str, ...]) -> bool:
    return (
        output.is_relative_to(folder)
        and output.name.lower().endswith(suffixes)
        and not is_passed_over(output.relative_to(folder))
    )


def is_passed_over(relative: PurePath) -> bool:
    """Whether a search of a folder passes over what lies there under this path: hidden, or in a run, which keeps the
    rows that it held out.
    """
    hidden = any(part.startswith((".", "_")) and "=" not in part for part in relative.parts)
    return hidden or in_run(relative)


def in_run(relative: PurePath) -> bool:
    """Whether a file lies in a folder that is named as runs are."""
    return any(part.endswith(RUNS) for part in relative.parts[:-1])


def passes_over_runs(pattern: PurePath) -> bool:
    """Whether a glob means none of what lies in runs: it does not spell how their names end."""
    return not any(part.endswith(RUNS) for part in pattern.parts)


def _fixed_part(pattern: Path) -> Path:
    """The folders of a pattern before its first wildcard."""
    magic = [has_magic(part) for part in pattern.parts]
    return Path(*pattern.parts[: magic.index(True)])


def _matches(pattern: Sequence[str], parts: Sequence[str]) -> bool:
    """Whether a path matches as ``glob`` has it: ``**`` is any number of folders, ``*`` does not begin with a dot."""
    if not pattern:
        return not parts
    if pattern[0] == ANY_DEPTH:
        return any(_matches(pattern[1:], parts[skipped:]) for skipped in range(len(parts) + 1))
    if not parts or (parts[0].startswith(".") and not pattern[0].startswith(".")):
        return False
    return fnmatchcase(parts[0], pattern[0]) and _matches(pattern[1:], parts[1:])
