"""From an input as a user names it to a source: the format by suffix, else by the first bytes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pidreg_cli.data.formats import FEATHER, PARQUET, TABLES, TEXT
from pidreg_cli.data.inputs import InputFile, expand_inputs
from pidreg_cli.data.naming import listing
from pidreg_cli.data.remote import Place, open_bytes
from pidreg_cli.data.sources.delimited import DelimitedSource
from pidreg_cli.data.sources.dialect import DialectOptions
from pidreg_cli.data.sources.source import Source
from pidreg_cli.data.sources.stored import FeatherSource, ParquetSource
from pidreg_cli.data.sources.text_options import TextOptions
from pidreg_cli.data.tables import open_table
from pidreg_cli.errors import DataError

_FOREIGN = (".xlsx", ".xls", ".ods", ".json", ".jsonl", ".sav", ".dta", ".h5", ".pkl", ".zip")


def open_source(inputs: Sequence[str | Path], options: TextOptions) -> Source:
    """Files, folders or globs of one format as one table.

    Raises DataError where there is none, the format is unknown or mixed, or a file is damaged.
    """
    files = input_files(inputs)
    formats = {_format(file.path) for file in files}
    if len(formats) > 1:
        raise DataError(
            "data.mixed_formats",
            f"The inputs mix {' and '.join(sorted(formats))} files: {listing([f.path.name for f in files])}.",
            "Files of one table must have one format: name those of it, as in 'folder/*.parquet'. To join tables, give "
            "--key COLUMN.",
        )
    label = f"'{files[0].path}'" if len(files) == 1 else f"The table of {len(files)} files"
    return _opened(formats.pop(), inputs, files, options, label)


def input_files(inputs: Sequence[str | Path]) -> tuple[InputFile, ...]:
    """The files of these inputs, whatever their format. Raises DataError as ``expand_inputs``."""
    return expand_inputs(inputs, TABLES, "table")


def any_text(inputs: Sequence[str | Path]) -> bool:
    """Whether one of these inputs is of text files. Raises DataError as ``open_source``."""
    return any(_format(file.path) == "text" for file in input_files(inputs))


def _opened(
    kind: str, inputs: Sequence[str | Path], files: Sequence[InputFile], options: TextOptions, label: str
) -> Source:
    if kind == "Parquet":
        return ParquetSource(open_table(inputs), label)
    if any(file.partitions for file in files):
        raise DataError(
            "data.partitions",
            f"{label}: partitioned folders must hold Parquet.",
            "Name the files themselves.",
        )
    if kind == "Feather":
        if len(files) > 1:
            raise DataError(
                "data.many_feather", f"{label}: one Feather file is read.", "Join them as Parquet."
            )
        return FeatherSource.open(files[0])
    dialect = DialectOptions(options.delimiter, options.decimal, options.encoding)
    return DelimitedSource.open(files, dialect, options.missing, label)


def _format(path: Place) -> str:
    name = path.name.lower()
    for kind, suffixes in (("Parquet", PARQUET), ("Feather", FEATHER), ("text", TEXT)):
        if name.endswith(suffixes):
            return kind
    if name.endswith(_FOREIGN):
        raise _foreign(path)
    return _format_by_content(path)


def _format_by_content(path: Place) -> str:
    try:
        with open_bytes(path) as stream:
            head = stream.read(4096)
    except OSError as cause:
        raise DataError(
            "data.unreadable_file",
            f"'{path}' cannot be read: {cause.strerror or cause}.",
            "Ask for permission to read it.",
        ) from cause
    if head.startswith(b"PAR1"):
        return "Parquet"
    if head.startswith(b"ARROW1"):
        return "Feather"
    if head.startswith(b"\x1f\x8b") or b"\0" not in head:
        return "text"
    raise _foreign(path)


def _foreign(path: Place) -> DataError:
    return DataError(
        "data.format",
        f"'{path}' is neither Parquet nor Feather nor delimited text.",
        "Save it as CSV or Parquet.",
    )
