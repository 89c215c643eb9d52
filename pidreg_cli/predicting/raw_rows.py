"""Rows as they were before ``pidreg prepare``: a run reads what it made of such rows, and does not know how."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from pidreg_cli.data.naming import SEPARATORS
from pidreg_cli.data.preparation.output_names import sidecar_path
from pidreg_cli.errors import DataError
from pidreg_cli.limited_reading import limited_bytes, limited_json
from pidreg_cli.reports.opening import MOST_BYTES, REPORT

_OF_PREPARE = re.compile(r"(?<![\w-])--(delimiter|decimal|encoding|missing|key)\b")
OTHER_COLUMNS = ("data.missing_columns", "data.missing_features", "data.feature_type")


def hinting_at_prepare(
    error: DataError, folder: Path, inputs: Sequence[str | Path], modalities: Mapping[str, Sequence[str]]
) -> DataError:
    """The error, where the run ``folder`` may have been fitted on a prepared table with what to type for new rows.

    That is where every column is called ``modality__feature``, as ``prepare`` calls them.
    """
    prepared = all(
        column.startswith(f"{name}{SEPARATORS[0]}")
        for name, columns in modalities.items()
        for column in columns
    )
    if error.code not in OTHER_COLUMNS or not prepared:
        return error
    command = ["pidreg", "prepare", *map(str, inputs), "--like", _recipe(folder), "-o", "new.parquet"]
    return DataError(
        error.code,
        error.message,
        f"{error.hint} If 'pidreg prepare' made the table of the fit, make this one the same way: "
        f"{shlex.join(command)}",
    )


def naming_prepare(text: str) -> str:
    """A hint or notice about how a table is written, with the command that has its options: predict has none."""
    return _OF_PREPARE.sub(r"pidreg prepare \g<0>", text)


@contextmanager
def hints_naming_prepare() -> Iterator[None]:
    """The same of hints of the DataErrors in the block."""
    try:
        yield
    except DataError as error:
        error.hint = naming_prepare(error.hint)
        raise


def _recipe(folder: Path) -> str:
    """Name of the sidecar of the table that was fitted, as far as the report names one file."""
    try:
        files = limited_json(limited_bytes(folder / REPORT, MOST_BYTES))["data"]["files"]
        (name,) = files
        return sidecar_path(Path(name)).name
    except (OSError, ValueError, KeyError, TypeError):
        return "TABLE.pidreg.json"
