"""What a rendered report consists of: sections of paragraphs, tables and lists."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

NUMBER = re.compile(r"[+-]?[\d,.]+(e[+-]?\d+)?( %)?|-")


@dataclass(frozen=True)
class Paragraph:
    """A paragraph of prose."""

    text: str
    block: Literal["paragraph"] = "paragraph"


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: tuple[str, ...]
    block: Literal["bullets"] = "bullets"


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the first column holds names, the others numbers or short words."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    block: Literal["table"] = "table"

    @property
    def numeric(self) -> tuple[bool, ...]:
        """Which columns hold numbers only, and so are set to the right."""
        places = range(1, len(self.header))
        return (False, *(all(NUMBER.fullmatch(row[place]) for row in self.rows) for place in places))


Block = Paragraph | Bullets | Table


@dataclass(frozen=True)
class Section:
    """A title and its blocks."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Document:
    """A report ready to be rendered."""

    title: str
    headline: tuple[str, ...]
    sections: tuple[Section, ...]
