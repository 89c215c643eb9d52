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
from pidreg_cli.data import subjects
from pidreg_cli.data.subjects import repeated_subjects
from pidreg_cli.data.tables import open_table
from pidreg_cli.errors import DataError
from tests.cli.in_process import TINY, Ended

TWICE = np.repeat(np.arange(30), 2)


def found(folder: Path, group: str | None = None, identifier: str | None = None, **columns: object) -> object:
    pq.write_table(pa.table({"x": np.arange(60.0), **columns}), folder / "t.parquet")
    return repeated_subjects(open_table([folder / "t.parquet"]), group, identifier)


@pytest.mark.parametrize(
    "column",
    [TWICE, TWICE.astype(float), TWICE.astype(str), pa.array(TWICE.astype(str)).dictionary_encode()],
)
def test_repeating_subjects_are_found_in_columns_of_labels(tmp_path: Path, column: object) -> None:
    assert found(tmp_path, subject_id=column) == ("subject_id", 30, 60)


@pytest.mark.parametrize("kind", [pa.int64(), pa.float64(), pa.string()])
def test_rows_without_a_subject_do_not_count(tmp_path: Path, kind: pa.DataType) -> None:
    twice, once = (pa.array([*rows[:-1].tolist(), None]).cast(kind) for rows in (TWICE, np.arange(60)))
    assert found(tmp_path, subject_id=twice) == ("subject_id", 30, 59)
    assert found(tmp_path, subject_id=once) is None
    assert found(tmp_path, subject_id=pa.nulls(60, kind)) is None


def test_missing_cells_of_pandas_do_not_count(tmp_path: Path) -> None:
    assert found(tmp_path, subject_id=np.append(np.arange(58.0), [np.nan, np.nan])) is None
    assert found(tmp_path, subject_id=np.append(TWICE[:58], [np.nan, np.nan])) == ("subject_id", 29, 58)


def test_what_is_grouped_unique_constant_or_measured_is_not_told(tmp_path: Path) -> None:
    assert found(tmp_path, group="subject", subject=TWICE) is None
    assert found(tmp_path, subject=np.arange(60)) is None
    assert found(tmp_path, subject=np.zeros(60, int)) is None
    assert found(tmp_path, subject=TWICE / 7) is None
    assert found(tmp_path, subject=TWICE * 2.0**53) is None
    assert found(tmp_path, visit=TWICE) is None


def test_the_id_of_rows_counts_whatever_its_name(tmp_path: Path) -> None:
    assert found(tmp_path, identifier="code", code=TWICE) == ("code", 30, 60)


def test_a_fit_warns_of_them_before_it_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise DataError("data.stopped", "enough seen")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pidreg_cli.pipeline.fit_arrays", stopped)
    rows = {"a__0": np.arange(60.0), "target": np.arange(60.0) ** 2, "patient": TWICE}
    pq.write_table(pa.table(rows), "t.parquet")
    console = Console(io.StringIO(), io.StringIO())
    assert main(["fit", "t.parquet", "-q"], console) == 3
    said = console.stderr.getvalue()
    assert "warning: Column 'patient' repeats, 30 values in 60 rows" in said
    assert "--group patient" in said


@pytest.mark.parametrize(("most", "off"), [(2**17, 0), (2000, 0.15)])
@pytest.mark.parametrize("text", [False, True])
def test_many_labels_are_counted_by_a_share_of_them(
    monkeypatch: pytest.MonkeyPatch, most: int, off: float, text: bool
) -> None:
    monkeypatch.setattr(subjects, "MOST_LABELS", most)
    numbers = np.random.default_rng(0).permutation(np.repeat(np.arange(15_000), 2))
    labels = subjects._labels(pa.array([f"subject-{one}" for one in numbers])) if text else numbers
    assert labels is not None
    assert len(np.unique(labels)) == 15_000
    twice, once = subjects.DistinctLabels(), subjects.DistinctLabels()
    for part in np.array_split(labels, 11):
        twice.add(part)
    for part in np.array_split(np.unique(labels), 11):
        once.add(part)
    assert (twice.rows, once.rows) == (30_000, 15_000)
    assert twice.values() == pytest.approx(15_000, rel=off)
    assert once.values() == 15_000
    assert len(twice._words) <= most


@pytest.mark.parametrize("command", [["fit", "-o", "r.pidreg"], ["select-modalities"]])
def test_the_reports_of_fits_warn_of_them_and_of_repeating_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    a, b, noise = rng.normal(size=(3, 120))
    pq.write_table(
        pa.table({"a__0": a, "b__0": b, "target": a + b + noise, "id": np.arange(120) // 2}), "t.parquet"
    )
    (tmp_path / "tiny.yaml").write_text(TINY)
    given = [command[0], "t.parquet", "--modalities", "a,b", "--config", "tiny.yaml", *command[1:]]
    alone = Ended(*given, "--format", "json")
    (finding,) = [one for one in alone.report["diagnostics"] if one["code"] == "data.repeated_subjects"]
    assert finding["severity"] == "warning"
    assert "Column 'id' repeats, 60 values in 120 rows" in finding["message"]
    assert finding["hint"] == "Keep rows of a subject together: --group id."
    assert "warning: Column 'id' repeats" in alone.err
    grouped = Ended(*given, "--group", "id", *["--force"][: command[0] == "fit"], "--format", "json")
    assert "data.repeated_subjects" not in {one["code"] for one in grouped.report["diagnostics"]}
