"""Kinds of broken and awkward input to ``pidreg prepare``, each with its exit status and words of its message.

The one table of them: tests run it, and ``python -m tests.cli.broken_inputs_page`` makes docs/broken-inputs.md of it.
"""

from __future__ import annotations

import gzip
import io
import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console

ROWS = 40
RNG = np.random.default_rng(0)
GOOD = pa.table(
    {
        "a__x": RNG.normal(size=ROWS),
        "a__y": RNG.normal(size=ROWS),
        "b__z": RNG.normal(size=ROWS),
        "target": RNG.normal(size=ROWS),
    }
)
LINES = ["id,a__x,b__z,target", *(f"s{row},{row * 0.5},{row % 7},{row * row}.5" for row in range(ROWS))]

Maker = Callable[[], list[str]]
NOBODY = 65534
"""User number of those who may read nothing that is not open to all."""


@dataclass(frozen=True)
class Case:
    """``make`` writes the input into the current folder and gives the arguments of ``pidreg prepare``."""

    make: Maker
    status: int
    words: str
    restricted: bool = False
    """Whether a user who may read everything must not be the one who runs it."""


CASES: dict[str, Case] = {}


def case(name: str, status: int, words: str, *, restricted: bool = False) -> Callable[[Maker], Maker]:
    def add(make: Maker) -> Maker:
        CASES[name] = Case(make, status, words, restricted)
        return make

    return add


def run(arguments: list[str]) -> tuple[int, str, str]:
    """Status, stdout and stderr of ``pidreg prepare``."""
    console = Console(io.StringIO(), io.StringIO())
    status = main(["prepare", *arguments], console)
    return status, console.stdout.getvalue(), console.stderr.getvalue()


def made(chosen: Case) -> list[str]:
    """Arguments of a case, whose input is made in the current folder."""
    arguments = chosen.make()
    return arguments if "-o" in arguments else [*arguments, "-o", "prepared.parquet"]


def run_case(chosen: Case, arguments: list[str]) -> tuple[int, str, str]:
    """What ``run`` gives, as the user that the case is about."""
    if not chosen.restricted:
        return run(arguments)
    with unprivileged():
        return run(arguments)


@contextmanager
def unprivileged() -> Iterator[None]:
    """For the length of the block this process may do what any user may: root reads what nobody may read."""
    if os.geteuid() != 0:
        yield
        return
    Path.cwd().chmod(0o777)
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


def parquet(table: pa.Table, name: str = "in.parquet") -> str:
    pq.write_table(table, name)
    return name


def text(content: str | bytes, name: str = "in.csv") -> str:
    Path(name).write_bytes(content.encode() if isinstance(content, str) else content)
    return name


def lines(*, changed: dict[int, str] | None = None, name: str = "in.csv") -> str:
    given = list(LINES)
    for place, line in (changed or {}).items():
        given[place] = line
    return text("\n".join(given) + "\n", name)


def column(name: str, values: object) -> pa.Table:
    place = GOOD.schema.names.index(name)
    return GOOD.set_column(place, name, pa.array(values))


def numbers(**changed: object) -> list[object]:
    values: list[object] = RNG.normal(size=ROWS).tolist()
    for place, value in changed.items():
        values[int(place.removeprefix("row"))] = value
    return values


# What is awkward, but well.


@case("all-missing column beside others", 0, "Constant or empty columns, left out: 'a__y'")
def _() -> list[str]:
    return [parquet(column("a__y", pa.nulls(ROWS, pa.float64())))]


@case("10,000 columns", 0, "wrote prepared.parquet (40 rows)")
def _() -> list[str]:
    many = {f"{'ab'[place % 2]}__{place}": RNG.normal(size=ROWS) for place in range(10_000)}
    return [parquet(pa.table({**many, "target": RNG.normal(size=ROWS)}))]


@case("a modality's name that begins another's", 0, "Rows are split")
def _() -> list[str]:
    names = ["lab_x", "lab_blood_x", "lab_blood_y", "target"]
    return [parquet(GOOD.rename_columns(names)), "--modalities", "lab,lab_blood"]


