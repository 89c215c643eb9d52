"""What docs/predict.md shows is what the commands do."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console
from tests.prediction.conftest import Fitted

PAGE = (Path(__file__).parents[2] / "docs" / "predict.md").read_text(encoding="utf-8")


def blocks(kind: str) -> list[str]:
    """The fenced blocks of a kind."""
    return re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL)


@pytest.fixture
def place(fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with what the page speaks of; some rows lack a modality."""
    monkeypatch.chdir(tmp_path)
    Path("data.pidreg").symlink_to(fitted.folder)
    rows = fitted.new.copy()
    rows.loc[:299, ["a__0", "a__1", "a__2"]] = np.nan
    rows.to_parquet("new.parquet")
    return tmp_path


def test_the_commands_run_and_say_what_is_shown(place: Path) -> None:
    said = ""
    for line in "".join(blocks("sh")).splitlines():
        err = io.StringIO()
        assert main(shlex.split(line)[1:], Console(io.StringIO(), err)) == 0, err.getvalue()
        said += err.getvalue()
    assert {"predictions.parquet", "predictions.csv", "predictions.json"} <= {p.name for p in place.iterdir()}
    for line in "".join(blocks("text")).splitlines():
        # The rows and the figures are those of another table.
        words = re.escape(re.sub(r"[\d,.]+|\+\d+%", "#", line)).replace(r"\#", r"[-+\d,.%]+")
        assert re.search(words.replace(r"b\+c", r"b\+c"), said), line


def test_the_python_example_runs(place: Path, fitted: Fitted) -> None:
    given = {"frame": fitted.new}
    exec(blocks("python")[0], given)  # noqa: S102
    assert set(given["model"].explain(fitted.new).columns) >= {"bits.a", "shift.a"}
