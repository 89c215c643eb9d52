"""Trainings that do not need each other, side by side: each in a process of its own, with one thread.

A step of these networks is a hundred operations of some ten microseconds. Threads within an operation cost more than
they gain at that size, and threads of one process wait for each other's interpreter lock; processes do neither.
"""

from __future__ import annotations

import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import wait
from contextlib import ExitStack, contextmanager, suppress
from multiprocessing import resource_tracker
from pathlib import Path
from typing import Any, Protocol, Self, TypeVar

from loky.backend import get_context
from loky.backend import resource_tracker as loky_tracker
from loky.process_executor import BrokenProcessPool, ProcessPoolExecutor

from pidreg_cli.errors import TrainingError
from pidreg_cli.training.device import limited_threads
from pidreg_cli.training.progress import EpochRecord, Progress

R = TypeVar("R")
R_co = TypeVar("R_co", covariant=True)

Job = Callable[[Progress], R]
"""Work that tells a listener how it goes; for another process it must be picklable, and so must be its result."""
SAFE_PATH = {"PYTHONSAFEPATH": "1"}
"""Python looks for modules in no working directory: files there may be a stranger's, and named as a module is."""
HEARTBEAT = 1.0  # seconds between two looks whether asker, listener and workers are still there
LOST_FOR = 3  # such looks at a worker that was killed, until nobody is expected to notice any more


class Pending(Protocol[R_co]):
    """A job that was started."""

    def result(self) -> R_co:
        """What it returned, once it has; raises what it raised."""

    def drop(self) -> None:
        """Nobody will ask for the result: end it, soon if it runs."""


class Workers:
    """Up to ``processes`` jobs at the same time. With one, a job is done when its result is asked for, in this process.

    ``threads``: that this process and the others may use together. A context: processes that still work when it ends
    are killed, but for those that are ``kept`` for more. Should this process die, they end within seconds.
    """

    def __init__(
        self, threads: int, progress: Progress, processes: int = 1, kept: KeptProcesses | None = None
    ) -> None:
        self.threads, self.progress, self.processes = threads, progress, min(threads, processes)
        self._stack = ExitStack()
        self._processes = self._stack.enter_context(KeptProcesses(progress)) if kept is None else kept

    def __enter__(self) -> Self:
        """Processes start with the first job."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self._stack.close()

    @property
    def several(self) -> bool:
        """Whether jobs are done beside what this process does."""
        return self.processes > 1

    @property
    def spare(self) -> int:
        """Threads that this process may use while a job is done beside it."""
        return self.threads - self.several

    def start(self, job: Job[R]) -> Pending[R]:
        """Begin ``job``, in the order of the calls. Its result raises TrainingError where its process was killed."""
        if not self.several:
            return _Later(job, self.progress)
        return self._processes.pool(self.processes).start(job)


class KeptProcesses:
    """Processes of fits that follow one another: begun by the first that needs some, killed when the context ends.

    The start of a process takes as long as many a training: two seconds, most of them for libraries.
    """

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._pool: _Pool | None = None
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """None is needed yet."""
        return self

    def __exit__(self, *_: object) -> None:
        """End them."""
        self._stack.close()

    @property
    def count(self) -> int:
        """Of processes that were begun."""
        return 0 if self._pool is None else self._pool.count

    def pool(self, count: int) -> _Pool:
        """Those that there are, else so many new ones."""
        if self._pool is None:
            self._pool = self._stack.enter_context(_Pool(count, self._progress))
        return self._pool


class _Later(Pending[R]):
    """A job of this process."""

    def __init__(self, job: Job[R], progress: Progress) -> None:
        self._job: Job[R] | None = job
        self._progress = progress
        self._found: list[R] = []

    def result(self) -> R:
        """Done at the first call."""
        if self._job is not None:
            self._found.append(self._job(self._progress))
            self._job = None  # which holds the rows that it was for
        return self._found[0]

    def drop(self) -> None:
        """It never began."""


class _Pool:
    """Processes, the pipe on which they tell how jobs go, and the folder in which jobs are marked as dropped."""

    def __init__(self, count: int, progress: Progress) -> None:
        self.count = count
        _start_trackers()
        context = get_context("loky")
        self._hearing, self._telling = context.Pipe(duplex=False)
        self._progress, self._listeners = progress, dict[int, Progress]()
        self._unheard: list[BaseException] = []
        self._folder = tempfile.TemporaryDirectory(prefix="pidreg-")
        self._pool = ProcessPoolExecutor(
            count,
            context=context,
            initializer=_prepare,
            initargs=(self._telling, context.Lock(), os.getpid()),
            env={"OMP_NUM_THREADS": "1", **SAFE_PATH},
        )
        self._ear = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._ear.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._lost():
            self._end_answers()
        self._pool.shutdown(kill_workers=True)
        # The end of the pipe ends the listening. A last message would not: who is killed while telling keeps the lock.
        self._telling.close()
        self._ear.join()
        self._hearing.close()
        self._folder.cleanup()

    def start(self, job: Job[R]) -> Pending[R]:
        """Queue ``job``. Raises TrainingError where a process was killed before."""
        number = len(self._listeners)
        self._listeners[number] = self._progress.branch()
        mark = Path(self._folder.name) / str(number)
        with _telling_of_a_loss():
            future = self._pool.submit(_perform, job, number, mark)
        return _Elsewhere(future, mark, self._unheard, self._end_if_lost)

    def _lost(self) -> bool:
        """Whether a worker was killed."""
        workers = list((self._pool._processes or {}).values())
        return any(worker.exitcode not in (None, 0) for worker in workers)

    def _end_if_lost(self, looks: int) -> int:
        """How often in a row a killed worker was seen; after some looks all jobs are ended by its loss.

        One that is killed within its answer leaves half of it in a pipe that this process, too, could write to: who
        reads it waits for the rest for ever. Without writers the pipe ends.
        """
        looks = looks + 1 if self._lost() else 0
        if looks == LOST_FOR:
            self._end_answers()
        return looks

    def _end_answers(self) -> None:
        for worker in list((self._pool._processes or {}).values()):
            with suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
        self._pool._result_queue._writer.close()

    def _listen(self) -> None:
        """Hear to the end, also what nobody can be told any more: a full queue would stop the processes."""
        while True:
            try:
                message = self._hearing.recv()
            except (EOFError, OSError):
                # The end of the pipe, also within a message, where its process was killed.
                return
            except Exception as error:
                # A whole message, which says nothing here: for whoever waits for a result.
                self._unheard.append(error)
            else:
                self._hear(*message)

    def _hear(self, number: int, name: str, values: tuple[object, ...]) -> None:
        if self._unheard:
            return
        try:
            getattr(self._listeners[number], name)(*values)
        except BaseException as error:
            # A closed pipe, say: for whoever waits for a result.
            self._unheard.append(error)


def _start_trackers() -> None:
    """Processes that outlive this one to remove its semaphores; they would start by themselves, less safely."""
    with _variables(SAFE_PATH):
        resource_tracker.ensure_running()
        loky_tracker.ensure_running()


@contextmanager
def _variables(values: Mapping[str, str]) -> Iterator[None]:
    """Of processes that start within the block."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class _Elsewhere(Pending[R]):
    """A job of another process. ``unheard``: why its listener fails, once it does. ``look``: from looks at a killed
    worker to those with the next.
    """

    def __init__(
        self, future: Any, mark: Path, unheard: Sequence[BaseException], look: Callable[[int], int]
    ) -> None:
        self._future, self._mark, self._unheard, self._look = future, mark, unheard, look

    def result(self) -> R:
        """Waits for it. Raises, soon, what its listener raised, and TrainingError where a worker was killed."""
        looks = 0
        while not wait([self._future], timeout=HEARTBEAT).done:
            self._check_heard()
            looks = self._look(looks)
        self._check_heard()
        with _telling_of_a_loss():
            found: R = self._future.result()
        return found

    def _check_heard(self) -> None:
        if self._unheard:
            raise self._unheard[0]

    def drop(self) -> None:
        """Taken from the queue, or ended after its epoch."""
        if not self._future.cancel():
            self._mark.touch()


