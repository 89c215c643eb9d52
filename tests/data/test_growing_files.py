"""Tables that grow: CSV as pandas would write it, numbers in full."""

from __future__ import annotations

import io
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.data.growing_files import CsvWriter, open_output
from pidreg_cli.errors import OutputError

TABLE = pa.table(
    {
        "id": ['a,"b"', None, "\u00e4"],
        "bits.x, y": pa.array([0.1, None, 1e-300]),
        "upper": [np.inf, -np.inf, np.nan],
        "count": [1, 2, 3],
    }
)


def written(*tables: pa.Table) -> str:
    stream = io.StringIO(newline="")
    writer = CsvWriter(stream)
    for table in tables:
        writer.write(table)
    return stream.getvalue()


def test_csv_has_one_header_and_empty_cells_for_what_is_missing() -> None:
    lines = written(TABLE, TABLE.slice(0, 1)).splitlines()
    assert lines[:3] == ['id,"bits.x, y",upper,count', '"a,""b""",0.1,inf,1', ",,-inf,2"]
    assert lines[3].replace('"', "") == "\u00e4,1e-300,,3"
    assert lines[4] == lines[1]


def test_csv_reads_back_to_the_bit() -> None:
    numbers = np.random.default_rng(0).normal(size=1000) * 10.0 ** np.arange(-500, 500).clip(-300, 300)
    found = [float(line) for line in written(pa.table({"x": numbers})).splitlines()[1:]]
    np.testing.assert_array_equal(found, numbers)


@pytest.mark.parametrize("ids", [[[1, 2], None], [{"a": 1}, None], [timedelta(days=1), None]])
def test_ids_of_any_type_are_written(ids: list[object]) -> None:
    assert str(ids[0]) in written(pa.table({"id": ids})).replace('"', "")


@pytest.mark.parametrize("name", ["p.csv", "p.parquet"])
def test_a_block_that_fails_leaves_nothing(tmp_path: Path, name: str) -> None:
    def failing() -> None:
        with open_output(tmp_path / name) as writer:
            writer.write(TABLE)
            raise OSError(28, "No space left on device")

    with pytest.raises(OutputError, match="No space left"):
        failing()
    assert not list(tmp_path.iterdir())


def test_parquet_keeps_types_and_rows(tmp_path: Path) -> None:
    with open_output(tmp_path / "p.parquet") as writer:
        writer.write(TABLE)
        writer.write(TABLE)
    assert pq.read_table(tmp_path / "p.parquet").num_rows == 6
    assert pq.read_schema(tmp_path / "p.parquet").equals(TABLE.schema)
