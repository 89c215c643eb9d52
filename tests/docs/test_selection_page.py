"""The page on selection: every command runs, and prints the lines that the page shows."""

from __future__ import annotations

import io
import re
import shlex
from pathlib import Path

import pytest

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "selection.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+\.\d+")
# A fit that takes seconds: the page shows no numbers of it.
QUICK = (
    "--threads 1 --folds 2 --set network.code_dim=4 --set features.boosted=off --set network.further=[] "
    "--set stage1.min_epochs=1 --set stage1.max_epochs=2 --set stage2.max_epochs=2"
)


def run(line: str) -> str:
    line = line.replace("sample_data/", f"{ROOT}/sample_data/")
    fits = "pidreg fit" in line or ("--no-model" not in line and "select-modalities /" in line)
    arguments = shlex.split(line + f" {QUICK}" * fits)[1:]
    console = Console(io.StringIO(), io.StringIO())
    assert main(arguments, console) == 0, f"{line}: {console.stderr.getvalue()}"
    return console.stdout.getvalue()


def same(shown: str, printed: str) -> bool:
    """Equal but for the second decimal of amounts, which differs between processors."""
    if NUMBER.sub("#", shown).split() != NUMBER.sub("#", printed).split():
        return False
    pairs = zip(NUMBER.findall(shown), NUMBER.findall(printed), strict=True)
    return all(float(one) == pytest.approx(float(other), abs=0.03) for one, other in pairs)


def test_every_command_runs_and_prints_what_the_page_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    printed, commands, shown = "", 0, 0
    for kind, content in re.findall(r"```(sh|text)\n(.*?)```", PAGE, re.DOTALL):
        for line in content.splitlines():
            if kind == "sh":
                printed = run(line)
                commands += 1
            else:
                assert any(same(line, other) for other in printed.splitlines()), line
                shown += 1
    assert (commands, shown) == (8, 2)
    assert {path.name for path in tmp_path.iterdir()} == {"demo.pidreg", "kept.pidreg"}
