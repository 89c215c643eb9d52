"""Contract: what ``prepare`` flags and keeps, first of duplicate keys, devices, threads, coverage of intervals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from tests.contract.conftest import Run, table


@pytest.fixture
def flagged(place: Path) -> Path:
    """A table with a feature that nearly determines the target, a row in two parts of the split, and a spare column."""
    rng = np.random.default_rng(0)
    given = table().to_pandas().assign(split=rng.choice(["train", "valid", "test"], 240))
    given["a__leak"] = given["target"] + 1e-6 * rng.standard_normal(240)
    given["spare"] = np.arange(240)
    again = given[given["split"] == "train"].iloc[[0]].assign(split="test", id="again", spare=-1)
    pd.concat([given, again]).to_parquet(place / "flagged.parquet", index=False)
    return place


def test_prepare_flags_leaks_and_rows_in_two_parts_and_leaves_out_the_rest(run: Run, flagged: Path) -> None:
    """Flags columns that nearly determine the target and rows duplicated across splits; unassigned ones on request."""
    ended = run("prepare", "flagged.parquet", "--modalities", "a,b", "-o", "plain.parquet")
    assert ended.status == 0, ended.err
    told = [line for line in ended.err.splitlines() if line.startswith("warning")]
    assert any("a__leak" in line for line in told), ended.err
    assert any("repeat a row of train" in line for line in told), ended.err
    assert "spare" not in pq.read_schema(flagged / "plain.parquet").names
    kept = run("prepare", "flagged.parquet", "--modalities", "a,b", "-o", "kept.parquet", "--keep", "spare")
    assert kept.status == 0, kept.err
    assert "spare" in pq.read_schema(flagged / "kept.parquet").names


def test_the_first_of_duplicate_keys_where_asked_for(run: Run, place: Path) -> None:
    rows = range(1, 41)
    (place / "a.csv").write_text("key,target,one\n" + "".join(f"{i},{i % 7},{i}\n" for i in rows))
    (place / "b.csv").write_text("key,size\n" + "".join(f"{i},{i}\n{i},{-i}\n" for i in rows))
    asked = ("a.csv", "m=b.csv", "--key", "key", "--modality", "n=one", "--duplicates", "first")
    ended = run("prepare", *asked, "-o", "first.parquet")
    assert ended.status == 0, ended.err
    assert pq.read_table(place / "first.parquet")["m__size"].to_pylist() == list(rows)
    assert "40" in ended.err


def test_devices_and_threads(run: Run, place: Path) -> None:
    """``--threads N`` and ``--device auto|cpu|cuda[:i]``; the report says what was used."""
    fit = ("fit", "data.parquet", "--modalities", "a,b", "--config", "tiny.yaml", "--format", "json")
    ended = run(*fit, "--device", "cpu", "--threads", "2", "--seed", "3")
    found = json.loads(ended.out)
    assert (found["device"], found["threads"], found["seed"]) == ("cpu", 2, 3)
    for device in ("tpu", "cuda:99"):
        assert run(*fit, "--device", device, "--force").status == 2
    assert run(*fit, "--threads", "0", "--force").status == 2


def test_intervals_cover_what_they_promise(run: Run, place: Path) -> None:
    """``--interval`` is calibrated: of new rows like those of the fit about so many lie within."""
    pq.write_table(table(6000, 1), place / "many.parquet")
    pq.write_table(table(2000, 2), place / "new.parquet")
    # Long enough that models of the folds, whose errors calibrate, err as the deployed one of more rows does.
    long = [part for key in ("min", "max") for part in ("--set", f"stage2.{key}_epochs=20")]
    fit = ("fit", "many.parquet", "--modalities", "a,b", "--config", "tiny.yaml", *long, "-o", "r")
    assert run(*fit).status == 0
    widths = []
    for level in (0.5, 0.9):
        out = place / f"{level}.parquet"
        assert run("predict", "r", "new.parquet", "-o", out, "--interval", level).status == 0
        rows, y = pq.read_table(out).to_pandas(), pq.read_table(place / "new.parquet")["target"].to_numpy()
        assert ((rows["lower"] <= y) & (y <= rows["upper"])).mean() == pytest.approx(level, abs=0.06)
        widths.append((rows["upper"] - rows["lower"]).mean())
    assert widths[0] < widths[1]
