"""The page on JSON: its commands and jq lines run, and print something. Part of the full campaign, for it needs jq."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs" / "json.md").read_text(encoding="utf-8")


def run(line: str, folder: Path) -> str:
    command = re.sub(r"^pidreg ", f"{sys.executable} -m pidreg_cli ", line)
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{line}: {done.stderr}"
    return done.stdout


@pytest.mark.slow
def test_every_line_of_the_page_runs_and_says_something(tmp_path: Path) -> None:
    assert shutil.which("jq"), "no jq on this machine (Debian: apt-get install jq)"
    blocks = [
        line for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
    ]
    asked = [line.replace("\\|", "|") for line in re.findall(r"\| `(jq .*)` \|", PAGE)]
    assert (len(blocks), len(asked)) == (8, 8)
    made, rest = blocks[:2], blocks[2:]
    for line in made:
        run(line, tmp_path)
    printed = {line: run(line, tmp_path) for line in [*asked, *rest]}
    silent = [line for line, output in printed.items() if not output.strip()]
    # A clean table has no warnings, and schemas go to files.
    assert [line for line in silent if "diagnostics" not in line and " > " not in line.split("'")[-1]] == []
    assert "data.missing_input" in printed[rest[3]]
    assert printed[rest[1]].strip() == "a,b"
    assert re.fullmatch(r'"a","?\d.*', printed[asked[2]].splitlines()[0].replace("a+", "a")) is not None
