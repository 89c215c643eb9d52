"""Synthetic tables as files: Parquet with roles and truth in its metadata, and the truth beside it."""

from __future__ import annotations

import json
from pathlib import Path

from pidreg_cli.atomic import atomic_write_text, refuse_odd_file
from pidreg_cli.data.synthetic.generate import SyntheticTable
from pidreg_cli.data.writing import write_table
from pidreg_cli.errors import UsageError

TRUTH_KEY = b"pidreg_truth"
SUFFIXES = (".parquet", ".pq")


def truth_path(path: Path) -> Path:
    """Where the truth of the table at ``path`` is written: ``data.truth.json`` beside ``data.parquet``."""
    return path.with_name(f"{path.stem}.truth.json")


def refuse_suffix(path: Path) -> None:
    """Raise UsageError for a name that promises another format, as tables are Parquet."""
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "synth.suffix",
            f"{path} would hold Parquet; its name must end in {' or '.join(SUFFIXES)}",
            f"give -o {path.stem or 'data'}.parquet",
        )


def write_synthetic(table: SyntheticTable, path: Path, force: bool = False) -> None:
    """Write the table to ``path`` and its truth beside it; equal tables give equal bytes.

    Raises:
        UsageError: one of the two files exists and ``force`` is false.
        OutputError: a file could not be written.
    """
    if not force:
        refuse_existing(path)
    for file in (path, truth_path(path)):
        refuse_odd_file(file)
    write_table(table.table, table.roles, path, {TRUTH_KEY: json.dumps(table.truth).encode()})
    atomic_write_text(truth_path(path), json.dumps(table.truth, indent=2) + "\n")


def refuse_existing(path: Path) -> None:
    """Raise UsageError where the table or its truth exists; to ask before drawing rows that nobody may write."""
    for file in (path, truth_path(path)):
        if file.exists():
            raise UsageError(
                "output.exists", f"{file} already exists", "give another name, or --force to replace it"
            )
