"""What a repeated command would read: the same as the search of its inputs finds once the file is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from pidreg_cli.data.formats import PARQUET, TABLES
from pidreg_cli.data.inputs import expand_inputs
from pidreg_cli.data.reading_again import reads
from pidreg_cli.errors import DataError

INPUTS = ["in", ".", "in/*.parquet", "*/*", "in/s*", "in/**/*.parquet", "in/[ab]*", "in/a.parquet", "*"]
INPUTS += ["in/*/*", "in/*.pidreg/*", "in/*.pidreg"]
OUTPUTS = [
    "out.parquet",
    "in/a.parquet",
    "in/new.csv",
    "in/.hidden.parquet",
    "in/_aside/p.parquet",
    "in/x.pidreg/heldout.parquet",
    "in/x.pidreg.partial/deep/p.parquet",
    "x.pidreg/p.parquet",
    "in/site=A/p.parquet",
    "in/site=A/deep/p.PQ",
]


@pytest.mark.parametrize("suffixes", [PARQUET, TABLES])
@pytest.mark.parametrize("given", INPUTS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_it_is_what_the_search_finds(
    given: str, output: str, suffixes: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / output
    path.parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "in").mkdir(exist_ok=True)
    (tmp_path / "in" / "kept.parquet").touch()  # a folder without a table is an error
    before = [reads(one, Path(output), suffixes) for one in (given, str(tmp_path / given))]
    path.touch()
    try:
        found = any(file.path.resolve() == path for file in expand_inputs([given], suffixes))
    except DataError:
        found = False
    assert before == [found, found]
    assert reads(given, Path(output), suffixes) == found


def test_addresses_and_links_on_the_way_are_followed(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "in")
    assert reads(f"file://{tmp_path}/in", tmp_path / "link" / "p.parquet", PARQUET)
    assert reads(f"{tmp_path}/link/*", tmp_path / "in" / "p.parquet", PARQUET)
    assert not reads("s3://bucket/in", tmp_path / "in" / "p.parquet", PARQUET)
