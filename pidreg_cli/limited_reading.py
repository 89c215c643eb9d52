"""Files that may come from anybody, read up to a size: a link to an endless device must not fill the memory."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

PIECE = 2**20


def limited_bytes(path: Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes. Raises ValueError for a larger one, and OSError."""
    with path.open("rb") as file:
        return limited_stream(file, most)


def limited_stream(stream: BinaryIO, most: int) -> bytes:
    """What is left of a stream, at most ``most`` bytes. Raises ValueError where there is more, and OSError."""
    parts = []
    left = most + 1
    # By pieces: a stream asked for more than it has takes the memory for all of it first.
    while left and (part := stream.read(min(left, PIECE))):
        parts.append(part)
        left -= len(part)
    if not left:
        raise ValueError(f"it is larger than {most:,} bytes")
    return b"".join(parts)


def refuse_special_file(path: Path) -> None:
    """Raise ValueError for a device or a pipe, which a run folder has no use for, and which may never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError("it is a device or a pipe, not a file")
