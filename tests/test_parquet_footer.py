"""Footers of Parquet files are read as Arrow reads them, and damaged ones refused, whatever is damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pidreg_cli.parquet_footer import CODECS, ENCODINGS, TAIL, read_footer

TABLE = pa.table(
    {
        "split": ["train", "test", None, "valid"] * 500,
        "y": np.linspace(0, 1, 2000),
        "part": [{"a": 1, "b": [1.0, 2.0]}] * 2000,
    }
)


@pytest.mark.parametrize("compression", ["snappy", "none", "gzip"])
@pytest.mark.parametrize("rows", [2000, 300, 0])
def test_it_is_what_arrow_reads(compression: str, rows: int, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pq.write_table(
        TABLE.slice(0, rows), path, row_group_size=700, compression=compression, use_byte_stream_split=["y"]
        if compression == "gzip"
        else False, use_dictionary=["split"]
    )  # fmt: skip
    found, expected = read_footer(path), pq.read_metadata(path)
    assert found.rows == expected.num_rows
    groups = [expected.row_group(i) for i in range(expected.num_row_groups)]
    columns = [group.column(i) for group in groups for i in range(group.num_columns)]
    known = {*CODECS.values()}, {*ENCODINGS.values()}
    assert [(c.path, c.codec, c.encodings, c.size) for c in found.chunks] == [
        (
            column.path_in_schema,
            column.compression if column.compression in known[0] else "?",
            frozenset(e if e in known[1] else "?" for e in column.encodings),
            column.total_uncompressed_size,
        )
        for column in columns
    ]


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("footer") / "t.parquet"
    pq.write_table(TABLE, path, row_group_size=700)
    return path.read_bytes()


@given(
    changes=st.lists(st.tuples(st.integers(1, 1200), st.integers(0, 255)), min_size=1, max_size=4),
    kept=st.integers(0, 40),
)
@settings(max_examples=1500, deadline=None, suppress_health_check=list(HealthCheck))
def test_damaged_footers_are_refused_or_read(
    content: bytes, tmp_path: Path, changes: list[tuple[int, int]], kept: int
) -> None:
    broken = bytearray(content)
    for place, byte in changes:
        broken[-TAIL - place] = byte
    path = tmp_path / "broken.parquet"
    path.write_bytes(bytes(broken[: len(broken) - (kept if kept < 5 else 0)]))
    try:
        found = read_footer(path)
    except ValueError:
        return
    assert isinstance(found.rows, int)
    assert all(isinstance(chunk.path, str) for chunk in found.chunks)


@pytest.mark.parametrize(
    "raw", [b"", b"PAR1", b"\xff\xff\xff\x7fPAR1", b"\x00\x00\x00\x00PAR1", b"\x01\x00\x00\x00PARE"]
)
def test_what_is_no_parquet_file_is_refused(raw: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(raw)
    with pytest.raises(ValueError, match=r"footer|end as"):
        read_footer(path)


@pytest.mark.parametrize("nested", [b"\x1c" * 1000, b"\x19\x19" * 1000, b"\x19\xfc\xff\xff\xff\xff\x0f"])
def test_claims_and_nesting_are_bounded(nested: bytes, tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(nested + len(nested).to_bytes(4, "little") + b"PAR1")
    with pytest.raises(ValueError, match="footer"):
        read_footer(path)
