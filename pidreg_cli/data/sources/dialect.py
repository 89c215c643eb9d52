"""How a delimited text file is written: encoding, delimiter, decimal mark and header; given, or found out."""

from __future__ import annotations

import codecs
import csv
import gzip
import re
import zlib
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BufferedIOBase, StringIO
from typing import BinaryIO, NamedTuple, cast

from pidreg_cli.data.naming import listing
from pidreg_cli.data.remote import Place, open_bytes
from pidreg_cli.data.sources.encodings import likely_encodings
from pidreg_cli.errors import DataError
from pidreg_cli.marked_text import marked_encoding

DELIMITERS = (",", ";", "\t", "|")
# What the guesses look at.
SAMPLE_BYTES = 2**18
SAMPLE_LINES = 200
# Of a wide table the names, and a row, are longer: so much is looked at, if need be, of each what is read of a line.
WIDEST_SAMPLE = 2**23
FEWEST_RECORDS = 2
CHUNK = 2**20
_COMMA_NUMBER = re.compile(r"\s*[+-]?\d*,\d+([eE][+-]?\d+)?\s*")
_POINT_NUMBER = re.compile(r"\s*[+-]?\d*\.\d+([eE][+-]?\d+)?\s*")


class _Sample(NamedTuple):
    """The beginning of a file, ``whole`` where that is all of it; else it may end within a record."""

    text: str
    whole: bool


@dataclass(frozen=True)
class Dialect:
    """``quoted``: whether cells may be quoted, and so hold delimiters and line ends."""

    encoding: str
    delimiter: str
    decimal: str
    quoted: bool
    names: tuple[str, ...]
    notices: tuple[str, ...] = ()


