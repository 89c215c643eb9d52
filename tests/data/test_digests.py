"""SHA-256 of files, beside other work."""

from __future__ import annotations

import hashlib
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BufferedReader
from pathlib import Path

import pytest

from pidreg_cli.data import digests
from pidreg_cli.data.digests import READ_AT_ONCE, Digests
from pidreg_cli.data.remote import open_bytes
from pidreg_cli.errors import DataError


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Files of no byte, of some, and of more than are read at once."""
    contents = [b"", b"a,b", b"0123456789" * (READ_AT_ONCE // 4)]
    paths = [tmp_path / str(place) for place in range(len(contents))]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content)
    return paths


@pytest.mark.parametrize("threads", [1, 2])
def test_digests_are_those_of_the_contents(files: list[Path], threads: int) -> None:
    found = Digests(files)

    with found.meanwhile(threads):
        pass

    assert found.texts == tuple(hashlib.sha256(path.read_bytes()).hexdigest() for path in files)


@pytest.mark.parametrize("threads", [1, 2])
def test_a_file_that_is_gone_is_a_matter_of_the_data(files: list[Path], threads: int) -> None:
    found = Digests(files)
    files[1].unlink()
    with found.meanwhile(threads):
        pass
    with pytest.raises(DataError, match="can no longer be read") as caught:
        _ = found.texts
    assert caught.value.code == "data.unreadable_file"


def test_they_are_computed_beside_the_block_where_there_is_a_second_thread(files: list[Path]) -> None:
    found = Digests(files)

    with found.meanwhile(2):
        names = [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()]
        assert any(name.startswith("ThreadPoolExecutor") for name in names)
        inside = found.texts

    for path in files:
        path.unlink()
    assert found.texts == inside  # computed once


class Followed:
    """Reads a file as ``open_bytes`` does, not before ``begin``; ``read`` are the bytes that were."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, path: Path, enough: int) -> None:
        self.begin, self.reached, self.read = threading.Event(), threading.Event(), 0
        self._monkeypatch, self._path, self._enough = monkeypatch, path, enough
        monkeypatch.setattr(digests, "open_bytes", self.open)

    def open(self, path: Path) -> BufferedReader:
        assert self.begin.wait(30)
        stream = open_bytes(path)
        if path == self._path:
            self._monkeypatch.setattr(stream, "readinto", self._following(stream.readinto))
        return stream

    def _following(self, readinto: Callable[[bytearray], int]) -> Callable[[bytearray], int]:
        def followed(piece: bytearray) -> int:
            length = readinto(piece)
            self.read += length
            if self.read >= self._enough:
                self.reached.set()
            return length

        return followed


def test_the_last_bytes_wait_where_all_threads_are_busy(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before them do not: at the end they would be waited for."""
    monkeypatch.setattr(digests, "READ_AT_ONCE", READ_AT_ONCE // 4)
    # Half a file is left after as long as the other half took.
    monkeypatch.setattr(digests, "perf_counter", (float(n) for n in itertools.count()).__next__)
    monkeypatch.setattr(digests, "LAST_SECONDS", 3.0)
    size = files[-1].stat().st_size
    found, followed = Digests(files), Followed(monkeypatch, files[-1], size // 2)
    with found.meanwhile(2):
        with found.aside():
            followed.begin.set()
            assert followed.reached.wait(30)
            time.sleep(0.05)  # in which a thread that did not wait would go on
            assert followed.read < size
        assert found.texts[-1] == hashlib.sha256(files[-1].read_bytes()).hexdigest()
    assert followed.read == size


def test_with_more_threads_none_waits(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(digests, "LAST_SECONDS", 1e9)
    followed = Followed(monkeypatch, files[-1], files[-1].stat().st_size)
    found = Digests(files)
    with found.meanwhile(3), found.aside():
        followed.begin.set()
        assert followed.reached.wait(30)


@pytest.mark.parametrize("inner", ["asked", "left", "broken"])
def test_who_waits_for_the_digests_does_not_wait_for_a_busy_block(files: list[Path], inner: str) -> None:
    """Whether they are asked for within it, or the block beside which they are computed ends before it does."""
    found = Digests(files)

    def work() -> None:
        with found.aside(), found.meanwhile(2):
            if inner == "asked":
                assert found.texts[1] == hashlib.sha256(b"a,b").hexdigest()
            if inner == "broken":
                raise RuntimeError

    with ThreadPoolExecutor(1) as pool:
        begun = pool.submit(work)
        error = begun.exception(30)
    assert isinstance(error, RuntimeError) == (inner == "broken")


def test_a_file_that_is_gone_is_told_as_often_as_it_is_asked_for(files: list[Path]) -> None:
    found = Digests(files)
    files[0].unlink()
    for _ in range(2):
        with pytest.raises(DataError, match="can no longer be read"):
            _ = found.texts


def test_no_files_have_no_digests() -> None:
    assert Digests([]).texts == ()


def test_a_block_that_fails_does_not_wait_for_the_rest(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, read = threading.Event(), []

    class Endless:
        """A stream without end."""

        def __enter__(self) -> Endless:
            return self

        def __exit__(self, *_: object) -> None: ...

        def seek(self, *_: int) -> int:
            return 0

        def readinto(self, piece: bytearray) -> int:
            read.append(len(piece))
            begun.set()
            return len(piece)

    monkeypatch.setattr(digests, "open_bytes", lambda _: Endless())
    found = Digests(files)

    def fail() -> None:
        with found.meanwhile(2):
            begun.wait(30)
            raise RuntimeError("no such column")

    with pytest.raises(RuntimeError, match="no such column"):
        fail()

    assert read
    monkeypatch.setattr(digests, "open_bytes", open_bytes)
    assert found.texts[1] == hashlib.sha256(b"a,b").hexdigest()  # not of what was read until then
