"""Jobs side by side: the same results as one after the other, and no process, job or error that is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import psutil
import pytest

from pidreg_cli.errors import DataError, TrainingError
from pidreg_cli.training import workers as workers_module
from pidreg_cli.training import worthwhile
from pidreg_cli.training.progress import EpochRecord, Progress, Silent
from pidreg_cli.training.workers import KeptProcesses, Workers
from tests.training.conftest import FolderStore, linear_arrays
from tests.training.test_fit import files, fitted
from tests.training.test_model_choice import TREES, Noticing, steps

SECONDS = 300.0  # that a test waits for another process at most


@dataclass(frozen=True)
class Asked:
    """A job: tells ``epochs`` epochs, a notice, and returns its process."""

    name: str
    epochs: int = 1

    def __call__(self, progress: Progress) -> tuple[str, int]:
        progress.begin(self.name, self.epochs)
        for epoch in range(self.epochs):
            progress.epoch(EpochRecord(self.name, 1, epoch + 1, 0.0, 0.0))
        progress.finish()
        progress.notice(f"{self.name} ended")
        return self.name, os.getpid()


@dataclass(frozen=True)
class Endless:
    """A job that tells epochs until it is dropped, each by a byte more of a file."""

    path: Path

    def __call__(self, progress: Progress) -> None:
        while True:
            with self.path.open("ab") as file:
                file.write(b".")
            time.sleep(0.01)
            progress.epoch(EpochRecord("endless", 1, 1, 0.0, 0.0))


def refusing(progress: Progress) -> None:
    raise DataError("data.some", "it was refused", "give another")


def dying_within_the_answer(progress: Progress) -> bytes:
    """Half of the answer is in the pipe when its process is killed."""
    send = Connection._send  # type: ignore[attr-defined]

    def half(self: object, content: bytes, *more: object) -> None:
        if len(content) > 100_000:
            send(self, content[:60_000], *more)
            os.kill(os.getpid(), signal.SIGKILL)
        send(self, content, *more)

    Connection._send = half  # type: ignore[attr-defined]
    return bytes(1_000_000)


class NotHere:
    """Cannot be unpickled by a worker, which has another process."""

    def __init__(self) -> None:
        self.home = os.getpid()

    def __reduce__(self) -> tuple[object, tuple[int]]:
        return only_at, (self.home,)

    def __call__(self, progress: Progress) -> None:
        """Never reached."""


def only_at(home: int) -> NotHere:
    if os.getpid() != home:
        raise MemoryError
    return NotHere()


def dying(progress: Progress) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Unreadable:
    """Raises where it is unpickled."""

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return int, ("no number",)


def unreadable(progress: Progress) -> None:
    progress.notice(Unreadable())  # type: ignore[arg-type]
    for epoch in range(10_000):  # more than the pipe holds
        progress.epoch(EpochRecord("told on", 1, epoch + 1, 0.0, 0.0))


class Hearing(Silent):
    """Everything that one line of tasks tells, and the lines beside it."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.branches: list[Hearing] = []

    def branch(self) -> Progress:
        self.branches.append(Hearing())
        return self.branches[-1]

    def begin(self, task: str, epochs: int) -> None:
        self.heard.append(f"begin {task} {epochs}")

    def epoch(self, record: EpochRecord) -> None:
        self.heard.append(f"epoch {record.epoch}")

    def finish(self) -> None:
        self.heard.append("finish")

    def notice(self, text: str) -> None:
        self.heard.append(text)


def until(happened: object, what: str) -> None:
    """Wait for a condition (a callable)."""
    ends = time.monotonic() + SECONDS
    while not happened():  # type: ignore[operator]
        assert time.monotonic() < ends, f"waited in vain for {what}"
        time.sleep(0.02)


def test_each_job_has_a_listener_of_its_own_and_other_processes_do_it() -> None:
    progress = Hearing()
    with Workers(2, progress, 2) as workers:
        assert workers.several
        assert workers.spare == 1
        pending = [workers.start(Asked(name, 2)) for name in "xyz"]
        found = [job.result() for job in pending]
    assert [name for name, _ in found] == ["x", "y", "z"]
    assert os.getpid() not in {pid for _, pid in found}
    assert progress.heard == []
    for name, branch in zip("xyz", progress.branches, strict=True):
        assert branch.heard == [f"begin {name} 2", "epoch 1", "epoch 2", "finish", f"{name} ended"]


