"""What docs/reports.md shows is what the command does."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.figures.held_out import MOST_POINTS
from pidreg_cli.reports.serialise import to_json
from tests.reports.conftest import drawn

PAGE = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
COMMANDS = [line for text in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL) for line in text.splitlines()]


@pytest.fixture
def workplace(tmp_path: Path) -> Path:
    """Reports under the names of the page, and ``pidreg`` for the shell."""
    mixing = np.array([[1.0, 0.0, 0, 1], [1, 0, 1.5, 0], [1, 0.5, 0, 0.7]])
    for name, seed in (("data", 0), ("before", 1), ("after", 2)):
        folder = tmp_path / f"{name}.pidreg"
        folder.mkdir()
        (folder / "report.json").write_text(to_json(assemble(drawn(("a", "b"), mixing, 300, seed))))
    shutil.copy(tmp_path / "data.pidreg" / "report.json", tmp_path / "report.json")
    return tmp_path


def test_the_commands_run(workplace: Path) -> None:
    assert len(COMMANDS) == 6
    shell = f'set -e -o pipefail; pidreg() {{ "{sys.executable}" -m pidreg_cli "$@"; }}\n'
    script = shell + "\n".join(f"{command}\necho done" for command in map(uncommented, COMMANDS))
    done = subprocess.run(["bash", "-c", script], cwd=workplace, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done\n") == len(COMMANDS)
    for page in ("report.html", "page.html", "changes.html"):
        assert (workplace / page).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def uncommented(command: str) -> str:
    return command.partition(" #")[0]


def test_the_numbers_of_the_page_are_those_of_the_code() -> None:
    assert f"above {MOST_POINTS} as hexagons" in " ".join(PAGE.split())
