"""Fits by real processes of torchrun: one result, one voice, one end."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.errors import ExitStatus
from tests.cli.in_process import TINY, Ended

Torchrun = subprocess.Popen[str]

SECONDS = 900  # no command here takes a quarter of it, however busy the machine
SOON = 120  # after a process is lost: one that waited for it would wait for much longer
BITS, UNITS = 1e-4, 1e-3  # of atoms, and of predictions of a target that varies by 1


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, a configuration of two epochs a stage, and one of many."""
    folder = tmp_path_factory.mktemp("torchrun")
    table = folder / "table.parquet"
    assert Ended("synth", "mixed", "-o", table, "--rows", 600, "--seed", 1, "-q").status == 0
    (folder / "tiny.yaml").write_text(TINY)
    (folder / "long.yaml").write_text(TINY.replace("max_epochs: 2", "max_epochs: 12, patience: 12"))
    return folder


def command(folder: Path, run: str, *more: str, config: str = "tiny.yaml") -> list[str]:
    """A fit of the table."""
    paths = ["fit", folder / "table.parquet", "-o", folder / run, "--config", folder / config]
    return [*map(str, paths), *more]


@contextmanager
def started(
    size: int,
    *arguments: str,
    options: Sequence[str] = ("--standalone",),
    program: Sequence[str] = ("-m", "pidreg_cli"),
) -> Iterator[Torchrun]:
    """Processes of torchrun; none outlives the block."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", *options, "--nproc-per-node", str(size)]
    process = subprocess.Popen(
        [*torchrun, *program, *arguments],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=SECONDS)  # closes the pipes, too, where the block ended by an error


def ended(size: int, *arguments: str) -> tuple[int, str, str]:
    """Status of torchrun, and what its processes and it wrote."""
    with started(size, *arguments) as process:
        out, err = process.communicate(timeout=SECONDS)
        return process.returncode, out, err


def statuses(err: str) -> list[int]:
    """Of the processes, as torchrun lists them."""
    return [int(status) for status in re.findall(r"exitcode +: (-?\d+)", err)]


def told(err: str) -> list[str]:
    """What pidreg itself said."""
    return [line for line in err.splitlines() if re.match(r"(error|hint|note|warning): |{", line)]


def workers(torchrun: Torchrun) -> dict[int, int]:
    """Process ids by rank."""
    children = Path(f"/proc/{torchrun.pid}/task/{torchrun.pid}/children").read_text().split()
    found = {}
    for child in children:
        variables = Path(f"/proc/{child}/environ").read_text().split("\0")
        found |= {int(v.removeprefix("RANK=")): int(child) for v in variables if v.startswith("RANK=")}
    return found


def atoms(report: dict[str, Any]) -> list[float]:
    return [atom["value"] for atom in report["pid"]["atoms"]]


def check_same(folder: Path, run: str, other: str, units: float = UNITS) -> None:
    """Atoms and predictions of two runs agree."""
    reports = [json.loads((folder / name / "report.json").read_text()) for name in (run, other)]
    assert atoms(reports[0]) == pytest.approx(atoms(reports[1]), abs=BITS)
    first, second = (pq.read_table(folder / name / "heldout.parquet")["prediction"] for name in (run, other))
    assert np.abs(np.subtract(first.to_numpy(), second.to_numpy())).max() < units


def test_two_processes_fit_what_one_does(folder: Path) -> None:
    alone = Ended(*command(folder, "one", "--format", "json"))
    status, out, err = ended(2, *command(folder, "two", "--format", "json"))
    assert status == 0, err
    # One report, by one process.
    assert atoms(json.loads(out)) == pytest.approx(atoms(alone.report), abs=BITS)
    assert told(err).count(f"note: wrote {folder / 'two'}") == 1
    assert {path.name for path in (folder / "two").iterdir()} == {
        path.name for path in (folder / "one").iterdir()
    }
    check_same(folder, "one", "two")


def test_an_error_is_told_once_and_all_end_with_its_status(folder: Path) -> None:
    status, out, err = ended(2, *command(folder, "bad", "--target", "nope", "--format", "json"))
    assert (status, out) == (1, "")  # torchrun's own status; that of the processes is in its table
    assert statuses(err) == [ExitStatus.DATA] * 2
    error, _, as_json = told(err)
    assert error == "error: There is no column 'nope' in the table, though it is to be the target."
    assert json.loads(as_json)["error"]["code"] == "data.unknown_column"
    assert not list(folder.glob("bad*"))


@pytest.mark.slow
def test_what_only_the_writer_notices_ends_all(folder: Path) -> None:
    (folder / "there").mkdir(exist_ok=True)
    _, _, err = ended(2, *command(folder, "there"))
    assert statuses(err) == [ExitStatus.USAGE] * 2
    assert told(err)[0] == f"error: {folder / 'there'} already exists"


@pytest.mark.slow
def test_other_commands_are_for_one_process(folder: Path) -> None:
    _, _, err = ended(2, "decompose", str(folder / "table.parquet"), "--no-model")
    assert statuses(err) == [ExitStatus.USAGE] * 2
    error, hint = told(err)
    assert error == "error: decompose is work for one process, and 2 were started"
    assert "without torchrun" in hint


def wait_for_work(folder: Path, run: str) -> None:
    """Until there is something to continue."""
    end = time.monotonic() + SECONDS
    while not (folder / f"{run}.partial" / "checkpoints" / "checkpoint-0.safetensors").exists():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_when_one_is_killed_all_end_and_any_number_resumes(folder: Path, rank: int) -> None:
    run = f"killed{rank}"
    with started(2, *command(folder, run, config="long.yaml")) as torchrun:
        wait_for_work(folder, run)
        os.kill(workers(torchrun)[rank], signal.SIGKILL)
        out, err = torchrun.communicate(timeout=SOON)
    assert out == ""
    assert sorted(statuses(err)) == [-signal.SIGKILL, ExitStatus.TERMINATED]
    said = told(err)
    assert [line for line in said if line.startswith("error: ")] == said[:1]
    assert "another process of this fit ended before its time" in said[0]
    assert any("--resume" in line for line in said[1:])
    check_resumed(folder, run, size=2 - rank)


def check_resumed(folder: Path, run: str, size: int) -> None:
    """A run, continued by so many processes, is what one process makes without an interruption."""
    status, _, err = ended(size, *command(folder, run, "--resume", config="long.yaml"))
    assert status == 0, err
    assert "continuing" in told(err)[0]
    whole = f"{run}-whole"
    assert Ended(*command(folder, whole, config="long.yaml")).status == 0
    check_same(folder, run, whole)


SHORT = """
import sys

