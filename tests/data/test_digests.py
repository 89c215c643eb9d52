"""SHA-256 of files, beside other work."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable
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


def test_the_last_bytes_wait_where_all_threads_are_busy(
    files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those before them do not: at the end they would be waited for."""
    monkeypatch.setattr(digests, "LEFT", READ_AT_ONCE)
    monkeypatch.setattr(digests, "READ_AT_ONCE", READ_AT_ONCE // 4)
    read: list[int] = []

    def followed(path: Path) -> BufferedReader:
        stream = open_bytes(path)
        if path == files[-1]:
            monkeypatch.setattr(stream, "readinto", follow(stream.readinto))
        return stream

    def follow(readinto: Callable[[bytearray], int]) -> Callable[[bytearray], int]:
        return lambda piece: read.append(readinto(piece)) or read[-1]

    monkeypatch.setattr(digests, "open_bytes", followed)
    found = Digests(files)
    with found.meanwhile(2):
        with found.aside():
            time.sleep(0.2)
            early = sum(read)
            assert 0 < files[-1].stat().st_size - early <= READ_AT_ONCE
        assert found.texts[-1] == hashlib.sha256(files[-1].read_bytes()).hexdigest()


def test_who_asks_within_a_busy_block_does_not_wait_for_its_end(files: list[Path]) -> None:
    found = Digests(files)
    with found.meanwhile(2), found.aside():
        assert found.texts[1] == hashlib.sha256(b"a,b").hexdigest()


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
