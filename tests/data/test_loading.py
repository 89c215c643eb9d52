"""From files to arrays: values, row order, missing cells, and rows that are refused."""

from __future__ import annotations

from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.data.features import feature_block
from pidreg_cli.data.loading import load_arrays
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.data.tables import ColumnPiece, open_table
from pidreg_cli.errors import DataError

ROWS = 6
TARGET = {"target": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}


@pytest.fixture
def load(tmp_path):
    """Write columns to a file (small row groups), resolve roles and load."""

    def loaded(columns, names=("a",), require_target=True, **request):
        path = tmp_path / "table.parquet"
        pq.write_table(pa.table(columns), path, row_group_size=2)
        table = open_table([path])
        roles = resolve_roles(
            table.schema, table.metadata, RoleRequest(modalities=dict.fromkeys(names, ()), **request)
        )
        return load_arrays(table, roles, require_target=require_target)

    return loaded


@pytest.fixture
def refused(load):
    def error(code, columns, **request):
        with pytest.raises(DataError) as caught:
            load(columns, **request)
        assert caught.value.code == code
        assert caught.value.hint
        return caught.value.message

    return error


def feature(**values):
    return {"a__x": [0.0] * (ROWS - 1) + [1.0], **TARGET, **values}


NAN = float("nan")


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([1, 2, 3, None, 5, 6], pa.int64()), [1, 2, 3, NAN, 5, 6]),
        (pa.array([1, 2, 3, NAN, None, 6], pa.float64()), [1, 2, 3, NAN, NAN, 6]),
        (pa.array(np.arange(6, dtype=np.float16)), [0, 1, 2, 3, 4, 5]),
        (pa.array([True, False, None, True, True, True]), [1, 0, NAN, 1, 1, 1]),
        (pa.array([Decimal("1.25"), None, *[Decimal(7)] * 4]), [1.25, NAN, 7, 7, 7, 7]),
        (pa.array([3, 1, None, 3, 3, 1]).dictionary_encode(), [3, 1, NAN, 3, 3, 1]),
        (pa.array([2**63, 0, 0, 0, 0, 1], pa.uint64()), [2.0**63, 0, 0, 0, 0, 1]),
    ],
)
def test_numbers_of_every_kind(load, column, expected):
    arrays = load({"a__x": column, **TARGET}).arrays
    assert arrays.features["a"].dtype == np.float32
    np.testing.assert_array_equal(arrays.features["a"][:, 0], np.array(expected, np.float32))
    np.testing.assert_array_equal(arrays.target, TARGET["target"])
    assert arrays.columns == {"a": ("a__x",)}


def test_columns_keep_their_order_and_block(load):
    columns = {"b__2": [1.0] * ROWS, "a__1": [2.0] * ROWS, "b__1": [3.0] * ROWS, **TARGET}
    arrays = load(columns, names=("a", "b")).arrays
    assert arrays.names == ("a", "b")
    assert arrays.columns == {"a": ("a__1",), "b": ("b__2", "b__1")}
    assert arrays.features["b"][0].tolist() == [1, 3]


@pytest.mark.parametrize(
    "kind", [pa.list_(pa.float32()), pa.list_(pa.float64(), 2), pa.large_list(pa.int16())]
)
def test_lists_become_features_and_a_null_list_a_missing_modality(load, kind):
    lists = pa.array([[1, 2], None, [3, 4], [5, 6], None, [7, 8]], kind)
    arrays = load({"a": lists, **TARGET}).arrays
    assert arrays.columns == {"a": ("a[0]", "a[1]")}
    expected = [[1, 2], [NAN, NAN], [3, 4], [5, 6], [NAN, NAN], [7, 8]]
    np.testing.assert_array_equal(arrays.features["a"], expected)


def test_nan_in_a_list_is_a_missing_cell(load):
    arrays = load({"a": [[1.0, NAN]] * ROWS, **TARGET}).arrays
    assert np.isnan(arrays.features["a"][:, 1]).all()


def test_lists_beside_numbers(load):
    columns = {"a__l": [[1.0, 2.0]] * ROWS, "a__x": [3.0] * ROWS, **TARGET}
    arrays = load(columns).arrays
    assert arrays.columns == {"a": ("a__l[0]", "a__l[1]", "a__x")}
    assert arrays.features["a"][0].tolist() == [1, 2, 3]


@pytest.mark.parametrize("row", range(ROWS))
def test_uneven_lists_name_the_row(refused, row):
    lists = [[1.0, 2.0]] * ROWS
    lists[row] = [1.0]
    message = refused("data.uneven_lists", {"a": lists, **TARGET})
    # The first row sets the length.
    assert f"row {max(row, 1)} " in message


@pytest.mark.parametrize("row", [0, 3, 5])
@pytest.mark.parametrize("kind", [pa.list_(pa.float64()), pa.list_(pa.float64(), 2)])
def test_null_elements_name_the_row(refused, row, kind):
    lists = [None, [1.0, 2.0], [1.0, 2.0], [1.0, 2.0], None, [1.0, 2.0]]
    lists[row] = [1.0, None]
    message = refused("data.null_element", {"a": pa.array(lists, kind), **TARGET})
    assert f"row {row} " in message
    assert "place 1" in message


