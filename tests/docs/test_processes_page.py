"""The page on several processes: its command runs. Ends and restarts are tested in ``tests/cli/test_torchrun.py``."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.processes_on_paper import built

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "processes.md").read_text(encoding="utf-8")
QUICK = (
    "--threads 1 --folds 2 --set network.code_dim=4 --set features.boosted=off --set network.further=[] "
    "--set stage1.min_epochs=1 --set stage1.max_epochs=2 --set stage2.max_epochs=2"
)


@pytest.mark.slow
def test_the_command_of_one_machine_runs(tmp_path: Path) -> None:
    line = next(line for line in PAGE.splitlines() if line.startswith("torchrun --standalone"))
    program, *arguments = shlex.split(f"{line} {QUICK}".replace("sample_data/", f"{ROOT}/sample_data/"))
    assert program == "torchrun"
    torchrun = [sys.executable, "-m", "torch.distributed.run", *arguments]
    done = subprocess.run(torchrun, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("What clinical and serum tell about progression")
    assert (tmp_path / "demo.pidreg" / "report.json").exists()


def test_what_the_page_says_of_messages_is_so() -> None:
    network = built()
    assert f"The network has {network.parameters:,} parameters" in PAGE
    sent = sum(often * size for often, size in network.messages(2))
    assert re.search(rf"two processes send\s+{sent / 1e6:.2f} MB a step", PAGE)
    assert f"each of its {network.inputs} inputs" in PAGE
