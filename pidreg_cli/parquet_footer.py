"""The footer of a Parquet file, read without Arrow, which ends the process over some damaged ones when asked for the
columns of a row group.

Source: Apache Parquet format, parquet.thrift; Thrift's compact protocol.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAGIC = b"PAR1"
TAIL = 8  # bytes: the length of the footer, and what Parquet files end with
MOST_BYTES = 2**22
"""Of a footer that is read."""
DEEPEST = 16
LONGEST = 10  # bytes of a whole number
TRUE = 1

OTHER = "?"
"""A codec or an encoding that fits do not write: a few bytes may become any number."""
ENCODINGS = {0: "PLAIN", 2: "PLAIN_DICTIONARY", 3: "RLE", 4: "BIT_PACKED", 8: "RLE_DICTIONARY"}
CODECS = {0: "UNCOMPRESSED", 1: "SNAPPY"}


@dataclass(frozen=True)
class Chunk:
    """A column in a row group. ``size``: bytes when unpacked, as claimed. Codec and encodings of others: ``OTHER``."""

    path: str
    codec: str
    encodings: frozenset[str]
    size: int


@dataclass(frozen=True)
class Footer:
    """What a file claims to hold."""

    rows: int
    chunks: tuple[Chunk, ...]


def read_footer(path: Path) -> Footer:
    """The footer of a file. Raises ValueError where it is no Parquet file or damaged, and OSError."""
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - TAIL))
        tail = file.read(TAIL)
        length = int.from_bytes(tail[:4], "little")
        if tail[4:] != MAGIC or length > min(MOST_BYTES, size - TAIL):
            raise ValueError("it does not end as a Parquet file does")
        file.seek(size - TAIL - length)
        content = file.read(length)
    try:
        return _footer(_Thrift(content).struct(0))
    except (KeyError, TypeError, IndexError, AttributeError, OverflowError) as error:
        raise ValueError("its footer is damaged") from error


def _footer(found: dict[int, Any]) -> Footer:
    columns = [column[3] for group in found[4] for column in group[1]]
    return Footer(int(found[3]), tuple(map(_chunk, columns)))


def _chunk(column: dict[int, Any]) -> Chunk:
    return Chunk(
        ".".join(part.decode() for part in column[3]),
        CODECS.get(column[4], OTHER),
        frozenset(ENCODINGS.get(encoding, OTHER) for encoding in column[2]),
        int(column[6]),
    )


class _Thrift:
    """Values of the compact protocol, fields by number."""

    def __init__(self, content: bytes) -> None:
        self._content, self._place = content, 0

    def struct(self, depth: int) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            fields[number] = self._value(head & 15, depth + 1, field=True)
        return fields

    def _value(self, kind: int, depth: int, *, field: bool = False) -> Any:
        if depth > DEEPEST:
            raise ValueError("its footer is nested too deep")
        match kind:
            case 1 | 2:
                return kind == TRUE if field else self._byte() == TRUE
            case 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._signed()
            case 7:
                return self._bytes(8)
            case 8:
                return self._bytes(self._whole())
            case 9 | 10:
                return self._list(depth)
            case 11:
                return self._map(depth)
            case 12:
                return self.struct(depth)
        raise ValueError("its footer holds a value of no kind")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        size = head >> 4 if head >> 4 < 15 else self._whole()
        return [self._value(head & 15, depth + 1) for _ in range(self._possible(size))]

    def _map(self, depth: int) -> list[tuple[Any, Any]]:
        size = self._possible(self._whole())
        kinds = self._byte() if size else 0
        return [(self._value(kinds >> 4, depth + 1), self._value(kinds & 15, depth + 1)) for _ in range(size)]

    def _possible(self, size: int) -> int:
        """Every element takes a byte at least."""
        if size > len(self._content) - self._place:
            raise ValueError("its footer claims more than it holds")
        return size

    def _byte(self) -> int:
        self._place += 1
        return self._content[self._place - 1]

    def _bytes(self, count: int) -> bytes:
        self._place += self._possible(count)
        return self._content[self._place - count : self._place]

    def _whole(self) -> int:
        found = 0
        for place in range(LONGEST):
            byte = self._byte()
            found |= (byte & 127) << (7 * place)
            if byte < 128:
                return found
        raise ValueError("its footer holds a number that does not end")

    def _signed(self) -> int:
        found = self._whole()
        return (found >> 1) ^ -(found & 1)
