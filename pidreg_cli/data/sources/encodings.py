"""Which encoding a text that is not UTF-8 has, as far as its words tell."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

# Latin letters, in the order in which they are tried where they fit equally well.
LATIN = ("cp1252", "cp1250")
# Cyrillic, Greek, and the many-byte encodings of East Asia.
OTHER_SCRIPTS = ("cp1251", "cp1253", "shift_jis", "gb18030", "big5", "euc_kr")
# Share of bytes beyond ASCII in the words that have some: a third in Latin words, 0.65 and more in other scripts.
FOREIGN_SHARE = 0.5

_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")


def likely_encodings(content: bytes) -> list[str]:
    """Encodings that ``content`` may have, the likeliest first.

    Judged by its distinct words alone: numbers tell nothing, and a guess by frequency takes a few umlauts for
    Cyrillic.
    """
    words = sorted(set(_WORD.findall(content)))
    latin = sorted(LATIN, key=lambda one: _symbols(words, one))
    foreign = [] if _is_latin(words) else _of_other_scripts(words)
    return [*foreign, *latin]


def _is_latin(words: Iterable[bytes]) -> bool:
    """Letters beyond ASCII stand among others, as in 'Größe', or alone: codes of one letter tell nothing."""
    longer = b"".join(word for word in words if len(word) > 1)
    return sum(byte > 127 for byte in longer) <= FOREIGN_SHARE * len(longer)


def _of_other_scripts(words: Iterable[bytes]) -> list[str]:
    from charset_normalizer import from_bytes

    best = from_bytes(b"\n".join(words), cp_isolation=list(OTHER_SCRIPTS)).best()
    return [] if best is None else [best.encoding]


def _symbols(words: Iterable[bytes], encoding: str) -> int:
    """How many characters of the words would be symbols: in cp1252 the Polish 'Ł' is a pound sign."""
    texts = (word.decode(encoding, errors="replace") for word in words)
    return sum(unicodedata.category(letter)[0] != "L" for text in texts for letter in text)
