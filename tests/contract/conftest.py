"""The commands as scripts call them: within this process, or the program that ``PIDREG_PROGRAM`` names.

``test_installed.py`` runs these tests against a wheel in an empty environment that way.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.in_process import TINY, Ended

PROGRAM = os.environ.get("PIDREG_PROGRAM")
ROWS = 240


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def error(self) -> dict[str, str]:
        """The object on stderr of a command with ``--format json``."""
        found: dict[str, str] = json.loads(self.err.splitlines()[-1])["error"]
        return found


Run = Callable[..., Result]


def ran(*arguments: object, cwd: Path) -> Result:
    if PROGRAM is None:
        # Help is printed by the library that parses the arguments, past the console.
        with contextlib.chdir(cwd), contextlib.redirect_stdout(io.StringIO()) as printed:
            ended = Ended(*arguments)
        return Result(ended.status, printed.getvalue() + ended.out, ended.err)
    done = subprocess.run(
        [PROGRAM, *map(str, arguments)],
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    return Result(done.returncode, done.stdout, done.stderr)


def table(rows: int = ROWS, seed: int = 0) -> pa.Table:
    """Two modalities by prefix, a target, ids; b misses some cells and, of some rows, everything."""
    rng = np.random.default_rng(seed)
    shared, own, noise = rng.standard_normal((3, rows))
    columns: dict[str, Any] = {
        "a__0": shared + 0.3 * rng.standard_normal(rows),
        "a__1": own,
        "b__0": shared + 0.3 * rng.standard_normal(rows),
        "b__1": rng.standard_normal(rows),
        "target": shared + own + 0.3 * noise,
        "id": [f"p{i:03}" for i in range(rows)],
    }
    columns["b__1"][::7] = np.nan
    columns["b__0"][::14] = np.nan
    return pa.table(columns)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a table and a configuration that trains in a moment."""
    pq.write_table(table(), tmp_path / "data.parquet")
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.fixture
def run(place: Path) -> Run:
    """Run a command in ``place``."""
    return lambda *arguments: ran(*arguments, cwd=place)


@dataclass(frozen=True)
class Fitted:
    """A complete run, to be read and not changed, and what the command wrote."""

    place: Path
    result: Result

    @property
    def folder(self) -> Path:
        return self.place / "data.pidreg"

    @property
    def report(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.folder / "report.json").read_text(encoding="utf-8"))
        return found


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Fitted:
    place = tmp_path_factory.mktemp("contract")
    pq.write_table(table(), place / "data.parquet")
    (place / "tiny.yaml").write_text(TINY)
    result = ran("fit", "data.parquet", "--modalities", "a,b", "--config", "tiny.yaml", cwd=place)
    assert result.status == 0, result.err
    return Fitted(place, result)
