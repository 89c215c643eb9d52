"""From inputs as a user gives them (files, folders, globs, addresses) to an ordered list of files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path, PurePath
from urllib.parse import unquote

from pidreg_cli.data.formats import PARQUET
from pidreg_cli.data.reading_again import in_run, is_passed_over, passes_over_runs
from pidreg_cli.data.remote import Place, files_at, is_address, local_path
from pidreg_cli.errors import DataError

# How writers of partitioned folders spell a missing value.
NULL_PARTITION = "__HIVE_DEFAULT_PARTITION__"


@dataclass(frozen=True)
class InputFile:
    """A file and the values that its folders give to partition columns (``site=A/``), None for null."""

    path: Place
    partitions: tuple[tuple[str, str | None], ...] = ()


def expand_inputs(
    inputs: Sequence[str | Path], suffixes: tuple[str, ...] = PARQUET, kind: str = "Parquet file"
) -> tuple[InputFile, ...]:
    """Files of the inputs, in the order given; those of a folder or a glob sorted by path.

    A folder is searched at all depths for names that end in ``suffixes``; hidden and underscored names and runs
    (``*.pidreg``) are passed over, runs also by globs that do not name them. Folders named ``key=value`` below it, or
    below the fixed part of a glob, are partitions. An address (``s3://...``) is a file or a folder. Raises DataError
    where an input does not exist or cannot be reached, holds no such file (a ``kind``, to the user), or names a file
    twice.
    """
    search = _Search(suffixes, kind)
    files = tuple(file for one in inputs for file in _reachable(one, search))
    seen: set[Place] = set()
    for file in files:
        if (real := _real(file.path)) in seen:
            raise _named_twice(file.path)
        seen.add(real)
    return files


def check_inputs(
    inputs: Sequence[str | Path], suffixes: tuple[str, ...] = PARQUET, kind: str = "Parquet file"
) -> None:
    """Raise what ``expand_inputs`` does of inputs on this machine; addresses are not asked.

    For a word about a wrong name before the libraries that read what is there are imported, which takes seconds.
    """
    expand_inputs([one for one in inputs if not is_address(str(one))], suffixes, kind)


def _real(place: Place) -> Place:
    return place.resolve() if isinstance(place, Path) else place


@dataclass(frozen=True)
class _Search:
    """What folders are searched for."""

    suffixes: tuple[str, ...]
    kind: str

    def finds(self, path: Path) -> bool:
        return self.accepts(path.name) and path.is_file()

    def accepts(self, name: str) -> bool:
        return name.lower().endswith(self.suffixes)

    def found_nothing(self, folder: Place) -> DataError:
        return DataError(
            "data.empty_folder",
            f"The folder '{folder}' holds no {self.kind} ({' or '.join(self.suffixes)}).",
            "Name the files, or the folder that holds them.",
        )


def _reachable(one: str | Path, search: _Search) -> Iterable[InputFile]:
    try:
        return _expand(one, search)
    except OSError as cause:
        raise DataError(
            "data.missing_input", f"'{one}' cannot be opened: {cause.strerror}.", "Check the path."
        ) from cause


def _expand(one: str | Path, search: _Search) -> Iterable[InputFile]:
    if isinstance(one, str) and is_address(one):
        local = local_path(one)
        return _files_of_address(one, search) if local is None else _expand(local, search)
    if one == "":
        # Of an unset variable of a shell, most often; as a path it would be the current folder.
        raise DataError("data.missing_input", "An input is empty.", "Name a file, a folder or a glob.")
    path = Path(one)
    if path.is_dir():
        return _files_of_folder(path, path, search)
    if path.exists():
        return [InputFile(path)]
    # Path.glob takes no absolute pattern.
    base = _fixed_part(path)
    matches = sorted(Path(match) for match in glob(str(one), recursive=True))  # noqa: PTH207
    if passes_over_runs(path):
        matches = [match for match in matches if not _is_in_run(match, base)]
    if not matches:
        raise _missing(str(one))
    return [file for match in matches for file in _files_of_match(match, base, search)]


def _is_in_run(match: Path, base: Path) -> bool:
    relative = match.relative_to(base)
    return in_run(relative / "any" if match.is_dir() else relative)


def _files_of_match(match: Path, base: Path, search: _Search) -> Iterable[InputFile]:
    return _files_of_folder(match, base, search) if match.is_dir() else [_partitioned(match, base)]


def _files_of_address(address: str, search: _Search) -> Iterable[InputFile]:
    root, files = files_at(address, search.accepts)
    if files is None:
        return [InputFile(root)]
    shown = [file for file in files if not is_passed_over(file.path.relative_to(root.path))]
    if not shown:
        raise search.found_nothing(root)
    in_order = sorted(shown, key=lambda file: file.path)
    return [InputFile(file, _values(file.path.relative_to(root.path))) for file in in_order]


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
    shown = sorted(path for path in found if not is_passed_over(path.relative_to(folder)))
    if not shown:
        raise search.found_nothing(folder)
    return [_partitioned(path, base) for path in shown]


def _partitioned(path: Path, base: Path) -> InputFile:
    return InputFile(path, _values(path.relative_to(base)))


def _values(relative: PurePath) -> tuple[tuple[str, str | None], ...]:
    """What the folders on the way say of partition columns."""
    pairs = (part.partition("=") for part in relative.parent.parts)
    values = {unquote(key): unquote(value) for key, equals, value in pairs if equals and key}
    return tuple((k, None if v == NULL_PARTITION else v) for k, v in values.items())


def _missing(given: str) -> DataError:
    if has_magic(given):
        return DataError("data.missing_input", f"No file matches '{given}'.", "Check the pattern.")
    return DataError("data.missing_input", f"There is no file or folder '{given}'.", "Check the path.")


def _named_twice(path: Place) -> DataError:
    return DataError(
        "data.input_twice",
        f"The inputs name the file '{path}' twice; its rows would count twice.",
        "Name each file once.",
    )
