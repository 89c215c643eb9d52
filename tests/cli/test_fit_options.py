from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pidreg_cli.cli.fit import run_folder_for
from pidreg_cli.cli.modalities import column_names, named_modalities
from pidreg_cli.cli.outputs import check_run_outside
from pidreg_cli.data.reading_again import RUNS
from pidreg_cli.errors import DataError, UsageError
from tests.cli.in_process import Ended


@pytest.mark.parametrize(
    ("names", "patterns", "expected"),
    [
        (None, [], None),
        ("b,a", [], {"b": [], "a": []}),
        (" b , a ", [], {"b": [], "a": []}),
        (None, ["labs=blood_*, urine_*"], {"labs": ["blood_*", "urine_*"]}),
        (None, ['labs="my lab.b,c", age'], {"labs": ["my lab.b,c", "age"]}),
        ("b,a", ["labs=x=y"], {"b": [], "a": [], "labs": ["x=y"]}),
    ],
)
def test_modalities_keep_their_order(names, patterns, expected):
    found = named_modalities(names, patterns)
    assert found == expected
    assert list(found or []) == list(expected or [])


@pytest.mark.parametrize(
    ("names", "patterns"),
    [
        ("", []),
        ("a,", []),
        ("a,a", []),
        ("a", ["a=x"]),
        (None, ["a"]),
        (None, ["a="]),
        (None, ["=x"]),
        (None, ["a=x,,y"]),
        (None, ['a="x,y']),
        (None, ["a=x", "a=y"]),
    ],
)
def test_modalities_that_say_nothing_or_twice_are_refused(names, patterns):
    with pytest.raises(UsageError):
        named_modalities(names, patterns)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("age, sex", ["age", "sex"]),
        ('"my lab.b,c",age', ["my lab.b,c", "age"]),
        (' age , "b,c" , "d" ', ["age", "b,c", "d"]),
        ('"a ""big"", old one",5" pipe', ['a "big", old one', '5" pipe']),
        ('""""', ['"']),
        ('" kept "', [" kept "]),
    ],
)
def test_names_with_commas_are_quoted_as_in_csv(text, expected):
    assert column_names("--covariates", text) == expected


@pytest.mark.parametrize(
    "text", ["", "a,", ",a", "a,,b", " ", '"a,b', ' "a', '"a"b', '""', 'a,"b""', '"a" "b"']
)
def test_lists_with_empty_names_or_quotes_that_do_not_pair_are_refused(text):
    with pytest.raises(UsageError) as caught:
        column_names("--covariates", text)
    assert caught.value.code == "usage.covariates"
    assert '"dose, mg",age' in caught.value.hint


@given(st.lists(st.text(min_size=1), min_size=1))
def test_any_names_can_be_listed(names):
    text = ",".join('"' + name.replace('"', '""') + '"' for name in names)
    assert column_names("--covariates", text) == names


@pytest.mark.parametrize(
    ("data", "folder"),
    [
        ("data.parquet", "data.pidreg"),
        ("/somewhere/data.v2.parquet", "data.v2.pidreg"),
        ("tables/", "tables.pidreg"),
        ("tables/*.parquet", "tables.pidreg"),
        ("tables/**/part-?.parquet", "tables.pidreg"),
        (".", "here.pidreg"),
        ("a[1].parquet", "a[1].pidreg"),
    ],
)
def test_a_run_is_named_after_its_data_and_lies_in_this_folder(data, folder, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    Path("a[1].parquet").touch()
    assert run_folder_for(data) == Path(folder)


@pytest.mark.parametrize("data", ["*.parquet", "**/*.parquet", "/"])
def test_data_without_a_name_need_an_output(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("a.parquet").touch()
    with pytest.raises(UsageError, match="no name"):
        run_folder_for(data)


@pytest.mark.parametrize("data", ["zz*.parquet", "**/*.pq"])
def test_a_pattern_that_matches_nothing_is_a_matter_of_the_data(data, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match="No file matches"):
        run_folder_for(data)


@pytest.mark.parametrize("command", ["fit", "select-modalities"])
@pytest.mark.parametrize("data", ["{}", "{}/**/*.parquet"])
def test_a_run_is_no_input_of_the_next_fit(command, data, tmp_path):
    folder = tmp_path / "in"
    folder.mkdir()
    pq.write_table(pa.table({"a__x": range(30), "y": range(30)}), folder / "data.parquet")
    output = {"fit": "-o", "select-modalities": "--run"}[command]
    ended = Ended(command, data.format(folder), "--target", "y", output, folder / "run", "--format", "json")
    assert ended.status == 2
    assert "would be an input the next time" in ended.err
    assert f"name it run{RUNS[0]}" in ended.err
    assert [path.name for path in folder.iterdir()] == ["data.parquet"]
    check_run_outside(folder / f"run{RUNS[0]}", [data.format(folder)])
