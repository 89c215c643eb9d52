"""``pidreg prepare``: what it writes, and that ``fit``'s reader takes it."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.data.tables import open_table

ROWS = 200
RNG = np.random.default_rng(1)
TABLE = pa.table(
    {
        "a__x": RNG.normal(size=ROWS),
        "a__y": RNG.normal(size=ROWS),
        "b__z": RNG.normal(size=ROWS),
        "target": RNG.normal(size=ROWS),
    }
)


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def prepare(*arguments: object, output: str | None = "out.parquet") -> tuple[str, str]:
    """stdout and stderr of a command that goes well."""
    console = Console(io.StringIO(), io.StringIO())
    given = [*map(str, arguments), *(["-o", output] if output else [])]
    assert main(["prepare", *given], console) == 0, console.stderr.getvalue()
    return console.stdout.getvalue(), console.stderr.getvalue()


def written(name: str = "out.parquet") -> pa.Table:
    return pq.read_table(name)


def parquet(table: pa.Table, name: str = "in.parquet") -> str:
    pq.write_table(table, name)
    return name


def with_column(name: str, values: object) -> pa.Table:
    return TABLE.append_column(name, pa.array(values))


def test_a_join_counts_and_keeps_rows_that_lack_a_modality():
    Path("p.csv").write_text("k,age,city\n" + "".join(f"{k},{k * 1.5},c\n" for k in range(50)))
    Path("l.csv").write_text("k,x\n" + "".join(f"{k},{k % 7}\n" for k in range(10, 60)))
    out, err = prepare("p.csv", "labs=l.csv", "--key", "k", "--target", "age")
    table = written()
    assert out == ""
    assert "10 of 50 rows (20.0%) lack the whole modality 'labs'" in err
    assert table["labs__x"].to_pylist() == [None] * 10 + [k % 7 for k in range(10, 50)]
    assert table["k"].to_pylist() == list(range(50))
    joins = json.loads(Path("out.pidreg.json").read_text())["joins"]
    assert [(one["rows"], one["unmatched"]) for one in joins] == [(50, 10), (50, 10)]
    prepare("p.csv", "labs=l.csv", "--key", "k", "--target", "age", "--join", "outer", output="o.parquet")
    assert written("o.parquet")["k"].to_pylist() == list(range(60))
    prepare("p.csv", "labs=l.csv", "--key", "k", "--target", "age", "--join", "inner", output="i.parquet")
    assert written("i.parquet")["k"].to_pylist() == list(range(10, 50))


def test_the_first_of_duplicate_keys_is_taken_on_request():
    Path("p.csv").write_text("k,age\n" + "".join(f"{k},{k}.5\n" for k in range(30)))
    Path("l.csv").write_text("k,x\n" + "".join(f"{k % 30},{k}\n" for k in range(40)))
    _, err = prepare("p.csv", "labs=l.csv", "--key", "k", "--target", "age", "--duplicates", "first")
    assert "10 with a key seen before, left out" in err
    assert written()["labs__x"].to_pylist() == list(range(30))


def test_keys_with_leading_zeros_are_texts():
    Path("p.csv").write_text("k,age\n" + "".join(f"{k:03d},{k}.5\n" for k in range(30)))
    Path("l.csv").write_text("k,x\n" + "".join(f"{k:03d},{k}\n" for k in range(30)))
    prepare("p.csv", "labs=l.csv", "--key", "k", "--target", "age")
    assert written()["k"].to_pylist()[:2] == ["000", "001"]


def test_roles_survive_and_fit_reads_them():
    prepare(
        parquet(with_column("wd", ["N", "S", None, "E"] * (ROWS // 4))),
        "--modality",
        "b=b__z,wd",
        "--modality",
        "a=a*",
    )
    table = open_table(["out.parquet"])
    roles = resolve_roles(table.schema, table.metadata, RoleRequest())
    assert roles.modalities == {
        "b": ("b__z", "b__wd=E", "b__wd=N", "b__wd=S"),
        "a": ("a__x", "a__y"),
    }
    assert (roles.target, roles.split) == ("target", "split")
    assert written()["b__wd=N"].to_pylist()[:4] == [1, 0, None, 0]


def test_the_time_may_be_a_column_of_an_empty_name():
    prepare(parquet(with_column("", np.arange(ROWS))), "--split", "time", "--time", "")
    assert written()["split"].to_pylist() == ["train"] * 140 + ["valid"] * 20 + ["test"] * 40


def test_settings_of_the_command_line_count_as_those_of_a_file():
    source = parquet(TABLE.append_column("y", pa.array(RNG.normal(size=ROWS))))
    prepare(source, "--set", "data.target=y", "--set", "seed=3")
    assert open_table(["out.parquet"]).metadata.target == "y"
    prepare(source, "--target", "y", "--seed", "3", output="same.parquet")
    assert Path("same.parquet").read_bytes() == Path("out.parquet").read_bytes()


def test_shares_of_absent_rows_are_said_where_there_are_some():
    rows = 3000
    gone = pa.array([None, *RNG.normal(size=rows - 1)])
    table = pa.table({"a__x": gone, "b__z": RNG.normal(size=rows), "target": RNG.normal(size=rows)})
    out, _ = prepare(parquet(table), "--dry-run", output=None)
    assert "a  1 column, absent in <0.1% of the rows: 'a__x'" in out
    assert "b  1 column: 'b__z'" in out


def test_the_same_again_is_the_same_bytes():
    source = parquet(TABLE)
    prepare(source)
    prepare(source, output="again.parquet")
    assert Path("out.parquet").read_bytes() == Path("again.parquet").read_bytes()
    assert Path("out.pidreg.json").read_bytes() == Path("again.pidreg.json").read_bytes()
    prepare(source, "--seed", 1, output="other.parquet")
    assert written("other.parquet")["split"] != written()["split"]


def test_a_dry_run_prints_the_plan_and_writes_nothing():
    out, err = prepare(parquet(TABLE), "--dry-run", output=None)
    assert "a  2 columns: 'a__x', 'a__y'" in out
    assert "split   random: train 140, valid 20, test 40" in out
    assert err == ""
    assert [path.name for path in Path().iterdir()] == ["in.parquet"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("in.csv", "a__x;b__z;target\n" + "".join(f"{k},5;{k % 9};{k},25\n" for k in range(50))),
        ("in.tsv", "a__x\tb__z\ttarget\n" + "".join(f"{k}.5\t{k % 9}\t{k}.25\n" for k in range(50))),
        ("in.csv.gz", "a__x,b__z,target\n" + "".join(f" {k}.5 ,{k % 9},+{k}.25\n" for k in range(50))),
    ],
)
def test_texts_are_read_however_they_are_written(name, content):
    raw = content.encode()
    Path(name).write_bytes(gzip.compress(raw) if name.endswith(".gz") else raw)
    prepare(name)
    assert written()["a__x"].to_pylist() == [k + 0.5 for k in range(50)]
    assert written()["target"].to_pylist() == [k + 0.25 for k in range(50)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_found_out(encoding):
    words = ["Köln", "Düsseldorf", "Größe über alles", "Fußgänger"]
    rows = "".join(f"{words[k % 4]},{k}.5\n" for k in range(60))
    Path("in.csv").write_bytes(f"städte__größe,target\n{rows}".encode(encoding))
    prepare("in.csv")
    assert "städte__größe=Düsseldorf" in written().schema.names


def test_missing_markers_are_known_found_out_and_given():
    cells = ["1", "NA", "", "-999", "-", "2"]
    Path("in.csv").write_text("a__x,target\n" + "".join(f"{cells[k % 6]},{k}\n" for k in range(60)))
    _, err = prepare("in.csv", "--missing", "-999")
    assert written()["a__x"].to_pylist()[:6] == [1, None, None, None, None, 2]
    assert "'-' among the numbers of 'a__x' read as missing" in err


def test_every_type_of_number_is_read():
    values = [float(k % 5) for k in range(ROWS)]
    kinds = {
        "half": pa.array(np.array(values, np.float16)),
        "decimal": pa.array([v + 0.25 * (k % 3) for k, v in enumerate(values)]).cast(pa.decimal128(8, 2)),
        "whole": pa.array(range(ROWS), pa.uint8()),
        "truth": pa.array([k % 2 == 0 for k in range(ROWS)]),
        "words": pa.array([f"w{k % 3}" for k in range(ROWS)]).dictionary_encode(),
        "codes": pa.array(np.array(values) + 7).dictionary_encode(),
    }
    inner = pa.StructArray.from_arrays(list(kinds.values()), names=list(kinds))
    pq.write_table(TABLE.append_column("m", inner), "in.parquet", row_group_size=30)
    prepare("in.parquet", "--modalities", "m,a")
    table = written()
    assert table["m__half"].to_pylist() == values
    assert table["m__decimal"].to_pylist()[:3] == [0, 1.25, 2.5]
    assert table["m__truth"].to_pylist()[:2] == [1, 0]
    assert table["m__words=w1"].to_pylist()[:3] == [0, 1, 0]


def test_feather_and_lists_are_read():
    lists = pa.array([[1.0, float(k)] if k % 10 else None for k in range(ROWS)], pa.list_(pa.float32(), 2))
    pyarrow.feather.write_feather(TABLE.append_column("img", lists), "in.feather")
    prepare("in.feather", "--modalities", "img,a")
    assert written()["img"].to_pylist()[:2] == [None, [1.0, 1.0]]


def test_useless_columns_are_left_out_and_named():
    table = with_column("a__same", TABLE["a__x"].to_pylist()).append_column("a__one", pa.array([1.0] * ROWS))
    table = table.append_column("a__rare", pa.array([0.5, *[None] * (ROWS - 1)])).append_column(
        "b__x", TABLE["a__x"]
    )
    _, err = prepare(parquet(table))
    assert written().schema.names == ["target", "split", "a__x", "a__y", "b__z", "b__x"]
    assert "'a__same = a__x'" in err
    assert "warning: Columns that two modalities share: 'b__x = a__x'" in err
    prepare("in.parquet", "--no-drop", output="all.parquet")
    assert {"a__same", "a__one", "a__rare"} <= set(written("all.parquet").schema.names)


@pytest.mark.parametrize("leak", ["monotone", "square"])
def test_columns_that_determine_the_target_are_pointed_out(leak):
    rng = np.random.default_rng(0)
    x = rng.normal(size=4000)
    target = np.exp(x) + 0.01 * rng.normal(size=4000) if leak == "monotone" else x**2
    pq.write_table(pa.table({"a__x": x, "b__z": rng.normal(size=4000), "target": target}), "in.parquet")
    _, err = prepare("in.parquet")
    assert "nearly determine 'target': 'a__x (" in err
    assert "b__z (" not in err


@pytest.mark.parametrize("noise", [0.05, 20.0])
@pytest.mark.parametrize("options", [(), ("--ordinal", "a__site")])
def test_categories_whose_means_determine_the_target_are_pointed_out(noise, options):
    rng = np.random.default_rng(0)
    site = rng.integers(0, 100, 6000)
    # Not in the order of the names, and more than bins: places by rank or bin tell less than the categories.
    target = rng.permutation(100)[site] + noise * rng.normal(size=6000)
    names = [f"s{one:03}" for one in site]
    other = rng.normal(size=6000)
    table = pa.table({"a__site": names, "b__y": other, "b__kind": names[::-1], "target": target})
    _, err = prepare(parquet(table), "--category-limit", "128", *options)
    assert ("nearly determine 'target': 'a__site (its categories tell" in err) == (noise < 1)
    assert "b__kind (" not in err


def test_categories_of_a_row_each_do_not_determine_the_target():
    rng = np.random.default_rng(0)
    names = [f"s{row:03}" for row in range(400)]
    table = pa.table({"a__name": names, "b__y": rng.normal(size=400), "target": rng.normal(size=400)})
    _, err = prepare(parquet(table), "--ordinal", "a__name")
    assert "nearly determine" not in err


def test_rows_on_both_sides_of_a_split_are_counted():
    table = pa.concat_tables([TABLE, TABLE.slice(0, 30)])
    split = ["train"] * 150 + ["test"] * 50 + ["test"] * 30
    _, err = prepare(parquet(table.append_column("split", pa.array(split))))
    assert "30 rows of valid or test repeat a row of train" in err


def test_groups_on_both_sides_of_a_split_column_are_counted_and_a_new_split_keeps_them():
    groups = [k // 2 for k in range(ROWS)]
    table = with_column("g", groups).append_column("split", pa.array(["train", "test"] * (ROWS // 2)))
    _, err = prepare(parquet(table), "--group", "g")
    assert "divides 100 groups of 'g'" in err
    prepare("in.parquet", "--group", "g", "--split", "group", output="new.parquet")
    pairs = set(zip(groups, written("new.parquet")["split"].to_pylist(), strict=True))
    assert len(pairs) == 100


def test_a_split_by_time_is_one():
    times = RNG.permutation(ROWS).tolist()
    prepare(parquet(with_column("t", times)), "--split", "time", "--time", "t")
    parts = dict(zip(times, written()["split"].to_pylist(), strict=True))
    assert [parts[t] for t in range(ROWS)] == ["train"] * 140 + ["valid"] * 20 + ["test"] * 40


def test_a_stratified_split_has_the_shares_in_every_range():
    prepare(parquet(TABLE), "--split", "stratified")
    order = np.argsort(TABLE["target"].to_numpy())
    parts = np.array(written()["split"].to_pylist())[order]
    for quarter in np.array_split(parts, 4):
        assert (quarter == "test").sum() == 10


def test_a_recipe_encodes_later_rows_the_same_way():
    table = with_column("wd", ["N", "S", "E", "N"] * (ROWS // 4))
    prepare(parquet(table), "--modality", "b=b__z,wd", "--modality", "a=a__*")
    new = table.slice(0, 4).set_column(4, "wd", pa.array(["N", "X", None, "S"])).drop_columns(["target"])
    for recipe in ("out.parquet", "out.pidreg.json"):
        _, err = prepare(parquet(new, "new.parquet"), "--like", recipe, "--force", output="new_out.parquet")
        later = written("new_out.parquet")
        assert later["b__wd=N"].to_pylist() == [1, 0, None, 0]
        assert later.schema.names == [n for n in written().schema.names if n not in ("target", "split")]
        assert "1 cells of 'wd' hold values that the recipe does not know" in err
    prepare(
        parquet(new.drop_columns(["a__x", "a__y"]), "less.parquet"),
        "--like",
        "out.parquet",
        output="l.parquet",
    )
    assert written("l.parquet")["a__x"].null_count == 4


def dated(rows: int) -> pa.Table:
    hours = np.arange(rows)
    parts = {"year": [2023] * rows, "month": [1] * rows, "day": hours // 24 + 1, "hour": hours % 24}
    return pa.table({**{name: TABLE[name].slice(0, rows) for name in TABLE.schema.names}, **parts})


def test_later_rows_need_no_date_that_only_a_split_was_made_by():
    date = ("--date", "when=year,month,day,hour", "--split", "time")
    prepare(parquet(dated(100)), *date)
    prepare(parquet(TABLE, "new.parquet"), "--like", "out.parquet", output="new_out.parquet")
    assert written("new_out.parquet").num_rows == ROWS


def test_a_modality_of_dates_may_be_absent_from_later_rows_as_a_whole_only():
    date = ("--date", "when=year,month,day,hour", "--modality", "calendar=when", "--modality", "a=a__*")
    prepare(parquet(dated(100)), *date)
    _, err = prepare(parquet(TABLE, "new.parquet"), "--like", "out.parquet", output="new_out.parquet")
    assert "The columns of 'calendar' are all missing: it is absent." in err
    assert written("new_out.parquet")["calendar__when_hour_sin"].null_count == ROWS
    console = Console(io.StringIO(), io.StringIO())
    parquet(dated(9).drop_columns(["hour"]), "part.parquet")
    assert main(["prepare", "part.parquet", "--like", "out.parquet", "-o", "p.parquet"], console) == 3
    assert "no column 'hour' in the table, of which the date 'when' is read" in console.stderr.getvalue()


def test_later_rows_of_a_joined_table_may_come_in_one_table():
    Path("p.csv").write_text("k,age\n" + "".join(f"{k},{k * 1.5}\n" for k in range(50)))
    Path("l.csv").write_text("k,x\n" + "".join(f"{k},{k % 7}\n" for k in range(50)))
    prepare("p.csv", "labs=l.csv", "--key", "k", "--target", "age")
    _, err = prepare("labs=l.csv", "--like", "out.parquet", output="later.parquet")
    assert "note: 'l.csv': 50 rows.\n" in err
    assert written("later.parquet")["labs__x"].to_pylist() == [k % 7 for k in range(50)]


def test_ordinals_and_dates():
    sizes = ["small", "large", None, "medium"] * (ROWS // 4)
    days = np.datetime64("2023-01-01") + np.arange(ROWS)
    table = with_column("size", sizes).append_column("day", pa.array([str(day) for day in days]))
    prepare(
        parquet(table),
        "--ordinal",
        "size=small,medium,large",
        "--date",
        "day",
        "--modality",
        "a=a__*,size,day",
    )
    assert written()["a__size"].to_pylist()[:4] == [0, 2, None, 1]
    # 1 January 2023 was a Sunday, the last seventh of the week.
    assert written()["a__day_weekday_sin"][0].as_py() == pytest.approx(np.sin(2 * np.pi * 6 / 7))
    assert written()["a__day_season_cos"][0].as_py() == pytest.approx(1)
    assert "a__day_hour_sin" not in written().schema.names


def test_many_columns_unicode_and_names_that_start_others():
    columns = {f"lab__{k}": RNG.normal(size=30) for k in range(2000)}
    columns |= {"lab_blood__🩸": RNG.normal(size=30), "target": RNG.normal(size=30)}
    prepare(parquet(pa.table(columns)), "--modalities", "lab,lab_blood")
    roles = json.loads(Path("out.pidreg.json").read_text())["modalities"]
    assert len(roles["lab"]) == 2000
    assert roles["lab_blood"] == ["lab_blood__🩸"]


def test_the_installed_command_writes_nothing_on_stdout(pidreg, tmp_path):
    done = pidreg("prepare", parquet(TABLE), "-o", "out.parquet", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "wrote out.parquet (200 rows)" in done.stderr
