"""What the README shows is what the commands do."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+\.?\d*")


def block(kind: str, holding: str) -> str:
    """The fenced block of a kind that holds a text."""
    return next(text for text in re.findall(rf"```{kind}\n(.*?)```", README, re.DOTALL) if holding in text)


def test_the_python_example_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(120, 3)), columns=["x1", "x2", "x3"])
    rows = rng.normal(size=(50, 5))
    given = {"frame": frame, "y": frame["x1"] + rng.normal(size=120), "covariance": np.cov(rows.T)}
    code = block("python", "PIDRegressor").replace("}).fit(", '}, preset="fast").fit(')
    exec(code, given)  # noqa: S102
    assert set(given["d"].atoms) == {"{x}", "{y}", "{x}{y}", "{x,y}"}
    pd.testing.assert_series_equal(
        pd.Series(given["load_model"]("run.pidreg").predict(frame)), pd.Series(given["model"].predict(frame))
    )


@pytest.mark.slow
def test_the_demo_prints_the_excerpt(tmp_path: Path) -> None:
    command = next(
        line for line in (ROOT / "Makefile").read_text().splitlines() if "pidreg fit sample_data" in line
    )
    arguments = command.split("pidreg fit", 1)[1].replace("demo.pidreg", str(tmp_path / "demo")).split()
    done = subprocess.run(
        [sys.executable, "-m", "pidreg_cli", "fit", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    printed = [line.split() for line in done.stdout.splitlines()]
    shapes = [[NUMBER.sub("#", word) for word in line] for line in printed]
    for line in block("text", "on its own").splitlines():
        words = line.split()
        place = shapes.index([NUMBER.sub("#", word) for word in words])
        shown, found = NUMBER.findall(line), NUMBER.findall(" ".join(printed[place]))
        # Rounding differs a little between processors.
        for one, other in zip(shown, found, strict=True):
            assert float(one) == pytest.approx(float(other), abs=0.05 if "." in one else 5), line
