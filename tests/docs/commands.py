"""Commands of a page, run by a shell that finds ``pidreg``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def install(folder: Path) -> None:
    """Put ``pidreg`` where ``run`` looks for it."""
    shim = folder / "bin" / "pidreg"
    shim.parent.mkdir()
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m pidreg_cli "$@"\n')
    shim.chmod(0o755)


def run(folder: Path, script: str) -> subprocess.CompletedProcess[str]:
    """Run ``script`` in ``folder``; a part of a pipe that fails counts."""
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", script],
        cwd=folder,
        env={**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