import torch
from pidreg_cli.__main__ import run
from pidreg_cli.training.model_fit import ModelFit

step = ModelFit._step


def failing(self, *given):
    if self.processes.rank == RANK and self.state.ledger.epoch == 2:
        raise torch.OutOfMemoryError("CUDA out of memory.")
    return step(self, *given)


ModelFit._step = failing
sys.exit(run())
"""


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
def test_when_the_memory_of_one_runs_out_all_end_and_are_told_what_to_do(folder: Path, rank: int) -> None:
    run, program = f"short{rank}", folder / f"short{rank}.py"
    program.write_text(SHORT.replace("RANK", str(rank)))
    with started(2, *command(folder, run, config="long.yaml"), program=[str(program)]) as torchrun:
        out, err = torchrun.communicate(timeout=SECONDS)
    assert (out, statuses(err)) == ("", [ExitStatus.DATA] * 2)
    [error] = [line for line in told(err) if line.startswith("error: ")]
    assert f"the device of process {rank} has no memory for its part of a batch of 32 rows" in error
    assert "--set training.batch_size=16 --set training.largest_batch=16" in err
    assert (folder / f"{run}.partial").exists()
    assert Ended(*command(folder, run, "--resume", config="long.yaml")).status == 0


@pytest.mark.slow
def test_torchrun_restarts_what_resumes(folder: Path) -> None:
    options = ["--standalone", "--max-restarts", "1"]
    fit = command(folder, "restarted", "--resume", config="long.yaml")
    with started(2, *fit, options=options) as torchrun:
        wait_for_work(folder, "restarted")
        os.kill(workers(torchrun)[1], signal.SIGKILL)
        _, err = torchrun.communicate(timeout=SECONDS)
    assert torchrun.returncode == 0, err
    assert any(line.startswith("note: continuing") for line in told(err))
    assert (folder / "restarted" / "report.json").exists()


def of_two_machines() -> list[str]:
    """What torchrun is given on each."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    return ["--nnodes", "2", "--rdzv-backend", "c10d", "--rdzv-endpoint", f"localhost:{port}"]


