"""Marks at the beginning of a text that tell its encoding, as shells of Windows and editors write them."""

from __future__ import annotations

import codecs

# The longer first: that of UTF-16 begins one of UTF-32.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def marked_encoding(content: bytes) -> str | None:
    """The encoding, which leaves the mark out, of a text that begins so; None without a mark."""
    return next((name for mark, name in _MARKS if content.startswith(mark)), None)