def test_an_empty_list_among_others_names_its_row(refused):
    lists = [[], None, [1.0, 2.0], [3.0, 4.0], [3.0, 4.0], [3.0, 4.0]]
    assert "2 elements, 0 in row 0 " in refused("data.uneven_lists", {"a": lists, **TARGET})


@pytest.mark.parametrize("lists", [[[]] * ROWS, [None] * ROWS])
def test_lists_without_elements_are_refused(refused, lists):
    refused("data.empty_lists", {"a": pa.array(lists, pa.list_(pa.float64())), **TARGET})


@pytest.mark.parametrize("row", [0, 3, 5])
@pytest.mark.parametrize(
    ("value", "code"),
    [(np.inf, "data.infinite_value"), (-np.inf, "data.infinite_value"), (1e39, "data.too_large")],
)
def test_infinite_and_huge_numbers_name_column_and_row(refused, row, value, code):
    numbers = np.arange(ROWS, dtype=float)
    numbers[row] = value
    for columns in (feature(a__x=numbers), feature(target=numbers), feature(a__x=[[n] for n in numbers])):
        message = refused(code, columns)
        assert f"row {row} " in message
        assert "'a__x'" in message or "'target'" in message


def test_half_precision_infinity_is_seen(refused):
    refused("data.infinite_value", feature(a__x=np.array([0, 1, 2, 3, 4, np.inf], np.float16)))


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([None] * ROWS, "data.missing_target_values"),
        ([NAN] * ROWS, "data.missing_target_values"),
        ([2.0] * 5 + [None], "data.constant_target"),
        ([0, 1, 0, 1, None, 1], "data.two_valued_target"),
        ([True, False] * 3, "data.two_valued_target"),
    ],
)
def test_targets_without_spread_are_refused(refused, values, code):
    kind = pa.bool_() if values[0] is True else pa.float64()
    refused(code, feature(target=pa.array(values, kind)))


def test_rows_with_a_missing_target_stay(load):
    arrays = load(feature(target=[1.0, None, 3.0, NAN, 5.0, 6.0])).arrays
    np.testing.assert_array_equal(np.isnan(arrays.target), [0, 1, 0, 1, 0, 0])
    assert arrays.rows == ROWS


def test_a_modality_of_missing_cells_alone_is_refused(refused):
    assert "'a__x'" in refused("data.empty_modality", feature(a__x=pa.array([None] * ROWS, pa.float64())))


def test_a_fifth_of_rows_without_a_modality_is_legal(load):
    rng = np.random.default_rng(0)
    block = rng.normal(size=(60, 3))
    block[::5] = NAN
    columns = {f"b__{i}": block[:, i] for i in range(3)}
    columns |= {"a__x": rng.normal(size=60), "target": rng.normal(size=60)}
    arrays, notices = load(columns, names=("a", "b"))
    assert np.isnan(arrays.features["b"]).all(axis=1).mean() == pytest.approx(0.2)
    assert notices == ()


# Ids, groups, splits


def test_without_an_id_rows_are_numbered(load):
    assert load(feature()).arrays.ids.tolist() == list(range(ROWS))


@pytest.mark.parametrize(
    ("ids", "expected"),
    [
        (["p1", "p2", "ü", "🧠", "", "p6"], ["p1", "p2", "ü", "🧠", "", "p6"]),
        (pa.array([9, 8, 7, 6, 5, 4], pa.int32()), [9, 8, 7, 6, 5, 4]),
        (pa.array(["x", "y"] * 3).dictionary_encode(), ["x", "y"] * 3),
        (["p1", None, "p3", "p4", "p5", None], ["p1", "1", "p3", "p4", "p5", "5"]),
        (pa.array([7, None, 7, 7, 7, 7]), ["7", "1", "7", "7", "7", "7"]),
        (
            pa.array([0, 86_400, 0, 0, 0, 0], pa.timestamp("s")),
            ["1970-01-01 00:00:00.000", "1970-01-02 00:00:00.000"],
        ),
    ],
)
def test_ids(load, ids, expected):
    assert load(feature(id=ids)).arrays.ids.tolist()[: len(expected)] == expected


def test_repeated_ids_are_said(load):
    _, notices = load(feature(id=["p1"] * 2 + ["p2", "p3", "p4", "p5"]))
    assert any("'id'" in notice and "5 different values in 6 rows" in notice for notice in notices)


def test_groups(load):
    groups = load(feature(site=["A", "A", "B", "B", "B", "C"]), group="site").arrays.groups
    assert groups.tolist() == ["A", "A", "B", "B", "B", "C"]


