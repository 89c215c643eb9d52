"""The page on decompose: every command runs, and prints the lines that the page shows."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "decompose.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+\.\d+")
# A fit that takes seconds: the page shows no numbers of it.
QUICK = (
    "--preset fast --folds 2 --threads 1 --set network.code_dim=4 --set features.boosted=off "
    "--set stage1.min_epochs=1 --set stage1.max_epochs=2 --set stage2.max_epochs=2"
)


def commands_and_excerpts() -> list[tuple[str, str]]:
    """Fenced blocks of the page in order: ('sh', commands) and ('text', what the last of them printed)."""
    return re.findall(r"```(sh|text)\n(.*?)```", PAGE, re.DOTALL)


def run(line: str, folder: Path) -> str:
    line = line.replace("sample_data/", f"{ROOT}/sample_data/").replace("pidreg fit", f"pidreg fit {QUICK}")
    command = line.replace("pidreg ", f"{sys.executable} -m pidreg_cli ", 1)
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


def same(shown: str, printed: str) -> bool:
    """Equal but for the second decimal of amounts, which differs between processors."""
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", printed).split():
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(float(one) == pytest.approx(float(other), abs=0.03) for one, other in pairs)


def test_every_command_runs_and_prints_what_the_page_shows(tmp_path: Path) -> None:
    blocks, printed, shown = commands_and_excerpts(), "", 0
    for kind, content in blocks:
        lines = content.splitlines()
        if kind == "sh":
            for line in lines:
                printed = run(line, tmp_path)
            continue
        for line in lines:
            shown += 1
            assert any(same(line, other) for other in printed.splitlines()), line
    assert shown >= 5
    assert {path.name for path in tmp_path.iterdir()} >= {"rows.parquet", "rows.csv", "mixed.pidreg"}