@pytest.mark.parametrize(("threads", "processes"), [(1, 5), (4, 1)])
def test_one_process_does_a_job_when_it_is_asked_for_and_once(threads: int, processes: int) -> None:
    progress = Hearing()
    with Workers(threads, progress, processes) as workers:
        wanted, other = workers.start(Asked("x")), workers.start(Asked("y"))
        assert workers.spare == threads
        assert progress.heard == []
        assert wanted.result() == wanted.result() == ("x", os.getpid())
        other.drop()
    assert progress.heard == ["begin x 1", "epoch 1", "finish", "x ended"]


def test_a_dropped_job_ends_after_its_epoch(tmp_path: Path) -> None:
    path = tmp_path / "told"
    with Workers(2, Silent(), 2) as workers:
        running = workers.start(Endless(path))
        until(path.exists, "the job")
        running.drop()
        assert workers.start(Asked("next")).result()[0] == "next"
        _ended(path)


def _ended(path: Path) -> None:
    """Wait until nothing writes to the file."""
    sizes = [path.stat().st_size]

    def still() -> bool:
        time.sleep(0.2)
        sizes.append(path.stat().st_size)
        return sizes[-1] == sizes[-2]

    until(still, "its end")


def test_what_a_job_raises_is_raised_as_it_was() -> None:
    with Workers(2, Silent(), 2) as workers:
        pending = workers.start(refusing)
        with pytest.raises(DataError, match="it was refused") as raised:
            pending.result()
    assert (raised.value.code, raised.value.hint) == ("data.some", "give another")


class Leaving(Silent):
    """A listener that is there for the first word alone, as a pipe that ``head`` reads."""

    def branch(self) -> Progress:
        return Leaving()

    def epoch(self, record: EpochRecord) -> None:
        raise BrokenPipeError


def test_what_a_listener_raises_ends_the_work(tmp_path: Path) -> None:
    # More than the queue holds: were it not emptied, the job would wait for ever.
    with Workers(2, Leaving(), 2) as workers:
        many = workers.start(Asked("x", 5000))
        endless = workers.start(Endless(tmp_path / "told"))
        for pending in (endless, many):
            with pytest.raises(BrokenPipeError):
                pending.result()


def test_a_message_that_cannot_be_read_ends_the_work_and_stops_no_process() -> None:
    with Workers(2, Silent(), 2) as workers, pytest.raises(ValueError, match="no number"):
        workers.start(unreadable).result()


def test_a_killed_process_is_an_error_with_a_remedy() -> None:
    with Workers(2, Silent(), 2) as workers:
        pending = workers.start(dying)
        with pytest.raises(TrainingError, match="was killed") as raised:
            pending.result()
    assert raised.value.code == "training.worker_lost"
    assert "--resume" in raised.value.hint


def dying_while_telling(_: object) -> None:
    """Killed with the lock held and a message half written."""
    telling, lock = workers_module._channel
    lock.acquire()
    os.write(telling.fileno(), (256).to_bytes(4, "big") + b"half")
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_within_its_answer_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with Workers(2, Silent(), 2) as workers:
        other = workers.start(Endless(tmp_path / "told"))
        broken = workers.start(dying_within_the_answer)
        for job in (broken, other):
            with pytest.raises(TrainingError, match="was killed") as caught:
                job.result()
            assert caught.value.code == "training.worker_lost"


def test_a_process_that_is_killed_within_its_answer_does_not_hold_up_the_end() -> None:
    with pytest.raises(ZeroDivisionError), Workers(2, Silent(), 2) as workers:
        wait_and_fail(workers)


def wait_and_fail(workers: Workers) -> None:
    workers.start(dying_within_the_answer)
    time.sleep(4)
    1 / 0  # noqa: B018


def test_a_job_that_no_worker_can_take_is_an_error_with_a_remedy() -> None:
    with Workers(2, Silent(), 2) as workers, pytest.raises(TrainingError, match="could not go on"):
        workers.start(NotHere()).result()


def test_a_process_that_is_killed_while_it_tells_does_not_hold_up_the_end() -> None:
    with Workers(2, Silent(), 2) as workers:
        pending = workers.start(dying_while_telling)
        with pytest.raises(TrainingError, match="was killed"):
            pending.result()


