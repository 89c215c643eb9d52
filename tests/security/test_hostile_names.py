"""Names from a table reach terminals, pages and files; none of them may do anything there."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.in_process import TINY, Ended

ESCAPES = "\x1b]0;owned\x07\x1b[31m\u202e\x9b2J"
NASTY = [
    "x\x1b]0;owned\x07",
    "x\x1b[2J",
    "x\u202edesrever",
    "x\x9b31m",
    "x\r\nfake: line",
    "../../x",
    "<script>x",
]
CONTROLS = {*map(chr, range(0x20)), "\x7f", *map(chr, range(0x80, 0xA0)), "\u202e"} - {"\n"}


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> pa.Table:
    """Columns and a target with nasty names, and the first column constant, so that messages name it."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    rng = np.random.default_rng(0)
    columns = {f"a__{name}": rng.normal(size=120) for name in NASTY}
    columns |= {f"b__{name}": rng.normal(size=120) for name in NASTY}
    columns["a__" + ESCAPES] = np.ones(120)
    target = columns["a__" + NASTY[0]] + rng.normal(size=120)
    found = pa.table({**columns, "y" + ESCAPES: target})
    pq.write_table(found, tmp_path / "data.parquet")
    return found


def shown(ended: Ended) -> set[str]:
    """Control characters in what a command wrote."""
    return CONTROLS & {*ended.out, *ended.err}


@pytest.mark.usefixtures("table")
def test_nothing_that_a_fit_writes_has_control_characters_of_names(tmp_path: Path) -> None:
    options = ("--config", "tiny.yaml", "--target", "y" + ESCAPES, "-v")
    ended = Ended("fit", "data.parquet", "--modalities", "a,b", *options)
    assert ended.status == 0, ended.err
    assert shown(ended) == set()
    run = tmp_path / "data.pidreg"
    for name in ("report.json", "report.md", "report.html"):
        assert CONTROLS & {*(run / name).read_text(encoding="utf-8")} == set(), name
    assert "<script>x" not in (run / "report.html").read_text(encoding="utf-8")
    report = json.loads((run / "report.json").read_text(encoding="utf-8"))
    assert report["data"]["target"] == "y" + ESCAPES


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "data.parquet", "--modalities", "a,b", "--target", "y" + ESCAPES + "x"),
        ("fit", "data.parquet", "--modalities", "a,b"),
        ("fit", "data.parquet", "--modality", "m=" + "a__" + ESCAPES + "q", "--target", "y" + ESCAPES),
        ("fit", "x" + ESCAPES + ".parquet"),
        ("fit", "data.parquet", "--set", "seed." + ESCAPES + "=1"),
        ("fit", "data.parquet", "--preset", ESCAPES),
        ("check", "x" + ESCAPES, "--require", "total > 0"),
    ],
)
def test_errors_write_no_control_characters_of_names(arguments: tuple[str, ...]) -> None:
    ended = Ended(*arguments)
    assert ended.status in (2, 3, 4)
    assert shown(ended) == set()


def test_names_of_modalities_never_become_names_of_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = tmp_path / "inner"
    inner.mkdir()
    monkeypatch.chdir(inner)
    (inner / "tiny.yaml").write_text(TINY)
    names = ["..", ".", "-x", "~", "$HOME", "%00"]
    block = np.random.default_rng(0).normal(size=(160, len(names)))
    columns = {f"c{i}": block[:, i] for i in range(len(names))}
    pq.write_table(pa.table({**columns, "target": block.sum(axis=1)}), inner / "data.parquet")
    roles = [part for i, name in enumerate(names) for part in ("--modality", f"{name}=c{i}")]
    ended = Ended("fit", "data.parquet", *roles, "--config", "tiny.yaml", "-q")
    assert ended.status == 0, ended.err
    assert [path.name for path in tmp_path.iterdir()] == ["inner"]
    assert sorted(path.name for path in inner.iterdir()) == ["data.parquet", "data.pidreg", "tiny.yaml"]
