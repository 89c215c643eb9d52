"""The page on scale: its command runs, and the sizes it states are those of the code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.config.loading import load_settings
from pidreg_cli.data.streaming import plan
from pidreg_cli.data.streaming.plan import POOL_BUCKETS, StreamPlan, TableSize, quantile_error
from pidreg_cli.memory import amount, as_option, bytes_of
from tests.cli.in_process import TINY, Ended

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text(encoding="utf-8")
TEXT = " ".join(PAGE.split())


def test_every_command_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "big").mkdir()
    rng = np.random.default_rng(0)
    for number in range(2):
        a, b, noise = rng.standard_normal((3, 80))
        table = pa.table({"a_0": a, "b_0": b, "target": a + b + noise})
        pq.write_table(table, tmp_path / "big" / f"{number}.parquet")
    commands = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)).splitlines()
    assert commands
    for command in commands:
        program, *words = shlex.split(command)
        assert program == "pidreg"
        ended = Ended(*words, "--config", "tiny.yaml")
        assert ended.status == 0, ended.err
        assert "the table is read into memory" in ended.err


def test_sizes_by_limit_are_those_of_the_code() -> None:
    size = TableSize(5_000_000, 200, 2)
    rows = re.findall(r"^\| (\d+GB) \| ([\d,]+) \| (\.\d+) \| ([\d,]+) \| ([\d,]+) \|$", PAGE, re.MULTILINE)
    assert len(rows) == 4
    for limit, *stated in rows:
        found = StreamPlan.of(size, bytes_of(limit))
        error = f"{quantile_error(found.sampled):.4f}".removeprefix("0")
        mixed = POOL_BUCKETS * found.bucket_rows
        assert stated == [f"{found.sampled:,}", error, f"{found.held:,}", f"{mixed:,}"]


def test_constants_are_those_of_the_code() -> None:
    rounds = load_settings().training.round_rows
    for stated in (
        f"need {plan.LIBRARIES // 10**6} MB, {plan.CELL} bytes a feature cell and {plan.ROW:,} bytes a row",
        f"at most {plan.MOST_SAMPLED:,} training rows, {plan.MOST_HELD:,} held-out rows",
        f"takes {plan.STATE_OF_A_ROW} bytes in memory, with `--group` {plan.STATE_OF_A_GROUPED_ROW}",
        f"at least {plan.FEWEST_HELD:,} rows",
        f"1/{plan.MOST_BUCKETS:,} of the training rows",
        f"{4 * plan.INPUTS} bytes a feature cell at most",
        f"`training.round_rows` of them ({rounds:,})",
    ):
        assert stated in TEXT, stated
    assert f"10^8 rows of 200 features need {amount(TableSize(10**8, 200, 2).streamed)}" in TEXT
    assert f"`--memory {as_option(TableSize(10**9, 200, 2).streamed)}` is the least" in TEXT
