"""Faults injected for real, fewer than ``python -m benchmarks.faults`` does: nothing lost, the same numbers after."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
FAULTS = (
    *("kill -9 fit", "kill -9, chained", "kill -9 at changes", "SIGTERM", "Ctrl-C", "full disk"),
    *("file size limit", "out of memory", "closed pipe", "truncated input", "two processes"),
)


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_leaves_what_can_be_continued(fault: str) -> None:
    if fault == "full disk" and os.geteuid() != 0:
        pytest.fail("a small disk is mounted, which needs root")
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.faults", "--scale", "0.1", "--only", fault],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "| all |" in done.stdout
