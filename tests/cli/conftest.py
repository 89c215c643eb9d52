from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Finished = subprocess.CompletedProcess[str]


@pytest.fixture(scope="session")
def environment() -> dict[str, str]:
    """The surroundings of a script in CI, except that no machine's threads are counted on."""
    hidden = {"FORCE_COLOR", "NO_COLOR", "PY_COLORS", "COLUMNS"}
    kept = {key: value for key, value in os.environ.items() if key not in hidden}
    return {**kept, "GITHUB_ACTIONS": "true", "OMP_NUM_THREADS": "1"}


@pytest.fixture(scope="session")
def pidreg(environment: dict[str, str]) -> Callable[..., Finished]:
    """Run the installed command and return what it left behind."""

    def run(*arguments: object, cwd: Path | None = None, **variables: str) -> Finished:
        return subprocess.run(
            [sys.executable, "-m", "pidreg_cli", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=cwd,
            env={**environment, **variables},
            timeout=300,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def quick_run(tmp_path_factory: pytest.TempPathFactory, pidreg: Callable[..., Finished]) -> Path:
    """A run folder of a small table, to be read and not changed."""
    folder = tmp_path_factory.mktemp("quick")
    pidreg("synth", "unique", "-o", "data.parquet", "--rows", 400, cwd=folder)
    few = ["--set", "stage1.max_epochs=2", "--set", "stage2.max_epochs=4"]
    done = pidreg(
        "fit", "data.parquet", "-q", "--preset", "fast", "--folds", 2, "--threads", 1, *few, cwd=folder
    )
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    return folder / "data.pidreg"