@contextmanager
def _telling_of_a_loss() -> Iterator[None]:
    try:
        yield
    except BrokenProcessPool as error:
        raise TrainingError(
            "training.worker_lost",
            "a process that trained a network was killed or could not go on, perhaps for want of memory",
            "continue with --resume, and with --threads 1 if memory is short",
        ) from error


class _DroppedError(Exception):
    """Nobody waits for this job."""


_channel: Any = None
"""Of the process of a worker: the pipe on which it tells how its jobs go, and the lock of those who do."""


def _prepare(telling: Any, lock: Any, parent: int) -> None:
    """A process starts: it does not work for a parent that died."""
    global _channel
    _channel = telling, lock
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(HEARTBEAT)
    os._exit(1)


def _perform(job: Job[R], number: int, mark: Path) -> R | None:
    with suppress(_DroppedError), limited_threads(1):
        return job(_Telling(number, mark))
    return None


class _Telling:
    """The listener of a job in a worker: passes everything on to the process that asked."""

    def __init__(self, number: int, mark: Path) -> None:
        self._number, self._mark = number, mark

    def branch(self) -> Progress:
        """A worker does one thing at a time."""
        return self

    def begin(self, task: str, epochs: int) -> None:
        """Pass on."""
        self._tell("begin", task, epochs)

    def epoch(self, record: EpochRecord) -> None:
        """Pass on, unless nobody waits any more."""
        if self._mark.exists():
            self._tell("finish")
            raise _DroppedError
        self._tell("epoch", record)

    def finish(self) -> None:
        """Pass on."""
        self._tell("finish")

    def notice(self, text: str) -> None:
        """Pass on."""
        self._tell("notice", text)

    def warning(self, text: str) -> None:
        """Pass on."""
        self._tell("warning", text)

    def _tell(self, name: str, *values: object) -> None:
        telling, lock = _channel
        with lock:
            telling.send((self._number, name, values))