@pytest.mark.slow
@pytest.mark.parametrize("alike", [True, False])
def test_machines_meet_and_must_have_the_same_table(folder: Path, alike: bool) -> None:
    options = of_two_machines()
    run = f"nodes{alike}"
    first = command(folder, run)
    if not alike:
        assert Ended("synth", "mixed", "-o", folder / "other.parquet", "--rows", 600, "-q").status == 0
    second = first if alike else [first[0], str(folder / "other.parquet"), *first[2:]]
    with started(1, *first, options=options) as one, started(1, *second, options=options) as two:
        errors = [process.communicate(timeout=SECONDS)[1] for process in (one, two)]
    if alike:
        assert [one.returncode, two.returncode] == [0, 0], errors
        assert (folder / run / "report.json").exists()
    else:
        assert [statuses(err)[-1] for err in errors] == [ExitStatus.USAGE] * 2
        said = [line for err in errors for line in told(err) if line.startswith("error: ")]
        assert said == ["error: process 1 has another table than process 0; all must be given the same"]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A table of eight row groups that the configuration streams."""
    path = tmp_path / "table.parquet"
    assert Ended("synth", "mixed", "-o", path, "--rows", 150_000, "--seed", 1, "-q").status == 0
    pq.write_table(pq.read_table(path), path, row_group_size=20_000)
    (tmp_path / "tiny.yaml").write_text(TINY.replace("folds: 2", "folds: auto") + "memory: 800MB\n")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("row", [7, 149_999], ids=["of the first", "of the other"])
def test_rows_that_cannot_be_used_are_told_by_who_reads_them(large: Path, row: int) -> None:
    table = pq.read_table(large / "table.parquet")
    column = table["b__f0"].to_numpy().copy()
    column[row] = np.inf
    place = table.schema.get_field_index("b__f0")
    pq.write_table(
        table.set_column(place, "b__f0", pa.array(column)), large / "table.parquet", row_group_size=20_000
    )
    before = set(Path(tempfile.gettempdir()).glob("pidreg-*"))
    _, _, err = ended(2, *command(large, "broken"))
    assert statuses(err) == [ExitStatus.DATA] * 2
    [error] = [line for line in told(err) if line.startswith("error: ")]
    assert f"'b__f0' holds an infinite value in row {row} " in error
    assert not list(large.glob("broken.partial/rows/*"))
    assert set(Path(tempfile.gettempdir()).glob("pidreg-*")) <= before


@pytest.mark.slow
def test_two_processes_stream_what_one_does(large: Path) -> None:
    """Each deals its row groups to files of both, and both go through these in the same order."""
    tmp_path = large
    status, _, err = ended(2, *command(tmp_path, "two"))
    assert status == 0, err
    assert "streamed" in err
    assert Ended(*command(tmp_path, "one")).status == 0
    # Rounding is amplified by some thousand steps.
    check_same(tmp_path, "one", "two", 10 * UNITS)
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.slow
def test_machines_stream_what_one_process_does(large: Path) -> None:
    """Each deals all rows, and its processes share its files: two on the first machine, one on the second."""
    options, fit = of_two_machines(), command(large, "machines")
    with started(2, *fit, options=options) as one, started(1, *fit, options=options) as two:
        errors = [process.communicate(timeout=SECONDS)[1] for process in (one, two)]
    assert [one.returncode, two.returncode] == [0, 0], errors
    assert Ended(*command(large, "one")).status == 0
    check_same(large, "one", "machines", 10 * UNITS)


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1])
@pytest.mark.parametrize(
    "when", ["rows/*.rows", "checkpoints/checkpoint-0.safetensors"], ids=["deal", "train"]
)
def test_a_streamed_fit_whose_process_is_killed_ends_and_resumes(large: Path, rank: int, when: str) -> None:
    fit = command(large, "killed")
    with started(2, *fit) as torchrun:
        end = time.monotonic() + SECONDS
        while not any(large.glob(f"killed.partial/{when}")):
            assert time.monotonic() < end
            time.sleep(0.02)
        os.kill(workers(torchrun)[rank], signal.SIGKILL)
        _, err = torchrun.communicate(timeout=SOON)
    assert sorted(statuses(err)) == [-signal.SIGKILL, ExitStatus.TERMINATED]
    [error] = [line for line in told(err) if line.startswith("error: ")]
    assert "another process of this fit ended before its time" in error
    # By another number of processes than began it.
    status, _, err = ended(2 + rank, *fit, "--resume")
    assert status == 0, err
    assert Ended(*command(large, "one")).status == 0
    check_same(large, "one", "killed", 10 * UNITS)
    assert not any("rows" in path.name for path in (large / "killed").iterdir())
