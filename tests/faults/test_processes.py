"""A fit whose folds are trained by processes of their own, interrupted for real: none is left, and it goes on."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[2]
SECONDS = 600.0  # that anything may take at most
FIT = ("fit", "table.parquet", "--modalities", "a,b", "--threads", "2", "--set", "folds=2", "-q")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table whose folds are long enough to be worth processes."""
    folder = tmp_path_factory.mktemp("processes")
    _done(folder, "synth", "mixed", "--rows", "600", "-o", "table.parquet")
    return folder


@pytest.fixture(scope="module")
def unbroken(folder: Path) -> bytes:
    """The model of a fit that nobody interrupts, by one process."""
    one = ("1" if word == "2" else word for word in FIT)
    _done(folder, *one, "-o", "unbroken.pidreg")
    return (folder / "unbroken.pidreg" / "model.safetensors").read_bytes()


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Programs that are started react to Ctrl-C, also where the tests run in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(
    ("number", "status"), [(signal.SIGKILL, -9), (signal.SIGTERM, 143), (signal.SIGINT, 130)]
)
def test_an_interrupted_fit_leaves_no_process_and_goes_on(
    folder: Path, unbroken: bytes, number: int, status: int
) -> None:
    name = f"run-{status}.pidreg"
    with subprocess.Popen(
        [sys.executable, "-m", "pidreg_cli", *FIT, "-o", name],
        cwd=folder,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as fit:
        checkpoints = folder / f"{name}.partial" / "checkpoints"
        _until(lambda: len(list(checkpoints.glob("checkpoint-*"))) >= 2)
        others = psutil.Process(fit.pid).children(recursive=True)
        assert len(others) >= 2
        if number == signal.SIGINT:
            os.killpg(fit.pid, number)  # as a terminal does
        else:
            fit.send_signal(number)
        assert fit.stderr is not None
        said = fit.stderr.read()
        assert fit.wait() == status
    assert "Traceback" not in said
    _until(lambda: not any(_lives(process) for process in others))
    _done(folder, *FIT, "-o", name, "--resume")
    assert (folder / name / "model.safetensors").read_bytes() == unbroken
    assert json.loads((folder / name / "report.json").read_text())["threads"] == 2


@pytest.mark.slow
def test_a_killed_worker_ends_the_fit_with_what_to_do(folder: Path, unbroken: bytes) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "pidreg_cli", *FIT, "-o", "lost.pidreg"],
        cwd=folder,
        env=ENVIRONMENT,
        stderr=subprocess.PIPE,
        text=True,
    ) as fit:
        checkpoints = folder / "lost.pidreg.partial" / "checkpoints"
        _until(lambda: len(list(checkpoints.glob("checkpoint-*"))) >= 2)
        workers = psutil.Process(fit.pid).children()
        max(workers, key=lambda process: process.memory_info().rss).kill()
        assert fit.stderr is not None
        said = fit.stderr.read()
        assert fit.wait() == 5
    assert "training.worker_lost" in said or "was killed" in said
    assert "--resume" in said
    assert "Traceback" not in said
    _done(folder, *FIT, "-o", "lost.pidreg", "--resume")
    assert (folder / "lost.pidreg" / "model.safetensors").read_bytes() == unbroken


SELECT = ("select-modalities", "table.parquet", *FIT[2:-1], "--verify")


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize(("whose", "status"), [("all", 130), ("worker", 5)])
def test_an_interrupted_verification_leaves_no_process_and_the_run(
    folder: Path, unbroken: bytes, whose: str, status: int
) -> None:
    run = folder / f"verified-{status}.pidreg"
    with subprocess.Popen(
        [sys.executable, "-m", "pidreg_cli", *SELECT, "--run", run.name],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as select:
        assert select.stderr is not None
        told = iter(select.stderr.readline, "")
        assert any("verification: retraining" in line for line in told)
        others = psutil.Process(select.pid).children(recursive=True)
        if whose == "all":
            os.killpg(select.pid, signal.SIGINT)  # as a terminal does
        else:
            max(others, key=lambda process: process.memory_info().rss).kill()
        said = select.stderr.read()
        assert select.wait() == status
    assert len(others) >= 2
    assert "Traceback" not in said
    _until(lambda: not any(_lives(process) for process in others))
    assert (run / "model.safetensors").read_bytes() == unbroken


def _done(folder: Path, *arguments: str) -> None:
    command = [sys.executable, "-m", "pidreg_cli", *arguments]
    done = subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _until(happened: object) -> None:
    ends = time.monotonic() + SECONDS
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < ends
        time.sleep(0.05)


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
