"""Files of a working directory that are named as modules are, are not executed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SIDE_BY_SIDE = """
from pidreg_cli.training.progress import Silent
from pidreg_cli.training.workers import Workers

if __name__ == "__main__":
    with Workers(2, Silent(), processes=2) as workers:
        print(workers.start(repr).result())
"""


def test_processes_beside_a_training_import_nothing_from_it(tmp_path: Path) -> None:
    script, strangers = tmp_path / "script" / "main.py", tmp_path / "strangers"
    script.parent.mkdir()
    script.write_text(SIDE_BY_SIDE)
    for module in ("loky", "multiprocessing"):
        (strangers / module).mkdir(parents=True)
        (strangers / module / "__init__.py").write_text("open('executed', 'w').close()\n")
    done = subprocess.run(
        [sys.executable, script],
        cwd=strangers,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert not (strangers / "executed").exists()
    assert "_Telling" in done.stdout, done.stderr
