"""Random Parquet tables of every type, with random requests, through ``pidreg prepare``.

Never a traceback, never a wrong role, never a changed value.
"""

from __future__ import annotations

import datetime as dt
import decimal
import io
import json
import math
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console
from tests.data.test_roles_properties import slow_convention

QUICK, CAMPAIGN = 60, 2500
ROWS = 12
# Few letters, so that prefixes, roles and modalities collide.
STEMS = ["a", "b", "ab", "a_b", "🧠", "é", "a|b"]
COLUMNS = [*STEMS, *(stem + mark + end for stem in STEMS for mark in ("__", ".", "_") for end in ("x", "1"))]
SPECIAL = ["target", "id", "split", "group", "y", "", " ", "a__", "__x"]
numbers = st.floats(-1e6, 1e6, width=32)
wild = st.sampled_from([math.nan, math.inf, -math.inf, 1e300, -0.0, 5e-324])
texts = st.sampled_from(["", "x", "ü", "train", "test", "valid", "7", "1,5", "2024-01-05", "🧠"])
days = st.dates(dt.date(1901, 1, 1), dt.date(2100, 1, 1))
KINDS: list[tuple[pa.DataType, st.SearchStrategy]] = [
    (pa.float64(), numbers),
    (pa.float64(), numbers),
    (pa.float64(), st.one_of(*[numbers] * 20, wild)),
    (pa.float32(), numbers),
    (pa.float16(), st.floats(-100, 100, width=16)),
    (pa.int8(), st.integers(-128, 127)),
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint64(), st.integers(0, 2**64 - 1)),
    (pa.bool_(), st.booleans()),
    (pa.decimal128(12, 3), st.integers(-(10**8), 10**8).map(lambda n: decimal.Decimal(n).scaleb(-3))),
    (pa.null(), st.none()),
    (pa.string(), texts),
    (pa.large_string(), texts),
    (pa.dictionary(pa.int32(), pa.string()), texts),
    (pa.dictionary(pa.int8(), pa.float64()), st.sampled_from([0.5, 1.5, 2.5])),
    (pa.date32(), days),
    (pa.timestamp("us"), st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2100, 1, 1))),
    (pa.timestamp("s", "UTC"), st.datetimes(dt.datetime(1901, 1, 1), dt.datetime(2100, 1, 1))),
    (pa.time32("s"), st.just(dt.time(1, 2))),
    (pa.duration("s"), st.just(dt.timedelta(1))),
    (pa.binary(), st.just(b"x")),
    (pa.list_(pa.float32()), st.lists(numbers, min_size=2, max_size=2)),
    (pa.list_(pa.float64()), st.lists(numbers | st.none(), max_size=3)),
    (pa.list_(pa.int16(), 3), st.lists(st.integers(0, 9), min_size=3, max_size=3)),
    (pa.list_(pa.string()), st.lists(texts, max_size=2)),
    (pa.struct([("x", pa.float64()), ("t", pa.string())]), st.fixed_dictionaries({"x": numbers, "t": texts})),
]
PLAIN = [*KINDS[:2], *KINDS[3:6]]


@st.composite
def columns(draw, kinds, rows):
    kind, cells = draw(st.sampled_from(kinds))
    holes = draw(st.sampled_from([0, 0, 1, 3]))
    cell = st.one_of(*[cells] * 3, st.none()) if holes else cells
    values = draw(st.lists(cell, min_size=rows, max_size=rows))
    return pa.array(values, kind) if not pa.types.is_dictionary(kind) else _dictionary(values, kind)


def _dictionary(values, kind):
    return pa.array(values, kind.value_type).dictionary_encode().cast(kind)


@st.composite
def tables(draw):
    """Mostly tables that can be prepared: a numeric target, and features that are numbers."""
    rows = draw(st.sampled_from([*[ROWS] * 20, 0, 1, 3]))
    names = draw(st.lists(st.sampled_from(COLUMNS), min_size=2, max_size=6, unique=True))
    names += draw(st.lists(st.sampled_from(SPECIAL), max_size=2, unique=True))
    kinds = draw(st.sampled_from([PLAIN, PLAIN, PLAIN, KINDS]))
    fields = {name: draw(columns(kinds, rows)) for name in names}
    if draw(st.integers(0, 9)):
        fields["target"] = pa.array(
            draw(st.permutations([0.5 * row * row for row in range(rows)])), pa.float64()
        )
    if draw(st.integers(0, 9)):
        fields.pop("split", None)
    return pa.table(fields)


