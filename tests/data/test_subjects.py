"""Columns that name subjects: known by name, told where they repeat and nothing keeps their rows together."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console
from pidreg_cli.data.subjects import repeated_subjects
from pidreg_cli.data.tables import open_table
from pidreg_cli.errors import DataError

TWICE = np.repeat(np.arange(30), 2)


def found(folder: Path, group: str | None = None, identifier: str | None = None, **columns: object) -> object:
    pq.write_table(pa.table({"x": np.arange(60.0), **columns}), folder / "t.parquet")
    return repeated_subjects(open_table([folder / "t.parquet"]), group, identifier)


@pytest.mark.parametrize(
    "column",
    [TWICE, TWICE.astype(str), pa.array(TWICE.astype(str)).dictionary_encode(), [*TWICE[:-1].tolist(), None]],
)
def test_repeating_subjects_are_found_in_columns_of_labels(tmp_path: Path, column: object) -> None:
    assert found(tmp_path, subject_id=column) == ("subject_id", 30)


def test_what_is_grouped_unique_constant_or_measured_is_not_told(tmp_path: Path) -> None:
    assert found(tmp_path, group="subject", subject=TWICE) is None
    assert found(tmp_path, subject=np.arange(60)) is None
    assert found(tmp_path, subject=np.zeros(60, int)) is None
    assert found(tmp_path, subject=TWICE.astype(float)) is None
    assert found(tmp_path, visit=TWICE) is None


def test_the_id_of_rows_counts_whatever_its_name(tmp_path: Path) -> None:
    assert found(tmp_path, identifier="code", code=TWICE) == ("code", 30)


def test_a_fit_tells_of_them_on_stderr(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise DataError("data.stopped", "enough seen")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pidreg_cli.pipeline.fit_arrays", stopped)
    rows = {"a__0": np.arange(60.0), "target": np.arange(60.0) ** 2, "patient": TWICE}
    pq.write_table(pa.table(rows), "t.parquet")
    console = Console(io.StringIO(), io.StringIO())
    assert main(["fit", "t.parquet"], console) == 3
    said = console.stderr.getvalue()
    assert "Column 'patient' repeats, 30 values in 60 rows" in said
    assert "--group patient" in said