@case("unicode and emoji in names", 0, "Rows are split")
def _() -> list[str]:
    names = ["\U0001f9e0__\u00df", "\U0001f9e0__\u540d", "\u043b\u0430\u0431__ x ", "target"]
    return [parquet(GOOD.rename_columns(names)), "--modalities", "\U0001f9e0,\u043b\u0430\u0431"]


# Requests that do not fit.


@case("key of one input", 2, "--key joins inputs, but one is given: in.csv")
def _() -> list[str]:
    return [lines(), "--key", "id"]


@case("dates as texts", 3, "have them read with --date 'a__x'")
def _() -> list[str]:
    days = [f"day {row}" for row in range(4 * ROWS)]
    return [parquet(pa.concat_tables([GOOD] * 4).set_column(0, "a__x", pa.array(days)))]


# Files that cannot be read.


@case("absent file", 3, "There is no file or folder 'gone.csv'")
def _() -> list[str]:
    return ["gone.csv"]


@case("empty name of an input", 3, "An input is empty")
def _() -> list[str]:
    return [""]


@case("pattern without match", 3, "No file matches 'no*.csv'")
def _() -> list[str]:
    return ["no*.csv"]


@case("empty folder", 3, "holds no table")
def _() -> list[str]:
    Path("folder").mkdir()
    return ["folder"]


@case("folder that may not be listed", 3, "cannot be opened: Permission denied", restricted=True)
def _() -> list[str]:
    Path("folder").mkdir(mode=0o000)
    return ["folder"]


@case("CSV that may not be read", 3, "Ask for permission to read it", restricted=True)
def _() -> list[str]:
    name = lines()
    Path(name).chmod(0o000)
    return [name]


@case("Parquet that may not be read", 3, "Ask for permission to read it", restricted=True)
def _() -> list[str]:
    name = parquet(GOOD)
    Path(name).chmod(0o000)
    return [name]


@case("path through a file", 3, "'in.csv/more.csv'")
def _() -> list[str]:
    return [lines() + "/more.csv"]


@case("path too long", 3, "cannot be opened: File name too long")
def _() -> list[str]:
    return ["x" * 400 + ".csv"]


@case("empty CSV", 3, "'in.csv' is empty")
def _() -> list[str]:
    return [text("")]


@case("blank CSV", 3, "'in.csv' is empty")
def _() -> list[str]:
    return [text("\n\n  \n")]


@case("CSV of names alone", 3, "'in.csv' has no rows")
def _() -> list[str]:
    return [text("a__x,b__z,target\n")]


@case("empty Parquet", 3, "cannot be read as Parquet")
def _() -> list[str]:
    return [text(b"", "in.parquet")]


@case("Parquet of no rows", 3, "has no rows")
def _() -> list[str]:
    return [parquet(GOOD.slice(0, 0))]


@case("truncated Parquet", 3, "The file is damaged, incomplete or no Parquet file")
def _() -> list[str]:
    name = parquet(GOOD)
    return [text(Path(name).read_bytes()[:-20], name)]


@case("CSV that is called Parquet", 3, "cannot be read as Parquet")
def _() -> list[str]:
    return [lines(name="in.parquet")]


@case("Parquet that is called CSV", 3, "holds zero bytes: it is no delimited text")
def _() -> list[str]:
    return [parquet(GOOD, "in.csv")]


@case("spreadsheet", 3, "neither Parquet nor Feather nor delimited text")
def _() -> list[str]:
    return [text(b"PK\x03\x04", "in.xlsx")]


@case("unknown suffix with binary content", 3, "neither Parquet nor Feather nor delimited text")
def _() -> list[str]:
    return [text(bytes(range(256)), "in.bin")]


