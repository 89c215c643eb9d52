"""Decomposing goes by batches: what is kept of every row is two bytes, not columns of numbers."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.data import kept_columns, subjects, targets
from pidreg_cli.data.preparation.findings import SilentRows
from pidreg_cli.data.roles import RoleRequest
from pidreg_cli.data.tables import open_table
from pidreg_cli.decomposing import streamed
from pidreg_cli.decomposing.of_features import decompose_features
from pidreg_cli.decomposing.request import DecomposeRequest


def peak(folder: Path, rows: int) -> int:
    """Most bytes that arrays took while a table of so many rows was decomposed, row by row too."""
    rng = np.random.default_rng(0)
    names = ("a__x", "b__y", "target")
    table = pa.table({"id": np.arange(rows), **{name: rng.normal(size=rows) for name in names}})
    pq.write_table(table, folder / "t.parquet", row_group_size=50_000)
    del table
    roles, request = RoleRequest({"a": (), "b": ()}), DecomposeRequest(interactions="none", threads=1)
    tracemalloc.start()
    found = decompose_features(open_table([folder / "t.parquet"]), roles, request, (), SilentRows())
    written = sum(len(batch.ids) for batch in found.rows())
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert written == rows
    return most


def test_memory_does_not_grow_with_rows_beyond_two_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What is kept up to a bound reaches it in both tables.
    monkeypatch.setattr(kept_columns, "MOST_BYTES", 0)
    monkeypatch.setattr(subjects, "MOST_LABELS", 2**14)
    monkeypatch.setattr(targets, "MOST_VALUES", 2**14)
    monkeypatch.setattr(streamed, "DEALT_TOGETHER", 2**14)
    few, many = 200_000, 800_000
    peak(tmp_path, 1000)
    grown = peak(tmp_path, many) - peak(tmp_path, few)
    assert grown < 2.5 * (many - few)
