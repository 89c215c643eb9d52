"""From inputs as a user gives them (files, folders, globs) to an ordered list of Parquet files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from urllib.parse import unquote

from pidreg_cli.errors import DataError

SUFFIXES = (".parquet", ".pq")
# How writers of partitioned folders spell a missing value.
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class InputFile:
    """A file and the values that its folders give to partition columns (``site=A/``), None for null."""

    path: Path
    partitions: tuple[tuple[str, str | None], ...] = ()


def expand_inputs(
    inputs: Sequence[str | Path], suffixes: tuple[str, ...] = SUFFIXES, kind: str = "Parquet file"
) -> tuple[InputFile, ...]:
    """Files of the inputs, in the order given; those of a folder or a glob sorted by path.

    A folder is searched at all depths for names that end in ``suffixes``, hidden and underscored names excepted;
    folders named ``key=value`` below it, or below the fixed part of a glob, are partitions. Raises DataError
    where an input does not exist, holds no such file (a ``kind``, to the user), or names a file twice.
    """
    search = _Search(suffixes, kind)
    files = tuple(file for one in inputs for file in _reachable(one, search))
    seen: set[Path] = set()
    for file in files:
        if (real := file.path.resolve()) in seen:
            raise _named_twice(file.path)
        seen.add(real)
    return files


@dataclass(frozen=True)
class _Search:
    """What folders are searched for."""

    suffixes: tuple[str, ...]
    kind: str

    def finds(self, path: Path) -> bool:
        return path.name.lower().endswith(self.suffixes) and path.is_file()


def _reachable(one: str | Path, search: _Search) -> Iterable[InputFile]:
    try:
        return _expand(one, search)
    except OSError as cause:
        raise DataError(
            "data.missing_input", f"'{one}' cannot be opened: {cause.strerror}.", "Check the path."
        ) from cause


def _expand(one: str | Path, search: _Search) -> Iterable[InputFile]:
    path = Path(one)
    if path.is_dir():
        return _files_of_folder(path, path, search)
    if path.exists():
        return [InputFile(path)]
    # Path.glob takes no absolute pattern.
    matches = sorted(Path(match) for match in glob(str(one), recursive=True))  # noqa: PTH207
    if not matches:
        raise _missing(str(one))
    base = _fixed_part(path)
    return [file for match in matches for file in _files_of_match(match, base, search)]


def _files_of_match(match: Path, base: Path, search: _Search) -> Iterable[InputFile]:
    return _files_of_folder(match, base, search) if match.is_dir() else [_partitioned(match, base)]


def _fixed_part(pattern: Path) -> Path:
    fixed = Path()
    for part in pattern.parts[:-1]:
        if has_magic(part):
            break
        fixed /= part
    return fixed


def _files_of_folder(folder: Path, base: Path, search: _Search) -> list[InputFile]:
    # A folder that may not be listed looks empty to rglob: ask for it by name first.
    next(folder.iterdir(), None)
    found = (path for path in folder.rglob("*") if search.finds(path))
    shown = sorted(path for path in found if not _is_hidden(path.relative_to(folder)))
    if not shown:
        raise DataError(
            "data.empty_folder",
            f"The folder '{folder}' holds no {search.kind} ({' or '.join(search.suffixes)}).",
            "Name the files, or the folder that holds them.",
        )
    return [_partitioned(path, base) for path in shown]


def _is_hidden(relative: Path) -> bool:
    return any(part.startswith((".", "_")) and "=" not in part for part in relative.parts)


def _partitioned(path: Path, base: Path) -> InputFile:
    pairs = (part.partition("=") for part in path.relative_to(base).parent.parts)
    values = {unquote(key): unquote(value) for key, equals, value in pairs if equals and key}
    return InputFile(path, tuple((k, None if v == NULL_PARTITION else v) for k, v in values.items()))


def _missing(given: str) -> DataError:
    if has_magic(given):
        return DataError("data.missing_input", f"No file matches '{given}'.", "Check the pattern.")
    return DataError("data.missing_input", f"There is no file or folder '{given}'.", "Check the path.")


def _named_twice(path: Path) -> DataError:
    return DataError(
        "data.input_twice",
        f"The inputs name the file '{path}' twice; its rows would count twice.",
        "Name each file once.",
    )
