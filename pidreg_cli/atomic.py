"""Files that are there wholly or not at all: written under a temporary name, flushed to the disk, renamed."""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pidreg_cli.errors import OutputError, UsageError

PART = ".part"
"""How names of temporary files end."""


def refuse_odd_file(path: Path) -> None:
    """Raise UsageError where ``path`` is a link, a device or a pipe: a rename would put a file in its place."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if stat.S_ISLNK(mode):
        raise UsageError(
            "output.is_link",
            f"{path} is a symbolic link, and outputs do not follow links",
            f"give the file it leads to: {path.readlink()}",
        )
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UsageError(
            "output.no_file",
            f"{path} is a device or a pipe, not a file that can be replaced",
            "give the name of a file",
        )


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path beside ``path`` to write to; it takes the place of ``path`` when the block ends well.

    Raises:
        UsageError: ``path`` is a link, a device or a pipe.
        OutputError: the file could not be written; ``path`` is then as it was.
    """
    refuse_odd_file(path)
    # Nobody can know the name before, and lay a link in its place; nor do two processes write to one.
    part = path.with_name(f".{path.name[:40]}.{secrets.token_hex(6)}{PART}")
    with writing(path):
        part.touch(exist_ok=False)
        try:
            yield part
            _flush(part)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)


def atomic_write_bytes(path: Path, content: bytes) -> None:
    """Write a file, or raise OutputError and leave what was there."""
    with replacing(path) as part:
        part.write_bytes(content)


def atomic_write_text(path: Path, content: str) -> None:
    """Write a UTF-8 file with the line ends as given, or raise OutputError and leave what was there."""
    atomic_write_bytes(path, content.encode("utf-8"))


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn a failure of the operating system within the block into OutputError about ``path``."""
    try:
        yield
    except OSError as error:
        raise OutputError(
            "output.not_written",
            f"{path} could not be written: {error.strerror or error}",
            "check that the folder exists, that you may write there and that the disk is not full",
        ) from error


def _flush(path: Path) -> None:
    """Have the content on the disk before the name changes, so that a power cut leaves no empty file."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
