"""Contract, section "Command line": what only a process of its own shows. Most is in tests/cli/test_program.py, too.

Those that fit take long; ``test_installed.py`` runs all of them.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contract.conftest import PROGRAM, Fitted, Run

# The interpreter beside the installed program, else that of the tests.
PYTHON = sys.executable if PROGRAM is None else str(Path(PROGRAM).parent / "python")
MODULE = [PYTHON, "-m", "pidreg_cli"]
LINE = MODULE if PROGRAM is None else [PROGRAM]
FIT = ("fit", "data.parquet", "--modalities", "a,b", "--config", "tiny.yaml")
HEAVY = ("torch", "pandas", "scipy")
SECONDS = 600.0


def process(*arguments: object, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", **variables}
    return _ended([*LINE, *map(str, arguments)], cwd, environment)


def _ended(line: list[str], cwd: Path, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(line, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("arguments", [("--help",), ("fit", "-h"), ("--version",), ("fit", "--nonsense")])
def test_help_and_usage_errors_import_nothing_heavy(place: Path, arguments: tuple[str, ...]) -> None:
    """``-h``, ``--help``, ``--version`` and usage errors never import torch, pandas or scipy."""
    line = [PYTHON, "-X", "importtime", "-m", "pidreg_cli", *arguments]
    done = subprocess.run(line, cwd=place, capture_output=True, text=True, check=False)
    assert done.returncode == (2 if "--nonsense" in arguments else 0)
    imported = {row.rpartition("|")[2].strip() for row in done.stderr.splitlines() if "import time:" in row}
    assert "pidreg_cli.cli.app" in imported
    assert not imported.intersection(HEAVY)


def test_the_module_is_the_program(run: Run, place: Path) -> None:
    """``pidreg`` is ``python -m pidreg_cli``."""
    assert _ended([*MODULE, "--version"], place, {**os.environ}).stdout == run("--version").out


@pytest.mark.slow
@pytest.mark.parametrize("variables", [{}, {"GITHUB_ACTIONS": "true"}, {"NO_COLOR": "1", "FORCE_COLOR": "1"}])
def test_no_escape_codes_in_pipes(place: Path, variables: dict[str, str]) -> None:
    """Nor progress bars, also under GITHUB_ACTIONS."""
    done = process(*FIT, cwd=place, **variables)
    wrong = process("fit", "--nonsense", cwd=place, **variables)
    assert (done.returncode, wrong.returncode) == (0, 2)
    for text in (done.stdout, done.stderr, wrong.stderr):
        assert "\x1b" not in text
        assert "\r" not in text


@pytest.mark.slow
@pytest.mark.parametrize(("flag", "shown"), [("-q", False), ("-v", True)])
def test_quiet_and_verbose(place: Path, flag: str, shown: bool) -> None:
    """``-q`` prints no result and no notice, ``-v`` a line per epoch."""
    done = process(*FIT, flag, cwd=place)
    assert done.returncode == 0
    assert ("bits" in done.stdout) is shown
    assert ("epoch 1" in done.stderr) is shown
    assert ("note:" in done.stderr) is shown


def test_tracebacks_with_debug_alone(place: Path) -> None:
    """An error is a message; ``--debug`` adds where it came from."""
    assert "Traceback" not in process("fit", "absent.parquet", cwd=place).stderr
    assert "Traceback" in process("fit", "absent.parquet", "--debug", cwd=place).stderr


def test_a_full_disk_is_exit_6(fitted: Fitted, place: Path) -> None:
    """A result that cannot be written is no success."""
    line = [*LINE, "report", str(fitted.folder)]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(line, cwd=place, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 6
    assert done.stderr.startswith("error: ")


def test_a_closed_pipe_is_exit_141(fitted: Fitted, place: Path) -> None:
    """Nothing is said to a reader that left."""
    line = [*LINE, "report", str(fitted.folder), "--format", "html"]
    with subprocess.Popen(line, cwd=place, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        assert writing.stderr is not None
        writing.stdout.close()
        assert writing.stderr.read() == b""
    assert writing.returncode == 141


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Programs that are started react to Ctrl-C, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_fit_is_continued(place: Path, fitted: Fitted, number: int, status: int) -> None:
    """A run is built in ``RUN.partial`` and renamed when complete; ``--resume`` continues it, to the same bytes."""
    partial = place / "data.pidreg.partial"
    with subprocess.Popen([*LINE, *FIT], cwd=place, stderr=subprocess.DEVNULL) as fit:
        _until(lambda: any(partial.glob("checkpoints/checkpoint-*")))
        fit.send_signal(number)
    assert fit.returncode == status
    assert partial.is_dir()
    assert not (place / "data.pidreg").exists()
    done = process(*FIT, "--resume", cwd=place)
    assert done.returncode == 0, done.stderr
    assert not partial.exists()
    name = "model.safetensors"
    assert (place / "data.pidreg" / name).read_bytes() == (fitted.folder / name).read_bytes()


def _until(happened: object) -> None:
    ends = time.monotonic() + SECONDS
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.01)


@pytest.mark.slow
def test_force_replaces_at_the_rename_only(place: Path, fitted: Fitted) -> None:
    """A run that is replaced stays until the new one is complete."""
    shutil.copytree(fitted.folder, place / "data.pidreg")
    report = place / "data.pidreg" / "report.json"
    before = report.read_bytes()
    with subprocess.Popen([*LINE, *FIT, "--force"], cwd=place, stderr=subprocess.DEVNULL) as fit:
        _until(lambda: any(place.glob("data.pidreg.partial/checkpoints/checkpoint-*")))
        assert report.read_bytes() == before
        fit.kill()
    assert report.read_bytes() == before
    assert process(*FIT, "--force", "--seed", 5, cwd=place).returncode == 0
    assert json.loads(report.read_text())["seed"] == 5
