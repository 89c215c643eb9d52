"""Tables at addresses that pyarrow understands: read as local ones are, refused in words a user can act on."""

from __future__ import annotations

import io
from pathlib import Path
from uuid import uuid4

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.feather as pf
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import pytest

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console
from pidreg_cli.data.inputs import expand_inputs
from pidreg_cli.data.tables import open_table
from pidreg_cli.errors import DataError

ROWS = 60
RNG = np.random.default_rng(3)
TABLE = pa.table({name: RNG.normal(size=ROWS) for name in ("a__x", "b__z", "target")})


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def bucket():
    """The address of a folder of a file system in memory, and a function that puts bytes there."""
    pytest.importorskip("fsspec")
    address = f"fsspec+memory://bucket{uuid4().hex}"
    filesystem, root = pafs.FileSystem.from_uri(address)

    def put(name: str, content: bytes) -> str:
        filesystem.create_dir(f"{root}/{name}".rpartition("/")[0], recursive=True)
        with filesystem.open_output_stream(f"{root}/{name}") as stream:
            stream.write(content)
        return f"{address}/{name}"

    return address, put


def content(kind: str) -> bytes:
    stream = pa.BufferOutputStream()
    {"parquet": pq.write_table, "feather": pf.write_feather, "csv": pacsv.write_csv}[kind](TABLE, stream)
    return stream.getvalue().to_pybytes()


def run(*arguments: str) -> tuple[int, str]:
    console = Console(io.StringIO(), io.StringIO())
    return main(list(arguments), console), console.stderr.getvalue()


@pytest.mark.parametrize("kind", ["parquet", "feather", "csv"])
def test_prepare_reads_an_address_as_it_reads_a_file(bucket, kind):
    _, put = bucket
    Path(f"in.{kind}").write_bytes(content(kind))
    assert run("prepare", f"in.{kind}", "-o", "local.parquet")[0] == 0
    assert run("prepare", put(f"in.{kind}", content(kind)), "-o", "remote.parquet")[0] == 0
    assert Path("remote.parquet").read_bytes() == Path("local.parquet").read_bytes()


def test_an_address_may_be_a_named_input(bucket):
    _, put = bucket
    Path("p.csv").write_text("k,target\n" + "".join(f"{k},{k}.5\n" for k in range(30)))
    labs = put("labs.csv", ("k,x\n" + "".join(f"{k},{k % 7}\n" for k in range(30))).encode())
    assert run("prepare", "p.csv", f"labs={labs}", "--key", "k", "-o", "out.parquet")[0] == 0
    assert pq.read_table("out.parquet")["labs__x"].to_pylist() == [k % 7 for k in range(30)]


def test_a_remote_folder_is_searched_and_brings_its_partitions(bucket):
    address, put = bucket
    for name in ("site=B/1.parquet", "site=A/2.parquet", "_tmp/3.parquet", "readme.txt"):
        put(name, content("parquet"))
    table = open_table([address])
    assert (table.files, table.rows) == (("2.parquet", "1.parquet"), 2 * ROWS)
    assert table.read(["site"])["site"].to_pylist() == ["A"] * ROWS + ["B"] * ROWS
    assert len({file.path for file in expand_inputs([address])}) == 2


def test_the_fingerprint_is_that_of_the_contents(bucket):
    _, put = bucket
    Path("in.parquet").write_bytes(content("parquet"))
    remote = open_table([put("other.parquet", content("parquet"))])
    assert remote.fingerprint == open_table(["in.parquet"]).fingerprint


def test_a_file_address_is_the_local_file(tmp_path):
    path = tmp_path / "with space.parquet"
    path.write_bytes(content("parquet"))
    assert [file.path for file in expand_inputs([path.as_uri()])] == [path]
    assert [file.path for file in expand_inputs([f"file://{tmp_path}/*.parquet"])] == [path]
    with pytest.raises(DataError, match="name the file") as caught:
        expand_inputs([path.as_uri(), path])
    assert caught.value.code == "data.input_twice"


def test_one_address_twice_is_refused(bucket):
    _, put = bucket
    address = put("in.parquet", content("parquet"))
    with pytest.raises(DataError, match="twice"):
        expand_inputs([address, address])


def test_fit_takes_addresses_too(tmp_path):
    status, told = run("fit", f"file://{tmp_path}/gone.parquet")
    assert status == 3
    assert f"There is no file or folder '{tmp_path}/gone.parquet'" in told


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("nowhere://bucket/in.csv", "'nowhere://bucket/in.csv' cannot be opened: Unrecognized filesystem"),
        ("nowhere://me:secret@bucket/in.csv", "'nowhere://bucket/in.csv' cannot be opened"),
        ("fsspec+memory://gone/in.csv", "There is no file or folder 'fsspec+memory://gone/in.csv'"),
        ("fsspec+memory://gone/*.csv", "patterns are for local files"),
    ],
)
def test_an_address_that_leads_nowhere_is_refused(address, words):
    status, told = run("prepare", address, "-o", "out.parquet")
    assert status == 3
    assert words in told
    assert "secret" not in told
    assert "hint: " in told
    assert not list(Path().iterdir())


def test_a_remote_folder_without_tables_is_refused(bucket):
    address, put = bucket
    put("readme.md", b"none")
    with pytest.raises(DataError, match="holds no Parquet file"):
        expand_inputs([address])


def test_a_damaged_remote_file_is_named(bucket):
    _, put = bucket
    address = put("in.parquet", content("parquet")[:-4])
    status, told = run("prepare", address, "-o", "out.parquet")
    assert (status, f"'{address}' cannot be read as Parquet" in told) == (3, True)
