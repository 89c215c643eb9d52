"""Random tables through ``prepare``: an error a user can act on, or a table that says what the rows said."""

from __future__ import annotations

import io
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console
from pidreg_cli.data.preparation.encoders import Calendar, Encoder, Numbers, OneHot, Ordinal
from pidreg_cli.data.preparation.hashing import ContentHashes
from pidreg_cli.data.preparation.recipe import Recipe

cells = st.one_of(
    st.none(),
    st.floats(width=32),
    st.integers(-(10**20), 10**20),
    st.sampled_from(["", "NA", "x", "1,5", "007", "-", "true", "2024-01-01", '"', "ü🧠", "1e400", "-0"]),
)
names = st.text("ab_.🧠,; ", min_size=1, max_size=5) | st.sampled_from(
    ["a__x", "b__y", "target", "id", "split"]
)


@st.composite
def csv_tables(draw):
    header = [*draw(st.lists(names, min_size=1, max_size=4)), "a__q", "target"]
    width = len(header)
    rows = draw(st.lists(st.lists(cells, min_size=width, max_size=width), min_size=0, max_size=8))
    quote = draw(st.booleans())
    lines = [header, *([("" if cell is None else str(cell)) for cell in row] for row in rows)]
    mark = draw(st.sampled_from([",", ";", "\t"]))
    written = [[f'"{c.replace(chr(34), chr(34) * 2)}"' if quote else c for c in line] for line in lines]
    return "\n".join(mark.join(line) for line in written) + "\n"


@given(csv_tables() | st.text(max_size=60), st.sampled_from(["utf-8", "utf-16", "latin-1"]))
@settings(max_examples=150, deadline=None)
def test_any_text_ends_in_a_table_or_an_error_of_the_user(tmp_path_factory, content, encoding):
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "in.csv").write_bytes(content.encode(encoding, errors="replace"))
    console = Console(io.StringIO(), io.StringIO())
    status = main(["prepare", str(folder / "in.csv"), "-o", str(folder / "out.parquet")], console)
    said = console.stderr.getvalue()
    assert status in (0, 2, 3), said
    assert console.stdout.getvalue() == ""
    assert (folder / "out.parquet").exists() == (folder / "out.pidreg.json").exists() == (status == 0)
    assert status == 0 or "hint: " in said


columns_of_floats = st.lists(st.none() | st.floats(-(2.0**90), 2.0**90, width=32), min_size=12, max_size=12)


@given(st.dictionaries(st.sampled_from("uvwxyz"), columns_of_floats, min_size=1, max_size=4), st.randoms())
@settings(max_examples=60, deadline=None)
def test_features_keep_their_values_and_only_useless_ones_go(tmp_path_factory, found, random):
    folder = tmp_path_factory.mktemp("values")
    target = [float(k) for k in range(12)]
    random.shuffle(target)
    table = pa.table({**{f"a__{n}": pa.array(v, pa.float32()) for n, v in found.items()}, "target": target})
    pq.write_table(table, folder / "in.parquet", row_group_size=5)
    console = Console(io.StringIO(), io.StringIO())
    status = main(["prepare", str(folder / "in.parquet"), "-o", str(folder / "out.parquet")], console)
    distinct = {tuple(v) for v in found.values() if len({x for x in v if x is not None}) > 1}
    if not distinct:
        assert status == 3
        return
    assert status == 0, console.stderr.getvalue()
    out = pq.read_table(folder / "out.parquet")
    kept = json.loads((folder / "out.pidreg.json").read_text())["modalities"]["a"]
    assert out["target"].to_pylist() == target
    assert all(out[name].to_pylist() == table[name].to_pylist() for name in kept)
    assert {tuple(out[name].to_pylist()) for name in kept} == distinct


texts = st.lists(st.text(max_size=4), min_size=1, max_size=5, unique=True).map(tuple)
encoders: st.SearchStrategy[Encoder] = st.one_of(
    st.builds(Numbers, st.text(max_size=3), st.text(max_size=3), st.none() | st.integers(1, 9)),
    st.builds(OneHot, st.text(max_size=3), st.text(max_size=3), texts, st.booleans()),
    st.builds(Ordinal, st.text(max_size=3), st.text(max_size=3), texts),
    st.builds(Calendar, st.text(max_size=3), st.text(max_size=3)),
)


@given(st.dictionaries(st.text(max_size=3), st.lists(encoders, max_size=3).map(tuple), max_size=3), texts)
def test_a_recipe_comes_back_from_json_as_it_was(features, some):
    recipe = Recipe(features, {"target": "y"}, some, frozenset(some))
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


@given(st.integers(1, 30), st.lists(st.integers(0, 30), max_size=4))
def test_hashes_do_not_depend_on_how_rows_are_cut(rows, cuts):
    block = np.random.default_rng(rows).integers(0, 3, (rows, 4)).astype(float)
    block[:, 3] = block[:, 0]
    whole, pieces = ContentHashes(4), ContentHashes(4)
    expected = whole.add(block)
    found = np.concatenate([pieces.add(part) for part in np.split(block, sorted(min(c, rows) for c in cuts))])
    assert np.array_equal(expected, found)
    assert np.array_equal(whole.columns, pieces.columns)
    same = {(i, j) for i in range(4) for j in range(4) if np.array_equal(block[:, i], block[:, j])}
    assert same == {(i, j) for i in range(4) for j in range(4) if whole.columns[i] == whole.columns[j]}
