"""The contract through the wheel, in an environment that has nothing else."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SKIPPED = "test_installed.py"


def ended(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    # Nothing of the checkout may be found by accident.
    kept = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "PYTHONHOME")}
    done = subprocess.run(
        [*map(str, arguments)],
        cwd=cwd,
        env={**kept, "OMP_NUM_THREADS": "1", **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done


def environment(folder: Path) -> Path:
    """A fresh environment; its folder of programs."""
    ended(sys.executable, "-m", "venv", folder, cwd=folder.parent)
    return folder / "bin"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    ended(sys.executable, "-m", "pip", "wheel", "--no-deps", "-w", folder, ROOT, cwd=folder)
    (found,) = folder.glob("pidreg-*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The folder of programs of an environment with the wheel, at the versions of the constraints, alone."""
    programs = environment(wheel.parent / "empty")
    ended(programs / "pip", "install", "-q", "-c", ROOT / "constraints.txt", wheel, cwd=wheel.parent)
    return programs


def every_command(programs: Path, folder: Path, **variables: str) -> None:
    """Every command of the environment's program works on a small table; results go to ``folder``."""
    quick = ("--preset", "fast", "--set", "stage1.max_epochs=2", "--set", "stage2.max_epochs=2")
    for arguments in (
        ("synth", "unique", "-o", "data.parquet", "--rows", 300),
        ("fit", "data.parquet", *quick),
        ("predict", "data.pidreg", "data.parquet", "-o", "p.csv"),
        ("decompose", "data.pidreg"),
        ("select-modalities", "data.pidreg"),
        ("check", "data.pidreg", "--require", "total >= 0"),
        ("prepare", "data.parquet", "-o", "prepared.parquet"),
        ("report", "data.pidreg", "--format", "html"),
    ):
        ended(programs / "pidreg", *arguments, cwd=folder, **variables)


@pytest.mark.slow
def test_the_contract_holds_of_the_wheel(installed: Path, tmp_path: Path) -> None:
    line = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", ROOT / "tests" / "contract"]
    done = ended(*line, "--ignore", Path(__file__), cwd=ROOT, PIDREG_PROGRAM=str(installed / "pidreg"))
    assert " passed" in done.stdout


@pytest.mark.slow
def test_the_demo_runs_from_the_wheel(installed: Path, tmp_path: Path) -> None:
    recipe = next(
        line for line in (ROOT / "Makefile").read_text().splitlines() if "pidreg fit sample_data" in line
    )
    words = recipe.replace("sample_data/", f"{ROOT}/sample_data/").split()[1:]
    done = ended(installed / "pidreg", *words, cwd=tmp_path)
    assert "bits" in done.stdout
    assert (tmp_path / "demo.pidreg" / "report.html").exists()


@pytest.mark.slow
def test_the_lowest_versions_that_are_declared_work(wheel: Path, tmp_path: Path) -> None:
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    lowest = [requirement.replace(">=", "==") for requirement in declared]
    programs = environment(tmp_path / "lowest")
    ended(programs / "pip", "install", "-q", wheel, *lowest, cwd=tmp_path, PIP_CONSTRAINT="")
    every_command(programs, tmp_path)


@pytest.mark.slow
def test_the_newest_versions_that_the_registry_serves_work(wheel: Path, tmp_path: Path) -> None:
    programs = environment(tmp_path / "newest")
    # An empty value would leave a constraint of pip's configuration in force.
    unconstrained = tmp_path / "unconstrained.txt"
    unconstrained.touch()
    line = (programs / "pip", "install", "-q", "--upgrade", wheel)
    ended(*line, cwd=tmp_path, PIP_CONSTRAINT=str(unconstrained))
    print(ended(programs / "pip", "freeze", cwd=tmp_path).stdout)  # noqa: T201  shown where a command fails
    every_command(programs, tmp_path, PYTHONWARNINGS="error::DeprecationWarning")