@st.composite
def requests(draw, table):
    known = table.schema.names
    column = st.sampled_from([*known * 5, "absent"])
    stems = [
        stem for stem in STEMS[:6] if any(n == stem or n.startswith((stem + "_", stem + ".")) for n in known)
    ]
    stems = stems or STEMS[:1]
    options = []
    shape = draw(st.sampled_from(["convention", "convention", "prefixes", "globs"]))
    if shape == "convention":
        asked = draw(st.lists(st.sampled_from(stems), min_size=1, max_size=3, unique=True))
        options += ["--modalities", ",".join(asked)]
    elif shape == "globs":
        for name in draw(st.lists(st.sampled_from(["p", "q"]), min_size=1, max_size=2, unique=True)):
            glob = draw(column | st.sampled_from(["a*", "[ab]_*", "*__*", "*"]))
            options += ["--modality", f"{name}={glob}"]
    rare = st.integers(0, 5).map(lambda number: number == 5)
    if draw(rare):
        role = draw(st.sampled_from(["target", "id", "group", "split-column", "keep"]))
        options += [f"--{role}", draw(column)]
    if draw(rare):
        options += ["--keep", "*"]
    if draw(rare):
        options += ["--split", draw(st.sampled_from(["auto", "random", "group", "stratified", "none"]))]
    elif draw(rare):
        options += ["--split", "time", "--time", draw(column)]
    if draw(rare):
        more = [
            ["--no-drop"],
            ["--no-drop"],
            ["--one-hot", "*"],
            ["--ordinal", "*"],
            ["--date", "a"],
            ["--seed", "7"],
        ]
        options += draw(st.sampled_from(more))
    return options


@st.composite
def cases(draw):
    table = draw(tables())
    return table, draw(requests(table)), draw(st.sampled_from([None, 1, 5]))


def prepare(folder: Path, *arguments: str) -> tuple[int, str, str]:
    console = Console(io.StringIO(), io.StringIO())
    status = main(["prepare", *arguments], console)
    return status, console.stdout.getvalue(), console.stderr.getvalue()


def check(folder: Path, case) -> None:
    table, options, group = case
    source, output = folder / "in.parquet", folder / "out.parquet"
    pq.write_table(table, source, row_group_size=group)
    status, out, err = prepare(folder, str(source), "-o", str(output), *options)
    event(f"status {status}")
    assert status in (0, 2, 3), err
    assert out == ""
    assert "Traceback" not in err
    assert output.exists() == (folder / "out.pidreg.json").exists() == (status == 0)
    if status:
        assert err.startswith("error: ") or "\nerror: " in err
        assert "\nhint: " in err
        return
    check_output(table, options, pq.read_table(output), json.loads((folder / "out.pidreg.json").read_text()))


def check_output(table: pa.Table, options: list[str], found: pa.Table, sidecar: dict) -> None:
    def asked(role):
        places = [place for place, option in enumerate(options) if option == f"--{role}"]
        return options[places[-1] + 1] if places else None

    assert found.num_rows == table.num_rows
    target = "target" if asked("target") is None else asked("target")
    assert sidecar["target"] == target
    assert sidecar.get("group") == asked("group")
    # A struct is opened: its parts are columns.
    flat = table.flatten()
    assert same(found[target], flat[target])
    recipe = {
        name: [e["column"] for e in encoders] for name, encoders in sidecar["recipe"]["features"].items()
    }
    features = [column for used in recipe.values() for column in used]
    singles = {sidecar.get(role) for role in ("target", "id", "group")}
    assert len(features) == len(set(features))
    assert singles.isdisjoint(features)
    if sidecar.get("split"):
        assert set(found[sidecar["split"]].to_pylist()) <= {"train", "valid", "test"}
    if "--modalities" in options and "--date" not in options:
        names = list(dict.fromkeys(asked("modalities").split(",")))
        used_unasked = {
            name for name in ("target", "id", "split") if name in flat.schema.names and not asked(name)
        }
        given = {asked(role) for role in ("target", "id", "group", "split-column")} - {None}
        expected = slow_convention(names, flat.schema, used_unasked_unless(used_unasked, options) | given)
        for name in names:
            assert set(recipe[name]) <= set(expected[name]), (name, recipe, expected)
    for encoders in sidecar["recipe"]["features"].values():
        for encoder in encoders:
            if (
                encoder["kind"] == "numbers"
                and encoder["width"] is None
                and encoder["name"] in found.schema.names
            ):
                assert same(found[encoder["name"]], flat[encoder["column"]]), encoder


def used_unasked_unless(names: set[str], options: list[str]) -> set[str]:
    """A role's own column is a feature where the role is given to another."""
    return {name for name in names if f"--{'split-column' if name == 'split' else name}" not in options}


def same(one: pa.ChunkedArray, other: pa.ChunkedArray) -> bool:
    pairs = [(_number(a), _number(b)) for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True)]
    # Decimals are read to the last bit but one.
    return all(a == b or (None not in (a, b) and math.isclose(a, b, rel_tol=1e-15)) for a, b in pairs)


def _number(cell):
    """A missing value is null or NaN."""
    return None if cell is None or cell != cell else float(cell)


@given(cases())
@settings(max_examples=QUICK, deadline=None, suppress_health_check=list(HealthCheck))
def test_any_table_and_request_end_in_a_right_table_or_an_error_of_the_user(tmp_path_factory, case):
    check(tmp_path_factory.mktemp("fuzz"), case)


@pytest.mark.slow
@given(cases())
@settings(max_examples=CAMPAIGN, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_same_of_thousands(tmp_path_factory, case):
    check(tmp_path_factory.mktemp("fuzz"), case)
