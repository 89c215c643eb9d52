"""Results where scripts send them: to a program, a reader that left, a full disk; and what a shell makes of it."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

PROGRAM = (sys.executable, "-m", "pidreg_cli")
TABLE = ("data.parquet", "--no-model", "--threads", "1")
COMMANDS = {
    "decompose": ("decompose", *TABLE, "--format", "json"),
    "select-modalities": ("select-modalities", *TABLE, "--format", "json"),
    "check": ("check", "data.pidreg", "--require", "total >= 0", "--format", "json"),
}


@pytest.fixture
def folder(quick_run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A table and its run."""
    monkeypatch.chdir(quick_run.parent)
    return quick_run.parent


def shell(script: str, environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", script], env=environment, capture_output=True, text=True, check=False, timeout=300
    )


def line(arguments: Sequence[str]) -> str:
    return shlex.join([*PROGRAM, *arguments])


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_result_is_piped_whole_and_alone(command: str, environment: dict[str, str]) -> None:
    done = shell(f"set -o pipefail; {line(COMMANDS[command])} | cat", environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_is_said_to_a_reader_that_left(command: str, environment: dict[str, str]) -> None:
    reading, writing = os.pipe()
    # Before the command starts, so that no part of its result finds a reader.
    os.close(reading)
    try:
        done = subprocess.run(
            [*PROGRAM, *COMMANDS[command]],
            stdout=writing,
            stderr=subprocess.PIPE,
            env=environment,
            check=False,
            timeout=300,
        )
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


@pytest.mark.usefixtures("folder")
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_an_output_error(command: str, environment: dict[str, str]) -> None:
    done = shell(f"{line(COMMANDS[command])} > /dev/full", environment)
    assert (done.returncode, done.stdout) == (6, "")
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr


LOST = {
    **COMMANDS,
    "report": ("report", "data.pidreg"),
    "schema": ("schema", "config"),
    "roles": ("schema", "data.parquet"),
    "synth": ("synth", "--list"),
    "prepare": ("prepare", "data.parquet", "--dry-run"),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", LOST)
def test_a_result_is_not_lost_in_a_stdout_that_is_closed(command: str, environment: dict[str, str]) -> None:
    done = shell(f"{line(LOST[command])} >&-", environment)
    assert (done.returncode, done.stdout) == (6, "")
    assert done.stderr.startswith("error: the result goes to stdout, which is closed\nhint: ")


FILES = {
    "decompose": (*COMMANDS["decompose"], "-o", "{new}/out.json"),
    "check": (*COMMANDS["check"], "-o", "{new}/out.json"),
    "check -q": (*COMMANDS["check"], "-q"),
    "report": ("report", "data.pidreg", "-o", "{new}/out.html"),
    "synth": ("synth", "xor", "-o", "{new}/out.parquet", "--rows", "50"),
    "prepare": ("prepare", "data.parquet", "-o", "{new}/out.parquet"),
    "predict": ("predict", "data.pidreg", "data.parquet", "-o", "{new}/out.csv"),
    "fit": (
        *(
            "fit",
            "data.parquet",
            "-o",
            "{new}/out.pidreg",
            "--preset",
            "fast",
            "--folds",
            "2",
            "--threads",
            "1",
        ),
        *("--set", "stage1.max_epochs=1", "--set", "stage2.max_epochs=1"),
    ),
}


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("command", FILES)
def test_files_are_written_where_stdout_is_closed(
    command: str, environment: dict[str, str], tmp_path: Path
) -> None:
    arguments = [part.replace("{new}", str(tmp_path)) for part in FILES[command]]
    done = shell(f"{line(arguments)} >&-", environment)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    assert bool([*tmp_path.glob("out.*")]) == (command != "check -q")


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("requirement", "said"), [("total >= 0", ""), ("total >= 99", "failed\n"), ("totl >= 0", "failed\n")]
)
def test_a_shell_goes_on_after_a_check_by_what_it_found(
    requirement: str, said: str, environment: dict[str, str]
) -> None:
    check = line(("check", "data.pidreg", "--require", requirement))
    done = shell(f"{check} > check.txt || echo failed", environment)
    assert (done.returncode, done.stdout) == (0, said)
