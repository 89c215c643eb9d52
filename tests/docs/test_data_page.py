"""The page on data: every command runs as it stands, on small tables with the columns of those it names."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from tests.cli.in_process import TINY

PAGE = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
ROWS = 400
MEASURED = {
    "nhanes_body.csv": ["bmi", "height", "waist", "weight", "sbp", "dbp", "pulse"],
    "nhanes_chemistry.csv": ["albumin", "alp", "bun", "creat", "glucose", "hdl", "totchol"],
    "nhanes_bloodcount.csv": ["lymph", "mcv", "neut", "rbc", "rdw", "wbc"],
}


def commands() -> list[str]:
    """Commands of the fenced blocks, in order."""
    blocks = "".join(re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL))
    return blocks.replace("\\\n", " ").splitlines()


def write_patients(rng: np.random.Generator) -> None:
    """Four tables of a key; in three of them some patients are missing."""
    age = rng.uniform(20, 80, ROWS).round()
    keys = [f"1999_{row:04d}" for row in range(ROWS)]
    pd.DataFrame({"sampleID": keys, "wave": 1, "gender": 2, "age": age}).to_csv(
        "nhanes_people.csv", index=False
    )
    for name, columns in MEASURED.items():
        values = rng.normal(size=(ROWS, len(columns))) + 0.02 * age[:, None]
        table = pd.DataFrame(values.round(3), columns=columns).mask(rng.random(values.shape) < 0.05)
        table.insert(0, "sampleID", keys)
        table.sample(frac=0.9, random_state=0).to_csv(name, index=False)


def write_weather(rng: np.random.Generator) -> None:
    """One table by the hour, with NA, text and the parts of dates."""
    when = pd.date_range("2013-03-01", periods=ROWS, freq="17h")
    parts = {part: getattr(when, part) for part in ("year", "month", "day", "hour")}
    gases = {name: rng.gamma(2.0, 20.0, ROWS).round(1) for name in ("SO2", "NO2", "CO", "O3")}
    weather = {name: rng.normal(size=ROWS).round(1) for name in ("TEMP", "PRES", "DEWP", "RAIN", "WSPM")}
    table = pd.DataFrame(
        {**parts, "PM2.5": gases["SO2"] + rng.normal(size=ROWS).round(1), **gases, **weather}
    )
    table["wd"] = rng.choice(["N", "NNW", "SE", "W"], ROWS)
    table.iloc[::7, 4:] = np.nan
    table.to_csv("beijing_dongsi.csv", index=False, na_rep="NA")


def test_every_command_runs_as_it_stands(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    write_patients(rng)
    write_weather(rng)
    Path("tiny.yaml").write_text(TINY, encoding="utf-8")
    lines = commands()
    assert [line.split()[1] for line in lines] == ["prepare", "fit", "prepare", "fit"]
    for line in lines:
        # A fit that takes seconds: the page shows no numbers of it.
        quick = line + " --config tiny.yaml -q" if line.startswith("pidreg fit") else line
        command = quick.replace("pidreg", f"{sys.executable} -m pidreg_cli", 1)
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (0, ""), f"{line}: {done.stderr}"
    assert {path.name for path in tmp_path.iterdir()} >= {"nhanes.pidreg", "beijing.pidreg"}