def test_kept_processes_do_the_jobs_of_several_fits_and_end_with_them() -> None:
    with KeptProcesses(Silent()) as kept:
        assert kept.count == 0
        found = [_round(kept, count) for count in (2, 3)]
        assert kept.count == 2
    both = found[0] | found[1]
    assert 1 <= len(both) <= 2
    assert os.getpid() not in both
    assert not any(psutil.pid_exists(pid) and _lives(psutil.Process(pid)) for pid in both)


def _round(kept: KeptProcesses, count: int) -> set[int]:
    """The processes that do three jobs of a fit."""
    with Workers(count, Silent(), count, kept) as workers:
        return {job.result()[1] for job in [workers.start(Asked(name)) for name in "xyz"]}


def test_a_process_that_is_killed_between_two_fits_is_an_error_with_a_remedy() -> None:
    with KeptProcesses(Silent()) as kept:
        _, only = kept.pool(1).start(Asked("x")).result()
        os.kill(only, signal.SIGKILL)
        until(lambda: not psutil.pid_exists(only), "its end")
        with pytest.raises(TrainingError, match="was killed") as raised:
            _round(kept, 2)
    assert raised.value.code == "training.worker_lost"


def test_an_error_ends_the_processes(tmp_path: Path) -> None:
    path = tmp_path / "told"

    def interrupted() -> None:
        with Workers(2, Silent(), 2) as workers:
            workers.start(Endless(path))
            until(path.exists, "the job")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    size = path.stat().st_size
    time.sleep(0.2)
    assert path.stat().st_size == size


ORPHANING = """
import sys
from pathlib import Path
from pidreg_cli.training.progress import Silent
from pidreg_cli.training.workers import KeptProcesses, Workers
from tests.training.test_workers import Endless

with Workers(2, Silent(), 2) as workers:
    workers.start(Endless(Path(sys.argv[1]))).result()
"""


def test_no_process_outlives_the_one_that_asked(tmp_path: Path) -> None:
    path = tmp_path / "told"
    with subprocess.Popen([sys.executable, "-c", ORPHANING, str(path)]) as asking:
        until(path.exists, "the job")
        others = psutil.Process(asking.pid).children(recursive=True)
        asking.kill()
    assert others
    until(lambda: not any(_lives(process) for process in others), "the end of the workers")


def _lives(process: psutil.Process) -> bool:
    return process.is_running() and process.status() != psutil.STATUS_ZOMBIE


@pytest.fixture
def side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes, however short the trainings are."""
    monkeypatch.setattr(worthwhile, "STEPS_WORTH_PROCESSES", 0)


def without_threads(found: tuple[str, str, bytes]) -> tuple[str, str, bytes]:
    """Files of a fit, less the number of threads that its report tells."""
    return found[0].replace('"threads": 2', '"threads": 1'), *found[1:]


@pytest.mark.usefixtures("side_by_side")
def test_networks_side_by_side_are_those_of_one_process(store: FolderStore) -> None:
    options = TREES | {"network__further": ["mlp"]}
    progress = Noticing()
    both = fitted(steps(), progress, store, threads=2, **options)
    assert "inputs of the encoders" in progress.notices[0]
    one = fitted(steps(), threads=1, **options)
    assert without_threads(files(both)) == files(one)
    assert both.outcome.histories == one.outcome.histories


@pytest.mark.usefixtures("side_by_side")
def test_folds_side_by_side_are_those_of_one_process(store: FolderStore) -> None:
    both = fitted(linear_arrays(), None, store, threads=2, folds=3)
    assert {path.name for path in store.folder.iterdir()} >= {f"fold-{i}.safetensors" for i in range(3)}
    assert without_threads(files(both)) == files(fitted(linear_arrays(), threads=1, folds=3))


@pytest.mark.usefixtures("side_by_side")
def test_processes_are_as_many_as_memory_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pidreg_cli.training.workers._Pool", None)
    monkeypatch.setattr(worthwhile, "PROCESS_BYTES", psutil.virtual_memory().total)
    assert fitted(linear_arrays(), threads=2, folds=2).report.threads == 2


def test_short_trainings_start_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pidreg_cli.training.workers._Pool", None)
    assert fitted(linear_arrays(), threads=2, folds=2).report.threads == 2