@dataclass(frozen=True)
class DialectOptions:
    """What the user says; None is found out."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None


def find_dialect(path: Place, options: DialectOptions) -> Dialect:
    """How the file at ``path`` is written.

    Reads it whole once, to be sure of the encoding. Raises DataError where it is empty, no text, not in the
    given encoding, or has two columns of one name.
    """
    encoding, notices = _encoding(path, options.encoding)
    sample = _sample(path, encoding)
    if not sample.text.strip():
        raise DataError(
            "data.empty_file", f"'{path}' is empty.", "Give a file with a line of names and rows."
        )
    delimiter = options.delimiter or _delimiter(sample, "\t" if ".tsv" in path.name.lower() else ",")
    records = _records(sample, delimiter)
    if not records:
        raise DataError(
            "data.long_name",
            f"The first line of '{path}', which holds the names, has a cell of more than {csv.field_size_limit():,} "
            "characters.",
            f"Look for an unclosed quote, or give the delimiter (now {delimiter!r}), as in --delimiter ';'.",
        )
    names = tuple(name.strip() for name in records[0])
    _check_names(path, names)
    decimal = options.decimal or _decimal(records[1:], delimiter)
    dialect = Dialect(encoding, delimiter, decimal, _has_quotes(path, encoding), names, notices)
    return replace(dialect, notices=(*notices, *_detected(path, dialect, options)))


@contextmanager
def text_bytes(path: Place) -> Iterator[BinaryIO]:
    """The bytes of a text file, unpacked where it is gzipped. What goes wrong in it becomes a DataError."""
    try:
        with open_bytes(path) as raw:
            packed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            stream = cast("BufferedIOBase", gzip.GzipFile(fileobj=raw)) if packed else raw
            yield cast("BinaryIO", stream)
    except (OSError, EOFError, zlib.error) as cause:
        reason = getattr(cause, "strerror", None) or str(cause).rstrip(".") or type(cause).__name__
        raise DataError(
            "data.unreadable_file",
            f"'{path}' cannot be read: {reason}.",
            "Ask for permission to read it."
            if isinstance(cause, PermissionError)
            else "The file is damaged or incomplete; write or copy it again.",
        ) from cause


def _encoding(path: Place, given: str | None) -> tuple[str, tuple[str, ...]]:
    with text_bytes(path) as stream:
        head = stream.read(SAMPLE_BYTES)
    if given is not None:
        return _checked_encoding(path, given), ()
    if marked := marked_encoding(head):
        return _checked_encoding(path, marked), ()
    if b"\0" in head:
        raise DataError(
            "data.not_text",
            f"'{path}' holds zero bytes: it is no delimited text.",
            "Give the file its right suffix, or its encoding, as in --encoding utf-16-le.",
        )
    wrong = _first_wrong_byte(path, "utf-8")
    if wrong is None:
        return "utf-8", ()
    return _guessed(path, wrong)


def _checked_encoding(path: Place, encoding: str) -> str:
    wrong = _first_wrong_byte(path, encoding)
    if wrong is not None:
        raise DataError(
            "data.encoding",
            f"'{path}' is not {encoding}: byte {wrong} belongs to no character.",
            "Give its encoding, as in --encoding cp1252, or convert it to UTF-8.",
        )
    return encoding


def _first_wrong_byte(path: Place, encoding: str) -> int | None:
    decoder = codecs.getincrementaldecoder(encoding)()
    done = 0
    with text_bytes(path) as stream:
        while True:
            chunk = stream.read(CHUNK)
            try:
                decoder.decode(chunk, final=not chunk)
            except UnicodeDecodeError as error:
                return max(0, done + error.start)
            if not chunk:
                return None
            done += len(chunk)


def _guessed(path: Place, wrong: int) -> tuple[str, tuple[str, ...]]:
    with text_bytes(path) as stream:
        stream.seek(max(0, wrong - CHUNK // 2))
        around = stream.read(CHUNK)
    found = next((one for one in likely_encodings(around) if _first_wrong_byte(path, one) is None), None)
    if found is None:
        raise DataError(
            "data.encoding",
            f"'{path}' is not UTF-8 (byte {wrong}), and its encoding could not be found out.",
            "Give it, as in --encoding cp1252, or convert the file to UTF-8.",
        )
    notice = f"'{path}' is not UTF-8 and read as {found}; give --encoding where letters look wrong."
    return found, (notice,)


def _sample(path: Place, encoding: str) -> _Sample:
    """As much as shows the names and a row."""
    decoder, text = codecs.getincrementaldecoder(encoding)(), ""
    with text_bytes(path) as stream:
        size, more = SAMPLE_BYTES, stream.read(SAMPLE_BYTES)
        while True:
            text += decoder.decode(more)
            more = stream.read(size)
            sample = _Sample(text, whole=not more)
            if sample.whole or _fewest_records(sample) >= FEWEST_RECORDS or size >= WIDEST_SAMPLE:
                return sample
            size *= 2


def _fewest_records(sample: _Sample) -> int:
    """By any delimiter: with another than its own quotes are no quotes, and line ends within them end records."""
    found = (_records(sample, delimiter) for delimiter in DELIMITERS)
    return min((len(records) for records in found if records), default=0)


def _records(sample: _Sample, delimiter: str) -> list[list[str]]:
    """The first complete records; of a sample that holds none what there is, and nothing of a name without end."""
    reader = csv.reader(StringIO(sample.text.lstrip("\r\n"), newline=""), delimiter=delimiter)
    records: list[list[str]] = []
    try:
        for record in reader:
            records += [record] if record else []
            if len(records) > SAMPLE_LINES:
                break
    except csv.Error:
        # A field beyond csv's limit: what came before it is sample enough, pyarrow judges the rest.
        pass
    # The last may be cut, and then look like a wrong one.
    return (records if sample.whole else records[:-1]) or records


def _delimiter(sample: _Sample, preferred: str) -> str:
    """The delimiter whose number of fields is the same in most lines, and largest."""

    def merit(delimiter: str) -> tuple[float, int, bool]:
        widths = [len(record) for record in _records(sample, delimiter)]
        if not widths or widths[0] < 2:
            return 0.0, 0, delimiter == preferred
        return widths.count(widths[0]) / len(widths), widths[0], delimiter == preferred

    return max(DELIMITERS, key=merit)


def _decimal(rows: list[list[str]], delimiter: str) -> str:
    """A comma where cells write one between digits and no cell writes a point so."""
    cells = [cell for row in rows for cell in row]
    commas = sum(_COMMA_NUMBER.fullmatch(cell) is not None for cell in cells)
    points = sum(_POINT_NUMBER.fullmatch(cell) is not None for cell in cells)
    return "," if commas > points else "."


def _has_quotes(path: Place, encoding: str) -> bool:
    quote = '"'.encode("ascii") if not encoding.startswith(("utf-16", "utf-32")) else b"\0"
    with text_bytes(path) as stream:
        return any(quote in chunk for chunk in iter(lambda: stream.read(CHUNK), b""))


def _check_names(path: Place, names: tuple[str, ...]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise DataError(
            "data.duplicate_column",
            f"'{path}' has two columns named {listing(twice)}; names must be unique.",
            "Rename one of them; the first line must hold the names.",
        )


def _detected(path: Place, dialect: Dialect, options: DialectOptions) -> Iterator[str]:
    if options.delimiter is None and dialect.delimiter != ("\t" if ".tsv" in path.name.lower() else ","):
        yield f"'{path}' is read with the delimiter {dialect.delimiter!r} (--delimiter says otherwise)."
    if options.decimal is None and dialect.decimal == ",":
        yield f"'{path}' is read with the decimal comma (--decimal says otherwise)."
    if all(_is_number(name) for name in dialect.names):
        yield f"The first line of '{path}' holds numbers only; it is taken for the names of the columns."


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
