"""Small text files are read at once: a reader ahead in a thread of its own would outlive a program that ends soon."""

from __future__ import annotations

import gzip
import subprocess
import sys
from pathlib import Path

import pyarrow.csv as pacsv
import pytest

from pidreg_cli.data.inputs import InputFile
from pidreg_cli.data.sources import delimited
from pidreg_cli.data.sources.delimited import DelimitedSource
from pidreg_cli.data.sources.dialect import SAMPLE_BYTES, DialectOptions
from pidreg_cli.errors import DataError


def opened(path: Path) -> DelimitedSource:
    return DelimitedSource.open([InputFile(path)], DialectOptions(), (), f"'{path.name}'")


@pytest.mark.parametrize("text", ["a,b\n", "a,b", "a,b\r\n", "a,b\n\n"])
@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz"])
def test_names_alone_are_no_rows(tmp_path: Path, name: str, text: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(text.encode()) if name.endswith("gz") else text.encode())
    with pytest.raises(DataError) as caught:
        opened(path)
    assert caught.value.code == "data.no_rows"


def test_streams_are_for_large_files_and_read_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    streamed: list[object] = []
    reader = pacsv.open_csv

    def seen(*arguments: object) -> pacsv.CSVStreamingReader:
        streamed.append(arguments[0])
        return reader(*arguments)

    monkeypatch.setattr(pacsv, "open_csv", seen)
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "".join(f"{i},x{i}\n" for i in range(100)))
    at_once = [*opened(path).batches(["a", "b"], 1000)]
    assert not streamed
    monkeypatch.setattr(delimited, "BLOCK", 200)
    by_parts = [*opened(path).batches(["a", "b"], 1000)]
    assert streamed
    assert [batch.to_pylist() for batch in at_once] == [batch.to_pylist() for batch in by_parts]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("name", ["a__{}", '"a__a name\nof two lines; {}"'])
def test_names_of_wide_tables_are_read_to_their_end(tmp_path: Path, name: str, end: str) -> None:
    """Together they are longer than what is looked at of other tables."""
    names = [name.format(f"{'n' * 200}{number}") for number in range(1500)]
    assert sum(map(len, names)) > SAMPLE_BYTES
    path = tmp_path / "t.csv"
    lines = [",".join(names), *[",".join(["7"] * 1500)] * 3]
    path.write_bytes("".join(line + end for line in lines).encode())
    last = [one.strip('"') for one in names[-2:]]
    [batch] = opened(path).batches(last, 1000)
    assert batch.to_pylist() == [dict.fromkeys(last, 7)] * 3


def test_decimal_marks_are_found_behind_names_of_several_megabytes(tmp_path: Path) -> None:
    names = [f"a__{'n' * 10_000}{number}" for number in range(300)]
    path = tmp_path / "t.csv"
    path.write_text(f"{';'.join(names)}\n" + f"{';'.join(['1,5'] * 300)}\n" * 2)
    [batch] = opened(path).batches(names[:1], 1000)
    assert batch.to_pylist() == [{names[0]: 1.5}] * 2


@pytest.mark.parametrize("rows", ["\n1,2\n", "\n", ""])
def test_a_line_longer_than_a_block_is_an_error_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: str
) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"{'a' * 500},b{rows}")
    monkeypatch.setattr(delimited, "BLOCK", 100)
    with pytest.raises(DataError, match="the most that is read of one") as caught:
        opened(path)
    assert caught.value.code == "data.long_line"


@pytest.mark.parametrize("text", ['""', '""\n', '"a b"'])
def test_a_short_name_alone_is_no_long_one(tmp_path: Path, text: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        opened(path)
    assert caught.value.code == "data.no_rows"


def test_a_name_without_end_is_an_error_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f'"{"a" * 200_000},b\n1,2\n')
    with pytest.raises(DataError, match="has a cell of more than 131,072 characters") as caught:
        opened(path)
    assert caught.value.code == "data.long_name"


@pytest.mark.slow
def test_a_program_that_ends_at_once_ends_by_its_error(tmp_path: Path) -> None:
    """It was aborted once in ten times, after it had told of the error."""
    path = tmp_path / "t.csv"
    path.write_text("a,b\n")
    code = (
        "import torch, pathlib, tests.data.test_small_text as here\n"
        f"try: here.opened(pathlib.Path({str(path)!r}))\n"
        "except here.DataError: raise SystemExit(3)"
    )
    command = [sys.executable, "-c", code]
    assert [subprocess.run(command, check=False).returncode for _ in range(30)] == [3] * 30
