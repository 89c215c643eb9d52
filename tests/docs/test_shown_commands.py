"""Every command that the README and docs/check.md show runs, on tables of the columns that it names."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.docs.commands import install, run

ROOT = Path(__file__).parents[2]
QUICK = " --preset fast --folds 2 --threads 1 --set stage1.max_epochs=2 --set stage2.max_epochs=4"
CHECKED = 1
"""Exit status of a check that does not hold: what a small table says is not what is tested."""


def shown(page: str) -> list[str]:
    """The commands of the blocks for shells, those of make excepted."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if not line.startswith("make ")]
    assert all(line.startswith("pidreg ") for line in lines), lines
    return lines


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shown")
    install(folder)
    for name, seed in (("data", 0), ("later", 1)):
        table(seed).to_parquet(folder / f"{name}.parquet", index=False)
    whole = table(2)
    people = whole[["subject", "age", "sex"]]
    people.to_csv(folder / "people.csv", index=False)
    whole[["subject", "mri__0", "mri__1"]].to_csv(folder / "labs.csv", index=False)
    whole[["subject", "fmri__0", "fmri__1"]].to_parquet(folder / "scans.parquet", index=False)
    return folder


def table(seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(160, 5))
    frame = pd.DataFrame(values, columns=["mri__0", "mri__1", "fmri__0", "fmri__1", "target"])
    frame["target"] += frame["mri__0"] + frame["fmri__0"]
    frame["age"], frame["sex"] = rng.uniform(20, 80, 160).round(1), rng.integers(0, 2, 160)
    frame["site"] = rng.choice(["north", "south", "west"], 160)
    return frame.assign(subject=[f"s{row}" for row in range(160)])


@pytest.mark.slow
def test_every_command_shown_runs(workplace: Path) -> None:
    lines = [*shown("README.md"), *shown("docs/check.md")]
    assert len(lines) >= 10
    for line in lines:
        # A fit takes the place of the last; it need not be a good one.
        trains = re.sub(r"^(pidreg (fit|select-modalities) data\.parquet[^|]*)", rf"\1{QUICK} ", line)
        forced = re.sub(r"^(pidreg (fit|prepare) [^|]*)", r"\1 --force ", trains)
        done = run(workplace, forced)
        allowed = (0, CHECKED) if "pidreg check" in line else (0,)
        assert done.returncode in allowed, f"{line}: {done.stdout}{done.stderr}"
        assert done.stdout.strip() or "-o " in line or "--per-row" in line, line
        if line.startswith("pidreg fit data.parquet --modalities"):
            (workplace / "report.json").write_bytes((workplace / "data.pidreg" / "report.json").read_bytes())
        if line.startswith("pidreg prepare"):
            table(0).to_parquet(workplace / "data.parquet", index=False)
            (workplace / "data.pidreg.json").unlink()