@pytest.mark.parametrize("groups", [["A", None, "B", "B", "B", None], [1.0, NAN, 2.0, 2.0, 2.0, NAN]])
def test_missing_groups_are_refused(refused, groups):
    message = refused("data.missing_group", feature(site=groups), group="site")
    assert "2 rows, first in row 1 " in message


@pytest.mark.parametrize("column", [[[1]] * ROWS, [{"x": 1}] * ROWS, pa.array([b"\xff"] * ROWS)])
def test_groups_of_other_types_are_refused(refused, column):
    refused("data.role_type", feature(site=column), group="site")


def test_the_split(load):
    values = ["train", "train", "valid", "test", "test", "train"]
    for column in (values, pa.array(values).dictionary_encode()):
        assert load(feature(split=column)).arrays.split.tolist() == values


@pytest.mark.parametrize("wrong", ["Train", "validation", "", " test", "0"])
def test_other_split_values_are_refused(refused, wrong):
    message = refused("data.split_value", feature(split=["train"] * 4 + [wrong, "test"]))
    assert repr(wrong) in message
    assert "row 4 " in message


def test_a_split_of_numbers_or_nothing_is_refused(refused):
    refused("data.split_value", feature(split=[0, 1, 2] * 2))
    refused("data.missing_split", feature(split=["train"] * 5 + [None]))


def test_groups_divided_by_the_split_are_said(load):
    split = ["train", "test"] * 3
    divided = load(feature(split=split, site=["A"] * 6), group="site")
    assert any("divides groups" in notice for notice in divided.notices)
    whole = load(feature(split=split, site=["A", "B"] * 3), group="site")
    assert whole.notices == ()


def test_rounding_to_single_precision_is_said_where_it_blurs(load):
    stamps = 1.7e9 + np.arange(ROWS)
    sorted_far_apart = [0.1, 0.1, 1e3, 1e3, 1e9, 1e9 + 1e-3]
    _, notices = load(feature(a__time=stamps, a__constant=[0.1] * ROWS, a__far=sorted_far_apart))
    assert len(notices) == 1
    assert "'a__constant'" not in notices[0]
    assert "'a__far'" not in notices[0]
    assert any("'a__time'" in notice and "'a__x'" not in notice for notice in notices)


def test_a_table_without_its_target_can_be_loaded_for_prediction(tmp_path):
    pq.write_table(pa.table(feature()), tmp_path / "labelled.parquet")
    pq.write_table(pa.table({"a__x": [1.0, 2.0]}), tmp_path / "new.parquet")
    labelled, new = (open_table([tmp_path / name]) for name in ("labelled.parquet", "new.parquet"))
    roles = resolve_roles(labelled.schema, None, RoleRequest(modalities={"a": ()}))
    assert load_arrays(new, roles, require_target=False).arrays.target is None
    with pytest.raises(DataError, match="'target'"):
        load_arrays(new, roles)


def test_rows_of_several_files_and_partitions_line_up(tmp_path):
    for site in ("A", "B"):
        folder = tmp_path / f"site={site}"
        folder.mkdir()
        start = 0 if site == "A" else 3
        table = pa.table(
            {"a": [[start + i, 0] for i in range(3)], "target": [start + i + 0.5 for i in range(3)]}
        )
        pq.write_table(table, folder / "x.parquet", row_group_size=2)
    table = open_table([tmp_path])
    roles = resolve_roles(table.schema, None, RoleRequest(modalities={"a": ()}, group="site"))
    arrays = load_arrays(table, roles).arrays
    assert arrays.features["a"][:, 0].tolist() == [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(arrays.target, np.arange(6) + 0.5)
    assert arrays.groups.tolist() == ["A"] * 3 + ["B"] * 3


class TableOfChunks:
    """A column that comes in two chunks of one file."""

    def __init__(self, *chunks):
        self.cells = pa.chunked_array(chunks)
        self.rows = len(self.cells)
        self.schema = pa.schema([("a", self.cells.type)])

    def pieces(self, columns):
        return iter([ColumnPiece(name, 0, self.cells) for name in columns])

    def batches(self, columns, rows):
        return (pa.record_batch([chunk], names=columns) for chunk in self.cells.chunks)


def test_chunks_follow_each_other():
    chunks = [[1.0, 2.0], None], [[3.0, 4.0]]
    block = feature_block(TableOfChunks(*chunks), ["a"])
    np.testing.assert_array_equal(block.values, [[1, 2], [NAN, NAN], [3, 4]])
    with pytest.raises(DataError, match=r"row 3 "):
        feature_block(TableOfChunks(*chunks, [[5.0, np.inf]]), ["a"])


def test_rows_are_counted_across_files(tmp_path):
    pq.write_table(pa.table(feature()), tmp_path / "1.parquet")
    pq.write_table(pa.table(feature(a__x=[0.0, 1, 2, np.inf, 3, 4])), tmp_path / "2.parquet")
    table = open_table([tmp_path])
    roles = resolve_roles(table.schema, None, RoleRequest(modalities={"a": ()}))
    with pytest.raises(DataError, match=r"row 9 "):
        load_arrays(table, roles)
