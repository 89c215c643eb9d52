"""Files that may come from anybody, read up to a size: a link to an endless device must not fill the memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from pidreg_cli.memory import amount, available_bytes

PIECE = 2**20

MOST_OF_JSON = 2**30
"""Bytes that a parsed text may take."""
GROWTH_OF_NUMBERS = 8
"""Most bytes of memory for one of a text of long numbers, with names among them."""
# Of Python's objects, measured: what a text of a MB becomes lies between 2 (long numbers) and 36 MB (empty lists).
BYTES_OF_CONTAINER = 160
BYTES_OF_ITEM = 48
BYTES_OF_QUOTE = 16
COPIES_OF_TEXT = 2  # decoded, and as the texts in it
WIDEST = 4  # bytes of a character, where one of them is beyond ASCII

SHARE_OF_MEMORY = 0.25
"""Of what is to be had, for a file of tensors: they are held twice on the way, and what is made of them takes some."""
SMALL = 2**27
"""A file of tensors that is read in any case."""


def limited_bytes(path: Path, most: int) -> bytes:
    """The content of a file of at most ``most`` bytes. Raises ValueError for a larger one, and OSError."""
    refuse_larger_file(path, most)
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
        raise _too_large(most)
    return b"".join(parts)


def limited_json(
    content: bytes | str,
    most: int = MOST_OF_JSON,
    refuse_constant: Callable[[str], NoReturn] | None = None,
    most_keys: int | None = None,
) -> Any:
    """What a JSON text says, if it takes at most ``most`` bytes of memory.

    ``refuse_constant`` is called with NaN and Infinity; ``most_keys``: of one object. Raises ValueError for anything
    else, also for lists in lists that are too deep for Python.
    """
    if (needed := json_memory(content)) > most:
        raise ValueError(f"it would take {amount(needed)} of memory, more than {amount(most)}")
    try:
        return json.loads(content, parse_constant=refuse_constant, object_pairs_hook=_object(most_keys))
    except RecursionError as error:
        raise ValueError("its lists and objects are nested too deep") from error


def most_of_numbers(size: int) -> int:
    """Bytes that a text of ``size`` may take where it should be of numbers: as much as these, a gigabyte in any case.

    So a large text is read where there is memory for it, and one that is made to grow is not.
    """
    return max(MOST_OF_JSON, min(GROWTH_OF_NUMBERS * size, int(SHARE_OF_MEMORY * available_bytes())))


def _object(most: int | None) -> Callable[[list[tuple[str, Any]]], dict[str, Any]] | None:
    """What makes objects of at most so many keys; None without a limit."""
    if most is None:
        return None

    def made(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(pairs) > most:
            raise ValueError(f"an object of {len(pairs):,} keys, more than {most:,}")
        return dict(pairs)

    return made


def json_memory(content: bytes | str) -> int:
    """Most bytes that parsing a JSON text takes, by what it consists of."""
    text = content.encode("utf-8", "surrogatepass") if isinstance(content, str) else content
    width = 1 if text.isascii() else WIDEST
    containers = text.count(b"[") + text.count(b"{")
    items = text.count(b",") + text.count(b":")
    return (
        (1 + COPIES_OF_TEXT * width) * len(text)
        + BYTES_OF_CONTAINER * containers
        + BYTES_OF_ITEM * items
        + BYTES_OF_QUOTE * text.count(b'"')
    )


def refuse_beyond_memory(path: Path) -> None:
    """Raise ValueError for a file of tensors that this machine has no memory for, and OSError.

    They grow with rows and columns, so that no number of bytes is too many everywhere; a file with holes is as large as
    it says for no bytes at all.
    """
    size = path.stat().st_size
    if size > max(SMALL, SHARE_OF_MEMORY * available_bytes()):
        raise ValueError(f"it is of {amount(size)}, more than a quarter of the memory that is to be had")


def refuse_larger_file(path: Path, most: int) -> None:
    """Raise ValueError for a file of more than ``most`` bytes, and OSError; what is no file has no size to tell."""
    if path.stat().st_size > most:
        raise _too_large(most)


def refuse_special_file(path: Path) -> None:
    """Raise ValueError for a device or a pipe, which a run folder has no use for, and which may never end."""
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise ValueError("it is a device or a pipe, not a file")


def _too_large(most: int) -> ValueError:
    return ValueError(f"it is larger than {most:,} bytes")