@case("damaged page in Parquet", 3, "'in.parquet' cannot be read as Parquet")
def _() -> list[str]:
    table = pa.table({**{n: GOOD[n] for n in ("b__z", "target")}, "a__x": RNG.normal(size=ROWS)})
    pq.write_table(table, "in.parquet", write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(Path("in.parquet").read_bytes())
    content[100:200] = bytes(100)
    return [text(bytes(content), "in.parquet")]


@case("truncated Feather", 3, "cannot be read as Feather")
def _() -> list[str]:
    pyarrow.feather.write_feather(GOOD, "in.feather")
    return [text(Path("in.feather").read_bytes()[:-30], "in.feather")]


@case("truncated gzip", 3, "The file is damaged or incomplete")
def _() -> list[str]:
    return [text(gzip.compress("\n".join(LINES).encode())[:-20], "in.csv.gz")]


@case("gzip in name only", 0, "")
def _() -> list[str]:
    return [lines(name="in.csv.gz")]


@case("mixed formats", 3, "The inputs mix Parquet and text files")
def _() -> list[str]:
    return [lines(), parquet(GOOD)]


@case("the same file twice", 3, "name the file 'in.csv' twice")
def _() -> list[str]:
    return [lines(), "in.csv"]


@case("files of other columns", 3, "'b__z' in one of them only")
def _() -> list[str]:
    return [parquet(GOOD, "1.parquet"), parquet(GOOD.drop_columns(["b__z"]), "2.parquet")]


@case("texts of other columns", 3, "to join tables, give --key")
def _() -> list[str]:
    return [lines(), text("id,c\n1,2\n", "other.csv")]


@case("differing roles in the files", 3, "different roles in the files' 'pidreg' metadata")
def _() -> list[str]:
    stored = GOOD.replace_schema_metadata({"pidreg": json.dumps({"version": 1, "target": "target"})})
    return [parquet(GOOD, "1.parquet"), parquet(stored, "2.parquet")]


@case("metadata of another major version", 3, "has version 2.0, this pidreg reads 1")
def _() -> list[str]:
    return [parquet(GOOD.replace_schema_metadata({"pidreg": '{"version": "2.0"}'}))]


@case(
    "metadata that name absent columns",
    3,
    "There is no column 'gone' in the table, though the file's 'pidreg'",
)
def _() -> list[str]:
    return [parquet(GOOD.replace_schema_metadata({"pidreg": '{"version": "1.0", "target": "gone"}'}))]


# Text that is written in an unexpected way.


@case("ragged line", 3, "has 5 cells in line 9")
def _() -> list[str]:
    return [lines(changed={8: LINES[8] + ",9"})]


@case("unclosed quote", 3, "look for an unclosed quote")
def _() -> list[str]:
    return [lines(changed={8: 's8,"1.0,2,3.5'})]


@case("names twice in CSV", 3, "has two columns named 'a__x'")
def _() -> list[str]:
    return [lines(changed={0: "a__x,a__x,b__z,target"})]


@case("names twice in Parquet", 3, "has two columns named 'same'")
def _() -> list[str]:
    return [parquet(pa.table([[1.0], [2.0]], names=["same", "same"]))]


@case("wrong encoding given", 3, "is not ascii: byte 6")
def _() -> list[str]:
    return [text("target\u00e9,a__x\n1,2\n"), "--encoding", "ascii"]


@case("zero bytes", 3, "holds zero bytes")
def _() -> list[str]:
    return [text("a__x,target\n1,2\n\0\0\n")]


@case("wrong delimiter given", 3, "There is no column 'target' in the table")
def _() -> list[str]:
    return [lines(), "--delimiter", ";", "--target", "target"]


# Values.


@case("text in a feature", 3, "'n.d.' in row 4 (counted from 0); a feature or target must hold numbers")
def _() -> list[str]:
    return [lines(changed={5: "s4,n.d.,4,16.5"})]


@case(
    "text in the target", 3, "Column 'target' of 'in.csv' holds 39 numbers and 1 text, first 'high' in row 0"
)
def _() -> list[str]:
    return [lines(changed={1: "s0,0.0,0,high"})]


@case("numbers with marks of thousands", 3, "Write numbers with digits and one decimal mark alone")
def _() -> list[str]:
    rows = "".join(f'"1,{row:03d}.5",{row % 7},{row * row}.5\n' for row in range(ROWS))
    return [text("a__x,b__z,target\n" + rows)]


@case("numbers with percent signs", 3, "holds 0 numbers and 40 texts, first '0 %' in row 0")
def _() -> list[str]:
    rows = "".join(f"{row} %,{row % 7},{row * row}.5\n" for row in range(ROWS))
    return [text("a__x,b__z,target\n" + rows)]


@case("decimal commas among decimal points", 3, "one decimal mark alone (--decimal says which)")
def _() -> list[str]:
    rows = "".join(f"{row},5;{row % 7}.5;{row * row}.5\n" for row in range(ROWS))
    return [text("a__x;b__z;target\n" + rows)]


@case("decimal mark of a file that is no text", 2, "--decimal is about text files, and no input is one")
def _() -> list[str]:
    return [parquet(GOOD), "--decimal", ","]


@case("infinite feature", 3, "Column 'a__x' holds an infinite value in row 3")
def _() -> list[str]:
    return [parquet(column("a__x", numbers(row3=np.inf)))]


@case("infinite feature in CSV", 3, "Column 'a__x' holds an infinite value in row 0")
def _() -> list[str]:
    return [lines(changed={1: "s0,-inf,0,0.5"})]


@case("infinite target", 3, "Column 'target' holds an infinite value in row 2")
def _() -> list[str]:
    return [parquet(column("target", numbers(row2=-np.inf)))]


@case("number too large", 3, "Column 'b__z' holds a number beyond 3.4e+38 in row 1")
def _() -> list[str]:
    return [parquet(column("b__z", numbers(row1=1e300)))]


@case("lists of unequal length", 3, "holds lists of unequal length: 2 elements, 3 in row 5")
def _() -> list[str]:
    lists = [[1.0, float(row)] for row in range(ROWS)]
    lists[5] = [1.0, 2.0, 3.0]
    return [parquet(GOOD.append_column("img", pa.array(lists))), "--modalities", "img,a"]


@case("null in a list", 3, "has a null element at place 1")
def _() -> list[str]:
    lists = [[1.0, float(row)] for row in range(ROWS)]
    lists[7] = [1.0, None]
    return [parquet(GOOD.append_column("img", pa.array(lists))), "--modalities", "img,a"]


@case("lists that are all empty", 3, "The lists of column 'img' are all empty or missing")
def _() -> list[str]:
    table = GOOD.append_column("img", pa.array([[]] * ROWS, pa.list_(pa.float32())))
    return [parquet(table), "--modalities", "img,a"]


@case("modality without any value", 3, "Every cell of modality 'b' is missing")
def _() -> list[str]:
    return [parquet(column("b__z", [None] * ROWS))]


@case("modality of constants", 3, "No column of modality 'b' is left")
def _() -> list[str]:
    return [parquet(column("b__z", [1.5] * ROWS))]


@case("free text as a feature", 3, "different texts; as categories most rows would share one column")
def _() -> list[str]:
    return [parquet(column("b__z", [f"note {row}" for row in range(ROWS)])), "--category-limit", "8"]


@case("dates as a feature, unasked", 3, "and dates with its --date")
def _() -> list[str]:
    return [parquet(column("b__z", np.arange(ROWS).astype("datetime64[D]")))]


@case("nested lists as a feature", 3, "Features must be numbers or lists of numbers")
def _() -> list[str]:
    return [parquet(column("b__z", [[[1.0]]] * ROWS))]


@case("bytes as a feature", 3, "Features must be numbers or lists of numbers")
def _() -> list[str]:
    return [parquet(column("b__z", [b"x"] * ROWS))]


@case("no such date", 3, "there is no such date")
def _() -> list[str]:
    table = GOOD.append_column("y", pa.array([2023] * ROWS)).append_column("m", pa.array([2] * ROWS))
    return [
        parquet(table.append_column("d", pa.array(range(1, ROWS + 1)))),
        "--date",
        "when=y,m,d",
        "--modality",
        "c=when",
    ]


@case("date in another form", 3, "holds '05/01/2024' in row 0 (counted from 0); it must be ISO 8601")
def _() -> list[str]:
    return [
        parquet(GOOD.append_column("when", pa.array(["05/01/2024"] * ROWS))),
        "--date",
        "when",
        "--keep",
        "when",
    ]


@case("date put together under a name in use", 2, "the table has one of this name")
def _() -> list[str]:
    return [parquet(GOOD), "--date", "target=a__x,a__y,b__z"]


@case("date that nothing uses", 2, "--date 'when' is asked for, but nothing uses the column")
def _() -> list[str]:
    return [parquet(GOOD.append_column("when", pa.array(["2024-01-05"] * ROWS))), "--date", "when"]


@case("category outside of the order", 3, "holds 'huge', which the order of --ordinal leaves out")
def _() -> list[str]:
    sizes = ["small", "large", "huge", "small"] * (ROWS // 4)
    return [parquet(column("b__z", sizes)), "--ordinal", "b__z=small,large"]


# Roles.


@case("no target", 3, "No target is named and the table has no column 'target'. Numeric columns: ")
def _() -> list[str]:
    return [parquet(GOOD.rename_columns(["a__x", "a__y", "b__z", "y"]))]


@case("unknown target", 3, "Did you mean 'target'?")
def _() -> list[str]:
    return [parquet(GOOD), "--target", "tagret"]


@case("constant target", 3, "The target 'target' is 1 in every row; it must vary")
def _() -> list[str]:
    return [parquet(column("target", [1.0] * ROWS))]


@case("two-valued target", 3, "has two values only, 0 and 1")
def _() -> list[str]:
    return [parquet(column("target", [0, 1] * (ROWS // 2)))]


@case("target missing everywhere", 3, "The target 'target' is missing in every row")
def _() -> list[str]:
    return [parquet(column("target", pa.nulls(ROWS, pa.float64())))]


@case("target of texts", 3, "it must hold numbers (regression only)")
def _() -> list[str]:
    return [parquet(column("target", ["yes", "no"] * (ROWS // 2)))]


@case("no modalities", 2, "Nothing says which modalities there are")
def _() -> list[str]:
    return [parquet(GOOD.rename_columns(["u", "v", "w", "target"]))]


@case("modality without columns", 3, "Modality 'c' has no columns")
def _() -> list[str]:
    return [parquet(GOOD), "--modalities", "a,c"]


@case("pattern without columns", 3, "No column matches 'q*' of modality 'c'")
def _() -> list[str]:
    return [parquet(GOOD), "--modality", "c=q*"]


@case("illegal modality name", 2, "A modality cannot be named 'a|b'")
def _() -> list[str]:
    return [parquet(GOOD), "--modality", "a|b=a__*"]


@case("column in two modalities", 3, "Column 'a__x' has two roles")
def _() -> list[str]:
    return [parquet(GOOD), "--modality", "p=a__x", "--modality", "q=a__*"]


@case("two columns of one new name", 3, "would be called 'a__x'")
def _() -> list[str]:
    table = GOOD.append_column("x", pa.array(numbers()))
    return [parquet(table), "--modality", "a=x", "--modality", "b=b__z", "--keep", "a__x"]


@case("nothing to keep", 3, "No column without a role matches 'q*' of --keep")
def _() -> list[str]:
    return [parquet(GOOD), "--keep", "q*"]


# Splits.


@case("wrong split value", 3, "holds 'holdout' in row 0 (counted from 0)")
def _() -> list[str]:
    return [parquet(GOOD.append_column("split", pa.array(["holdout", *["train"] * (ROWS - 1)])))]


@case("missing split value", 3, "Column 'split', the split, is missing in row 2")
def _() -> list[str]:
    return [parquet(GOOD.append_column("split", pa.array(["train", "test", None, *["train"] * (ROWS - 3)])))]


@case("missing group", 3, "Column 'g', the group, is missing in row 1")
def _() -> list[str]:
    groups = pa.array([1, None, *range(ROWS - 2)])
    return [parquet(GOOD.append_column("g", groups)), "--group", "g"]


@case("too few groups", 3, "There are 2 groups to share among 3 parts")
def _() -> list[str]:
    return [parquet(GOOD.append_column("g", pa.array([1, 2] * (ROWS // 2)))), "--group", "g"]


@case("too few points in time", 3, "The rows are of 2 points in time")
def _() -> list[str]:
    return [
        parquet(GOOD.append_column("t", pa.array([1, 2] * (ROWS // 2)))),
        *("--split", "time", "--time", "t"),
    ]


@case("time that is text", 3, "Have it read as dates, as in --date t")
def _() -> list[str]:
    return [
        parquet(GOOD.append_column("t", pa.array(["2024-01-01"] * ROWS))),
        *("--split", "time", "--time", "t"),
    ]


@case("split by time without a time", 2, "name it with --time")
def _() -> list[str]:
    return [parquet(GOOD), "--split", "time"]


@case("split by group without one", 2, "name it with --group")
def _() -> list[str]:
    return [parquet(GOOD), "--split", "group"]


@case("time without its split", 2, "--time names the column of --split time")
def _() -> list[str]:
    return [parquet(GOOD), "--time", "a__x"]


# Joins.


def people(name: str = "people.csv", extra: str = "") -> str:
    return text("k,target\n" + "".join(f"p{row},{row}.5\n" for row in range(ROWS)) + extra, name)


def labs(name: str = "labs.csv", extra: str = "", key: str = "p") -> str:
    return text("k,x,y\n" + "".join(f"{key}{row},{row % 5},{row}\n" for row in range(ROWS)) + extra, name)


@case(
    "key that a table lacks",
    3,
    "There is no column 'subject' in the table 'people.csv', though it is the key",
)
def _() -> list[str]:
    return [people(), "labs=" + labs(), "--key", "subject"]


@case(
    "key twice",
    3,
    "'labs.csv' has 1 rows whose key 'k' occurred before, first in row 40 (counted from 0): 'p0'",
)
def _() -> list[str]:
    return [people(), "labs=" + labs(extra="p0,1,2\n"), "--key", "k"]


@case("keys of other types", 3, "The key 'k' has different types")
def _() -> list[str]:
    pq.write_table(pa.table({"k": range(ROWS), "x": numbers()}), "labs.parquet")
    return [people(), "labs=labs.parquet", "--key", "k"]


@case("keys that never meet", 3, "No row is left after the join by 'k'")
def _() -> list[str]:
    return [people(), "labs=" + labs(key="q"), "--key", "k", "--join", "inner"]


@case("column in two tables", 3, "Column 'x' is in 'labs.csv' and in 'more.csv'")
def _() -> list[str]:
    return [people(), labs(), labs("more.csv"), "--key", "k", "--modality", "labs=x"]


@case("named inputs without a key", 2, "nothing says how their rows belong together")
def _() -> list[str]:
    return [people(), "labs=" + labs()]


@case("name of an input twice", 2, "two inputs are named 'labs'")
def _() -> list[str]:
    return [people(), "labs=" + labs(), "labs=" + labs("more.csv"), "--key", "k"]


@case("ragged line in a joined table", 3, "'labs.csv' has 4 cells")
def _() -> list[str]:
    return [people(), "labs=" + labs(extra="z,1,2,3\n"), "--key", "k"]


@case("damaged page in a joined table", 3, "'labs.parquet' cannot be read as Parquet")
def _() -> list[str]:
    table = pa.table({"k": [f"p{row}" for row in range(ROWS)], "x": RNG.normal(size=ROWS)})
    pq.write_table(table, "labs.parquet", write_page_checksum=True, compression="none", use_dictionary=False)
    content = bytearray(Path("labs.parquet").read_bytes())
    place = content.find(table["x"].chunk(0).buffers()[1].to_pybytes()[:32])
    content[place : place + 64] = bytes(64)
    return [people(), "labs=" + text(bytes(content), "labs.parquet"), "--key", "k"]


# Recipes of other tables, and outputs.


@case("recipe in a file without one", 3, "holds no recipe that can be read")
def _() -> list[str]:
    return [lines(), "--like", parquet(GOOD, "old.parquet")]


@case("recipe in an absent file", 3, "'gone.parquet' cannot be read")
def _() -> list[str]:
    return [lines(), "--like", "gone.parquet"]


@case("output in an absent folder", 6, "There is no folder 'absent' to write out.parquet to")
def _() -> list[str]:
    return [parquet(GOOD), "-o", "absent/out.parquet"]


@case("output in a folder that may not be written", 6, "Permission denied", restricted=True)
def _() -> list[str]:
    Path("sealed").mkdir(mode=0o555)
    return [parquet(GOOD), "-o", "sealed/out.parquet"]


@case("output that exists", 2, "out.parquet already exists")
def _() -> list[str]:
    parquet(GOOD, "out.parquet")
    return [parquet(GOOD), "-o", "out.parquet"]


@case("output that is the input", 2, "in.parquet is an input")
def _() -> list[str]:
    return [parquet(GOOD), "-o", "in.parquet", "--force"]


@case("output among the files of a pattern", 2, "all.parquet is an input")
def _() -> list[str]:
    parquet(GOOD, "all.parquet")
    parquet(GOOD)
    return ["*.parquet", "-o", "all.parquet", "--force"]
