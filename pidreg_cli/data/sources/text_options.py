"""What a user says of text files."""

from __future__ import annotations

import codecs
from dataclasses import dataclass

from pidreg_cli.errors import UsageError


@dataclass(frozen=True)
class TextOptions:
    """How text files are written, where the user says so; ``missing`` are further spellings of a missing value."""

    delimiter: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.delimiter is not None and (len(self.delimiter) != 1 or self.delimiter in '"\r\n'):
            raise _usage("delimiter", self.delimiter, "one character, or 'tab'")
        if self.decimal not in (None, ".", ","):
            raise _usage("decimal", str(self.decimal), "'.' or ','")
        if self.decimal == self.delimiter == ",":
            raise _usage("decimal", ",", "another character than the delimiter")
        if self.encoding is not None and not _is_encoding(self.encoding):
            raise _usage("encoding", self.encoding, "the name of an encoding, such as utf-8 or cp1252")

    @property
    def given(self) -> tuple[str, ...]:
        """The options that say something."""
        named = (self.delimiter, self.decimal, self.encoding, self.missing)
        options = ("--delimiter", "--decimal", "--encoding", "--missing")
        return tuple(option for option, value in zip(options, named, strict=True) if value)


def _is_encoding(name: str) -> bool:
    try:
        codecs.getincrementaldecoder(name)().decode(b"")
    except (LookupError, TypeError, AttributeError):
        return False
    return True


def _usage(option: str, value: str, rule: str) -> UsageError:
    return UsageError(
        f"usage.{option}", f"--{option} {value!r}: it must be {rule}", f"see --help for --{option}"
    )
