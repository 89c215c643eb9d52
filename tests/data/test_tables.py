"""Files, folders and globs as one table; broken inputs as errors a user can act on."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pidreg_cli.data.tables import open_table
from pidreg_cli.errors import DataError

PLAIN = pa.table({"a__x": [1.0, 2.0], "b__x": [3.0, 4.0], "target": [5.0, 6.0]})


def write(path, table=PLAIN, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, path, **options)
    return path


def refused(*inputs):
    with pytest.raises(DataError) as caught:
        open_table(inputs)
    assert caught.value.message
    assert caught.value.hint
    return caught.value


def test_one_file(tmp_path):
    path = write(tmp_path / "data.parquet")
    table = open_table([path])
    assert (table.rows, table.files, table.metadata) == (2, ("data.parquet",), None)
    assert table.schema.names == PLAIN.schema.names
    assert table.fingerprint == "sha256:" + hashlib.sha256(path.read_bytes()).hexdigest()
    assert table.read(["target", "a__x"]).to_pydict() == {"target": [5.0, 6.0], "a__x": [1.0, 2.0]}


def test_a_text_path_and_unicode_names_work(tmp_path):
    path = write(tmp_path / "sänger 🧠 [1].parquet")
    assert open_table([str(path)]).files == ("sänger 🧠 [1].parquet",)


def test_files_come_in_the_order_given_and_folders_sorted(tmp_path):
    for name in ("b", "a", "c"):
        write(tmp_path / "in" / f"{name}.parquet", PLAIN.slice(0, 1))
    folder = tmp_path / "in"
    assert open_table([folder]).files == ("a.parquet", "b.parquet", "c.parquet")
    assert open_table([f"{folder}/*.parquet"]).files == ("a.parquet", "b.parquet", "c.parquet")
    assert open_table([folder / "c.parquet", folder / "a.parquet"]).files == ("c.parquet", "a.parquet")


def test_a_folder_is_searched_deeply_and_hidden_files_are_passed_over(tmp_path):
    write(tmp_path / "deep" / "er" / "data.PARQUET")
    write(tmp_path / "_temporary" / "x.parquet")
    write(tmp_path / ".hidden.parquet")
    write(tmp_path / "deep" / "run.pidreg" / "heldout.parquet")
    (tmp_path / "README.md").write_text("about")
    assert open_table([tmp_path]).files == ("data.PARQUET",)


def test_hive_folders_bring_their_columns(tmp_path):
    for site, year in (("A", 2020), ("B%2FC", 2021), ("__HIVE_DEFAULT_PARTITION__", 2022)):
        write(tmp_path / f"site={site}" / f"year={year}" / "part.parquet")
    table = open_table([tmp_path])
    assert table.schema.names == [*PLAIN.schema.names, "site", "year"]
    columns = table.read(["year", "a__x", "site"]).to_pydict()
    assert columns["year"] == [2020, 2020, 2021, 2021, 2022, 2022]
    assert columns["site"] == ["A", "A", "B/C", "B/C", None, None]
    assert columns["a__x"] == [1.0, 2.0] * 3


def test_a_glob_of_hive_folders_keeps_the_columns_below_its_fixed_part(tmp_path):
    base = tmp_path / "run=7"
    write(base / "fold=0.5" / "x.parquet")
    write(base / "fold=1" / "x.parquet")
    table = open_table([f"{base}/fold=*/*.parquet"])
    assert table.read(["fold"]).to_pydict() == {"fold": [0.5, 0.5, 1.0, 1.0]}
    assert "run" not in table.schema.names


def test_a_file_named_itself_has_no_partitions(tmp_path):
    path = write(tmp_path / "site=A" / "x.parquet")
    assert open_table([path]).schema.names == PLAIN.schema.names


def test_mixed_partitions_are_refused(tmp_path):
    write(tmp_path / "site=A" / "x.parquet")
    write(tmp_path / "year=1" / "x.parquet")
    assert refused(tmp_path).code == "data.partitions_differ"


def test_a_partition_that_is_also_a_column_is_refused(tmp_path):
    write(tmp_path / "target=1" / "x.parquet")
    assert refused(tmp_path).code == "data.duplicate_column"


def test_column_order_may_differ_between_files(tmp_path):
    write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", PLAIN.select(["target", "b__x", "a__x"]))
    assert open_table([tmp_path]).read(["a__x"]).to_pydict() == {"a__x": [1.0, 2.0, 1.0, 2.0]}


@pytest.mark.parametrize(
    ("other", "named"),
    [
        (PLAIN.drop_columns(["b__x"]), "'b__x'"),
        (PLAIN.append_column("new", pa.array([1, 2])), "'new'"),
        (PLAIN.set_column(0, "a__x", pa.array(["1", "2"])), "'a__x' is double in the first and string"),
    ],
)
def test_files_with_other_columns_are_refused(tmp_path, other, named):
    first, second = write(tmp_path / "a.parquet"), write(tmp_path / "b.parquet", other)
    error = refused(first, second)
    assert error.code == "data.schemas_differ"
    assert named in error.message
    assert "b.parquet" in error.message


def test_the_same_file_twice_is_refused(tmp_path):
    path = write(tmp_path / "a.parquet")
    (tmp_path / "link.parquet").symlink_to(path)
    assert refused(path, path).code == refused(tmp_path).code == "data.input_twice"


def test_missing_inputs_are_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    assert "nope.parquet" in refused(tmp_path / "nope.parquet").message
    assert "matches" in refused(f"{tmp_path}/*.pq").message
    assert refused(tmp_path / "empty").code == "data.empty_folder"
    assert refused(tmp_path / ("x" * 400)).code == "data.missing_input"
    assert refused().code == "data.missing_input"


@pytest.mark.parametrize(
    "content", [b"", b"PAR1", b"PAR1PAR1", b"id,x\n1,2\n" * 50, b"PAR1" + b"\0" * 400 + b"PAR1"]
)
def test_files_that_are_no_parquet_are_refused(tmp_path, content):
    path = tmp_path / "bad.parquet"
    path.write_bytes(content)
    error = refused(path)
    assert error.code == "data.unreadable_file"
    assert "bad.parquet" in error.message


def test_a_csv_file_is_told_how_to_become_parquet(tmp_path):
    path = tmp_path / "data.csv"
    path.write_text("a,b\n1,2\n")
    hint = refused(path).hint
    assert "A fit reads Parquet" in hint
    assert f"pidreg prepare {path} -o data.parquet" in hint


def test_a_truncated_file_is_refused(tmp_path):
    path = write(tmp_path / "cut.parquet")
    path.write_bytes(path.read_bytes()[:-100])
    assert refused(path).code == "data.unreadable_file"


def test_damaged_pages_are_refused_when_read(tmp_path):
    numbers = pa.table({"x": np.random.default_rng(0).normal(size=5_000)})
    path = write(tmp_path / "data.parquet", numbers, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[500:4_000] = bytes(3_500)
    path.write_bytes(bytes(content))
    table = open_table([path])
    with pytest.raises(DataError, match=r"data\.parquet") as caught:
        table.read(["x"])
    assert caught.value.code == "data.unreadable_file"


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_flipped_bytes_end_in_a_table_or_a_data_error(tmp_path_factory, data):
    path = write(tmp_path_factory.mktemp("flip") / "data.parquet", PLAIN, compression="none")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] ^= data.draw(st.integers(1, 255))
    path.write_bytes(bytes(content))
    try:
        table = open_table([path])
        outcome = table.read(table.schema.names).num_rows == table.rows
    except DataError as error:
        outcome = bool(error.hint)
    assert outcome


@settings(deadline=None)
@given(
    files=st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=4), min_size=1, max_size=3),
    shares=st.integers(1, 6),
    rows=st.integers(1, 5),
)
def test_shares_are_runs_of_row_groups_that_make_the_table(tmp_path_factory, files, shares, rows):
    folder = tmp_path_factory.mktemp("shares")
    first = 0
    for number, groups in enumerate(files):
        schema = pa.schema({"x": pa.int64(), "y": pa.int64()})
        with pq.ParquetWriter(folder / f"{number}.parquet", schema) as writer:
            for size in groups:
                values = list(range(first, first + size))
                writer.write_table(pa.table({"x": values, "y": values}, schema), row_group_size=size)
                first += size
    table = open_table([folder])
    assert [part.groups for part in table.parts] == [tuple(groups) for groups in files]
    seen, largest = [], []
    for number in range(shares):
        own = list(table.numbered_batches(["y", "x"], rows, (number, shares)))
        for start, batch in own:
            assert batch.num_rows <= rows
            assert batch.schema.names == ["y", "x"]
            assert batch.column(0).to_pylist() == list(range(start, start + batch.num_rows))
        seen += [value for _, batch in own for value in batch.column(1).to_pylist()]
        largest.append(sum(batch.num_rows for _, batch in own))
    assert seen == list(range(first))
    # No share has more than its part and one row group.
    assert max(largest) <= first / shares + max(max(groups) for groups in files)


def test_no_rows_are_refused(tmp_path):
    assert refused(write(tmp_path / "none.parquet", PLAIN.slice(0, 0))).code == "data.no_rows"


def test_an_empty_file_among_others_is_no_problem(tmp_path):
    write(tmp_path / "a.parquet", PLAIN.slice(0, 0))
    write(tmp_path / "b.parquet")
    assert open_table([tmp_path]).read(["target"]).to_pydict() == {"target": [5.0, 6.0]}


def test_duplicate_column_names_are_refused(tmp_path):
    path = write(tmp_path / "x.parquet", pa.table([[1.0], [2.0]], names=["same", "same"]))
    error = refused(path)
    assert error.code == "data.duplicate_column"
    assert "'same'" in error.message


def test_names_with_dots_and_of_nothing_are_read_alone(tmp_path):
    table = pa.table({"a": [1.0], "a.b": [2.0], "": [3.0], "🧠 x/y": [4.0], "a.b.c": [5.0]})
    opened = open_table([write(tmp_path / "x.parquet", table)])
    for name in table.schema.names:
        assert opened.read([name]).to_pydict() == table.select([name]).to_pydict()


def test_pieces_are_the_columns_of_each_file(tmp_path, monkeypatch):
    monkeypatch.setattr("pidreg_cli.data.tables.CELLS_AT_ONCE", 4)
    for site in ("A", "B"):
        write(tmp_path / f"site={site}" / "x.parquet")
    names = ["target", "site", "b__x"]
    pieces = list(open_table([tmp_path]).pieces(names))
    assert [(piece.column, piece.first_row) for piece in pieces] == [
        (n, row) for row in (0, 2) for n in names
    ]
    assert pieces[0].cells.to_pylist() == [5.0, 6.0]
    assert pieces[4].cells.to_pylist() == ["B", "B"]


def test_an_unknown_column_has_near_ones(tmp_path):
    with pytest.raises(DataError, match="'target'") as caught:
        open_table([write(tmp_path / "x.parquet")]).read(["Tagret"])
    assert caught.value.code == "data.unknown_column"


def test_the_fingerprint_follows_contents_order_and_partitions_but_no_names(tmp_path):
    a, b = write(tmp_path / "a.parquet"), write(tmp_path / "b.parquet", PLAIN.slice(1))
    renamed = write(tmp_path / "other" / "z.parquet")
    hive = write(tmp_path / "hive" / "site=A" / "x.parquet")
    prints = {
        "both": open_table([a, b]).fingerprint,
        "swapped": open_table([b, a]).fingerprint,
        "one": open_table([a]).fingerprint,
        "hive": open_table([hive.parent.parent]).fingerprint,
    }
    assert len(set(prints.values())) == 4
    assert open_table([renamed, b]).fingerprint == prints["both"]
    assert all(len(text) == len("sha256:") + 64 for text in prints.values())


def test_stored_roles_are_read(tmp_path):
    roles = {"version": "1.0", "modalities": {"a": ["a__x"]}, "target": "target", "later": {"field": 1}}
    table = PLAIN.replace_schema_metadata({"pidreg": json.dumps(roles)})
    metadata = open_table([write(tmp_path / "x.parquet", table)]).metadata
    assert metadata is not None
    assert (metadata.modalities, metadata.target, metadata.id) == ({"a": ("a__x",)}, "target", None)


def test_files_with_other_stored_roles_are_refused(tmp_path):
    write(tmp_path / "a.parquet")
    write(tmp_path / "b.parquet", PLAIN.replace_schema_metadata({"pidreg": '{"version": 1}'}))
    assert refused(tmp_path).code == "data.metadata_differs"
