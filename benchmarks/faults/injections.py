"""The faults, injected for real: each a function from a workshop, a command and numbers to a row of the table."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.faults import forked
from benchmarks.faults.subjects import Digests, Subject, Workshop, digests, left

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.link", "os.symlink")
MEGABYTE = 2**20
ROOMY = 64 * MEGABYTE


@dataclass
class Row:
    """A line of the table. ``faults``: what must not be, with a word on each."""

    fault: str
    command: str
    how: str
    expected: tuple[int, ...]
    times: int = 0
    missed: int = 0
    endings: Counter[int] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    same: int = 0
    faults: list[str] = field(default_factory=list)

    def note(self, ended: forked.Ended, found: str) -> None:
        """Count an attempt in which the fault struck."""
        self.times += 1
        self.endings[ended.status] += 1
        self.left[found] += 1
        if found == "broken":
            self.faults.append("parts under the final name")
        if not ended.clean:
            self.faults.append(ended.err.strip().splitlines()[0])
        if ended.status not in self.expected:
            self.faults.append(f"ended with {ended.status}: {ended.err[:200]!r}")

    def close(self, same: bool, ended: forked.Ended) -> None:
        """Count whether the next attempt came to the numbers of an unbroken run."""
        self.same += same
        if not same:
            self.faults.append(f"other numbers, status {ended.status}: {ended.err[:300]!r}")


@dataclass
class Trial:
    """One attempt: a folder, with an old result in it where ``old``."""

    shop: Workshop
    subject: Subject
    place: Path
    old: bool = False

    def __post_init__(self) -> None:
        self.whole, self.seconds = self.shop.whole(self.subject)
        self.before: Digests = {}
        if self.old:
            for name in self.subject.outputs:
                _old_result(self.shop, self.place / name)
            self.before = digests(self.place, self.subject)

    @property
    def line(self) -> list[str]:
        """The command; over an old result by force."""
        return [*self.shop.line(self.subject), *(["--force"] if self.old else [])]

    def left(self) -> str:
        """What is there now."""
        return left(self.place, self.subject, self.whole, self.before)

    def finish(self, row: Row) -> None:
        """Try again without a fault, and compare."""
        if self.left() == "the whole result" and self.subject.again != ("--resume",):
            row.close(same=True, ended=forked.Ended(0, 0.0, ""))
            return
        again = [*self.shop.line(self.subject, resume=True), *(["--force"] if self.old else [])]
        ended = forked.run(again, self.place, self.shop.logs)
        complete = ended.status == 0 or (ended.status == 2 and "already exists" in ended.err)
        tidy = {path.name for path in self.place.rglob("*") if path.name.startswith(".")} == set()
        # A temporary file of a killed process stays where the output is no folder of its own.
        tidy = tidy or self.subject.again != ("--resume",)
        same = digests(self.place, self.subject) == self.whole
        row.close(complete and tidy and same and ended.clean, ended)


def _old_result(shop: Workshop, path: Path) -> None:
    if path.suffix == ".pidreg":
        shutil.copytree(shop.inputs / "run.pidreg", path)
        (path / "report.md").write_text("old", encoding="utf-8")
    else:
        path.write_text("old", encoding="utf-8")


@contextlib.contextmanager
def trial(shop: Workshop, subject: Subject, *, old: bool = False) -> Iterator[Trial]:
    """An attempt in a folder that goes afterwards."""
    place = shop.attempt()
    try:
        yield Trial(shop, subject, place, old)
    finally:
        shutil.rmtree(place)


def signals(
    shop: Workshop, subject: Subject, times: int, number: int, expected: tuple[int, ...], name: str
) -> Row:
    """A signal at ``times`` moments spread evenly over the command; one that had ended before does not count."""
    row = Row(name, subject.name, "a signal at moments spread over the command", expected)
    whole = shop.whole(subject)[1]
    moment = 0
    while row.times < times and moment < 3 * times:
        # Steps of the golden ratio fill the time evenly however many of them strike.
        share = moment * 0.618034 % 1
        moment += 1
        with trial(shop, subject) as one:
            child = _started(one)
            time.sleep(share * whole)
            child.signal(number)
            ended = child.wait()
            if ended.status == 0:
                # The machine has become faster since: what is spread over is the time that it takes now.
                row.missed, whole = row.missed + 1, min(whole, ended.seconds)
                continue
            row.note(ended, one.left())
            one.finish(row)
    return row


def _started(one: Trial) -> forked.Child:
    """The command once its process is there and listens to signals."""
    reader, writer = os.pipe()
    child = forked.start(one.line, one.place, one.shop.logs, lambda: os.close(writer))
    os.close(writer)
    os.read(reader, 1)
    os.close(reader)
    time.sleep(0.01)
    return child


def chained_kills(shop: Workshop, subject: Subject, chains: int) -> Row:
    """The same run killed again and again, each time a little later, until it ends."""
    row = Row(
        "kill -9, chained", subject.name, "the same run killed and resumed until it ends", (-signal.SIGKILL,)
    )
    for chain in range(chains):
        with trial(shop, subject) as one:
            wait = one.seconds * (0.1 + 0.05 * chain)
            while True:
                child = forked.start([*one.line, "--resume"], one.place, shop.logs)
                time.sleep(wait)
                child.signal(signal.SIGKILL)
                ended = child.wait()
                if ended.status != -signal.SIGKILL:
                    break
                row.note(ended, one.left())
                wait *= 1.15
            one.finish(row)
    return row


class Countdown:
    """Kills this process just before the n-th time it changes a file, a name or a folder; 0: counts only."""

    def __init__(self, place: Path, number: int, report: Path | None = None) -> None:
        self.place, self.number, self.report, self.seen = str(place), number, report, 0

    def __call__(self) -> None:
        """Listen from now on."""
        sys.addaudithook(self._hear)

    def _hear(self, event: str, details: tuple[object, ...]) -> None:
        if event not in CHANGES and not (event == "open" and _writes(details)):
            return
        if event == "open" and (isinstance(details[0], int) or not self._here(details[0])):
            return
        self.seen += 1
        if self.report is not None:
            descriptor = os.open(self.report, os.O_WRONLY | os.O_CREAT)
            os.write(descriptor, str(self.seen).encode())
            os.close(descriptor)
        if self.seen == self.number:
            os.kill(os.getpid(), signal.SIGKILL)

    def _here(self, path: object) -> bool:
        return os.path.abspath(os.fsdecode(path)).startswith(self.place)  # type: ignore[arg-type]  # noqa: PTH100


def _writes(details: tuple[object, ...]) -> bool:
    flags = details[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def killed_at_changes(shop: Workshop, subject: Subject, most: int, old: bool) -> Row:
    """kill -9 just before each change of a file, a name or a folder, or ``most`` of them spread over all."""
    how = "just before each change of a file, name or folder" + ", over an old result" * old
    row = Row("kill -9", subject.name, how, (-signal.SIGKILL,))
    count = _changes(shop, subject, old)
    for number in sorted({1 + k * count // min(most, count) for k in range(min(most, count))}):
        with trial(shop, subject, old=old) as one:
            ended = forked.run(one.line, one.place, shop.logs, Countdown(one.place, number))
            row.note(ended, one.left())
            one.finish(row)
    return row


def _changes(shop: Workshop, subject: Subject, old: bool) -> int:
    report = shop.folder / "changes"
    with trial(shop, subject, old=old) as one:
        forked.run(one.line, one.place, shop.logs, Countdown(one.place, 0, report))
    count = int(report.read_text())
    report.unlink()
    return count


def full_disk(shop: Workshop, subject: Subject, times: int) -> Row:
    """A small tmpfs of sizes up to what the command needs; then it grows, and the command is tried again."""
    row = Row("full disk", subject.name, "tmpfs too small by every amount", (6,))
    need = _peak(shop, subject)
    for k in range(times):
        with trial(shop, subject) as one, _small_disk(one.place, 4096 + (need - 4096) * k // times):
            ended = forked.run(one.line, one.place, shop.logs)
            if ended.status == 0:
                row.missed += 1
                continue
            row.note(ended, one.left())
            subprocess.run(["mount", "-o", f"remount,size={ROOMY}", one.place], check=True)
            one.finish(row)
    return row


@contextlib.contextmanager
def _small_disk(place: Path, size: int) -> Iterator[None]:
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", place], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", place], check=True)


def _peak(shop: Workshop, subject: Subject) -> int:
    """Most bytes of disk that the command ever uses."""
    most = 0
    with trial(shop, subject) as one, _small_disk(one.place, ROOMY):
        child = forked.start(one.line, one.place, shop.logs)
        while os.waitpid(child.pid, os.WNOHANG) == (0, 0):
            disk = os.statvfs(one.place)
            most = max(most, (disk.f_blocks - disk.f_bfree) * disk.f_frsize)
            time.sleep(0.001)
        disk = os.statvfs(one.place)
        return max(most, (disk.f_blocks - disk.f_bfree) * disk.f_frsize)


def limited(
    shop: Workshop,
    subject: Subject,
    sizes: list[int],
    prepare: Callable[[int], forked.Preparation],
    row: Row,
) -> Row:
    """A limit of the system on the process, in ``sizes``; one that the command kept within does not count."""
    for size in sizes:
        with trial(shop, subject) as one:
            ended = forked.run(one.line, one.place, shop.logs, prepare(size))
            if ended.status == 0:
                row.missed += 1
                continue
            row.note(ended, one.left())
            one.finish(row)
    return row


def file_size(shop: Workshop, subject: Subject, times: int) -> Row:
    """No file may grow beyond a size: as a quota."""
    row = Row("file size limit", subject.name, "RLIMIT_FSIZE from 512 bytes upwards", (6,))
    sizes = [int(512 * 1.6**k) for k in range(times)]

    def prepare(size: int) -> forked.Preparation:
        return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    return limited(shop, subject, sizes, prepare, row)


def memory(shop: Workshop, subject: Subject, times: int) -> Row:
    """No more memory than the process has plus a little."""
    # Where not even the C library gets memory it ends the process by itself: the state must survive that too.
    expected = (3, 127, -signal.SIGABRT, -signal.SIGSEGV)
    row = Row("out of memory", subject.name, "RLIMIT_AS of what it has and 0.25 MB upwards", expected)
    sizes = [int(0.25 * MEGABYTE * 1.6**k) for k in range(times)]
    return limited(shop, subject, sizes, lambda size: lambda: _limit_memory(size), row)


def _limit_memory(more: int) -> None:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    now = pages * resource.getpagesize() + more
    resource.setrlimit(resource.RLIMIT_AS, (now, now))


def closed_pipe(shop: Workshop, subject: Subject, times: int) -> Row:
    """The reader of stdout leaves before the command starts, or after some bytes."""
    row = Row("closed pipe", subject.name, "the reader of stdout leaves after 0, 1, 2, ... bytes", (0, 141))
    for bytes_read in range(times):
        with trial(shop, subject) as one:
            reader, writer = os.pipe()
            if not bytes_read:
                os.close(reader)
            child = forked.start(shop.filled(subject.streams), one.place, shop.logs, None, writer)
            os.close(writer)
            if bytes_read:
                os.read(reader, bytes_read)
                os.close(reader)
            ended = child.wait()
            row.note(ended, one.left())
            one.finish(row)
    return row


def truncated(shop: Workshop, subject: Subject, times: int) -> Row:
    """Each input cut at places from its start to one byte before its end, where text ends before its last newline."""
    row = Row(
        "truncated input", subject.name, f"{', '.join(Path(f).name for f in subject.files)} cut short", (3, 4)
    )
    for file in subject.files:
        for k in range(times):
            with trial(shop, subject) as one:
                inputs = shop.copied_inputs(one.place)
                content = (inputs / file).read_bytes().rstrip(b"\n")
                (inputs / file).write_bytes(content[: (len(content) - 1) * k // (times - 1)])
                ended = forked.run(shop.line(subject, inputs=inputs), one.place, shop.logs)
                row.note(ended, one.left())
                one.finish(row)
    return row


def two_at_once(shop: Workshop, subject: Subject, times: int) -> Row:
    """A second process on the same output, at moments spread over the first; and both on an unfinished run."""
    row = Row("two processes", subject.name, "a second one on the same output", (0, 2))
    for k in range(times):
        with trial(shop, subject) as one:
            first = forked.start(one.line, one.place, shop.logs)
            time.sleep(one.seconds * k / times)
            second = forked.start(shop.line(subject, resume=k % 2 == 1), one.place, shop.logs)
            ended = [first.wait(), second.wait()]
            for one_end in ended:
                row.note(one_end, one.left())
            if all(end.status for end in ended):
                row.faults.append("neither of two processes succeeded")
            one.finish(row)
    return row


def installed_command(shop: Workshop, subject: Subject, times: int) -> Row:
    """kill -9 of the installed command in a fresh interpreter, at moments spread over it."""
    row = Row("kill -9", subject.name, "the installed command, imports included", (-signal.SIGKILL,))
    program = [sys.executable, "-m", "pidreg_cli"]
    start = time.monotonic()
    with trial(shop, subject) as one:
        subprocess.run([*program, *one.line], cwd=one.place, check=True, stderr=subprocess.DEVNULL)
    seconds = time.monotonic() - start
    for k in range(times):
        with trial(shop, subject) as one:
            process = subprocess.Popen([*program, *one.line], cwd=one.place, stderr=subprocess.DEVNULL)
            time.sleep(seconds * (k + 0.5) / times)
            process.kill()
            status = process.wait()
            if status == 0:
                row.missed += 1
                continue
            row.note(forked.Ended(status, 0.0, ""), one.left())
            one.finish(row)
    return row
