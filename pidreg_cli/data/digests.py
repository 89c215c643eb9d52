"""SHA-256 of files: when asked for, or beside other work in a thread of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from os import SEEK_END
from threading import Event
from time import perf_counter

from pidreg_cli.data.remote import Place, open_bytes
from pidreg_cli.errors import DataError

READ_AT_ONCE = 2**23
"""Bytes of a file: few enough to stop soon, enough that the thread rarely has to wait for the interpreter, which other
work may keep for five milliseconds each time."""
LAST_SECONDS = 1.0
"""What is left of the last file waits where all threads are busy, if it takes no longer: beside what one thread alone
works on it takes no time. More would be waited for at the end."""
FEW_THREADS = 2
"""With more, one has nothing else to do."""


class Digests:
    """SHA-256 of each file in hexadecimal, in the order of ``paths``; computed once."""

    def __init__(self, paths: Sequence[Place]) -> None:
        self._paths = tuple(paths)
        self._found: Future[tuple[str, ...]] | None = None
        self._room = Event()
        self._room.set()

    @property
    def texts(self) -> tuple[str, ...]:
        """The digests, of which those that are being computed are waited for. Raises DataError where a file is gone."""
        self._room.set()
        if self._found is None:
            computed = self._computed(Event(), None)
            self._found = Future()
            self._found.set_result(computed)
        return self._found.result()

    @contextmanager
    def meanwhile(self, threads: int) -> Iterator[None]:
        """Compute beside the block, if there is a second of ``threads``; a block that fails does not wait for it."""
        if threads < 2 or self._found is not None:
            yield
            return
        stop, pool = Event(), ThreadPoolExecutor(1)
        self._found = pool.submit(self._computed, stop, self._room if threads <= FEW_THREADS else None)
        try:
            yield
        except BaseException:
            stop.set()
            self._found = None  # of half a file
            raise
        finally:
            self._room.set()
            pool.shutdown()

    @contextmanager
    def aside(self) -> Iterator[None]:
        """A block that keeps every thread busy: what takes little time after it waits. Such blocks are not nested."""
        try:
            self._room.clear()
            yield
        finally:
            self._room.set()

    def _computed(self, stop: Event, room: Event | None) -> tuple[str, ...]:
        last = len(self._paths) - 1
        return tuple(
            _digest(path, stop, room if place == last else None) for place, path in enumerate(self._paths)
        )


def _digest(path: Place, stop: Event, room: Event | None) -> str:
    """Of a file, or of its beginning where ``stop`` is set. Its last bytes wait while ``room``, if any, is not set."""
    found, piece = hashlib.sha256(), bytearray(READ_AT_ONCE)
    try:
        with open_bytes(path) as stream:
            size, done, begun = stream.seek(0, SEEK_END), 0, perf_counter()
            stream.seek(0)
            while not stop.is_set() and (length := stream.readinto(piece)):
                found.update(memoryview(piece)[:length])
                done += length
                spent = perf_counter() - begun
                if room is not None and (size - done) * spent <= LAST_SECONDS * done:
                    room.wait()
                    begun = perf_counter() - spent
    except OSError as error:
        raise DataError(
            "data.unreadable_file",
            f"'{path}' can no longer be read: {error.strerror or error}.",
            "Leave the files where they are until the command has ended.",
        ) from error
    return found.hexdigest()
