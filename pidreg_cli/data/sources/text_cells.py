"""Cells of a text file: which are missing, and what kind of value the others of a column are."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pidreg_cli.data.sources.source import Oddity

# As spreadsheets, R and pandas write a missing value.
MISSING = (
    *("", "NA", "N/A", "n/a", "na", "NaN", "nan", "-NaN", "-nan", "NULL", "Null", "null", "None", "none"),
    *("<NA>", "#N/A", "#N/A N/A", "#NA", "1.#QNAN", "-1.#QNAN", "1.#IND", "-1.#IND"),
)
# In a column of numbers these are no mistakes, but missing values, too.
MISSING_AMONG_NUMBERS = ("-", "--", "---", ".", "..", "?", "*", "#VALUE!", "#DIV/0!", "#REF!", "missing")
# A column is one of numbers, with mistakes, where at least this share of its cells are.
NUMBERS_SHARE = 0.5

_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$|^[+-]?[iI][nN][fF]([iI][nN][iI][tT][yY])?$"
_INTEGER = r"^[+-]?\d+$"
# Numbers written like codes: leading zeros, or more digits than a number keeps exactly.
_LONG = r"^[+-]?\d{19,}$"
_CODE = r"^[+-]?0\d|^[+-]?\d{16,}$"
# Numbers with marks of thousands, another decimal mark, a percent sign or that of a currency.
_DIGITS = r"\d{1,3}([.,' \x{a0}\x{202f}]\d{3})+([.,]\d+)?|\d*[.,]\d+|\d+"
_DRESSED = (
    rf"^[+-]?[$\x{{20ac}}\x{{a3}}\x{{a5}}]?\s?[+-]?({_DIGITS})\s?[%\x{{2030}}$\x{{20ac}}\x{{a3}}\x{{a5}}]?$"
)
_TRUTH = ("true", "false")


class Kind(Enum):
    """What the cells of a column are."""

    EMPTY = "empty"
    INTEGER = "integer"
    FLOAT = "float"
    TRUTH = "truth"
    TEXT = "text"


TYPES = {
    Kind.EMPTY: pa.null(),
    Kind.INTEGER: pa.int64(),
    Kind.FLOAT: pa.float64(),
    Kind.TRUTH: pa.bool_(),
    Kind.TEXT: pa.string(),
}


@dataclass
class CellCounts:
    """What was seen of a column's cells, batch by batch; ``symbols`` are the marks of ``MISSING_AMONG_NUMBERS``."""

    decimal: str
    missing: pa.Array
    present: int = 0
    numbers: int = 0
    integers: int = 0
    codes: int = 0
    long: int = 0
    truths: int = 0
    dressed: int = 0
    symbols: dict[str, int] = field(default_factory=dict)
    first_other: tuple[int, str] | None = None

    def add(self, cells: pa.Array, first_row: int) -> None:
        """Count a batch of text cells, of which the first is ``first_row``."""
        trimmed = present_cells(cells, self.missing)
        filled = trimmed.drop_null()
        self.present += len(filled)
        if len(filled) == 0:
            return
        numerals = numerals_of(filled, self.decimal)
        is_number = pc.match_substring_regex(numerals, _NUMBER)
        count = _true(is_number)
        self.numbers += count
        if count:
            self.integers += _true(pc.match_substring_regex(numerals, _INTEGER))
            self.codes += _true(pc.match_substring_regex(numerals, _CODE))
            self.long += _true(pc.match_substring_regex(numerals, _LONG))
        if count < len(filled):
            self._add_others(trimmed, filled.filter(pc.invert(is_number)), first_row)

    def _add_others(self, trimmed: pa.Array, others: pa.Array, first_row: int) -> None:
        self.truths += _true(pc.is_in(pc.utf8_lower(others), value_set=pa.array(_TRUTH)))
        marks = pa.array(MISSING_AMONG_NUMBERS)
        are_marks = pc.is_in(others, value_set=marks)
        for entry in others.filter(are_marks).value_counts().to_pylist():
            self.symbols[entry["values"]] = self.symbols.get(entry["values"], 0) + entry["counts"]
        self.dressed += _true(pc.match_substring_regex(others, _DRESSED))
        wrong = others.filter(pc.invert(are_marks))
        if self.first_other is None and len(wrong):
            value = wrong[0].as_py()
            self.first_other = (first_row + pc.index(trimmed, value).as_py(), value)

    @property
    def others(self) -> int:
        """Cells that are neither missing nor numbers nor marks."""
        return self.present - self.numbers - sum(self.symbols.values())

    @property
    def marks_missing(self) -> bool:
        """Whether the marks mean missing values: nothing else is among the numbers."""
        return self.numbers > 0 and bool(self.symbols) and self.others == 0

    @property
    def kind(self) -> Kind:
        """What the column is."""
        if self.present == 0:
            return Kind.EMPTY
        if self.numbers and self.others == 0:
            whole = self.integers == self.numbers and self.long == 0
            return Kind.INTEGER if whole else Kind.FLOAT
        return Kind.TRUTH if self.truths == self.present else Kind.TEXT

    @property
    def oddity(self) -> Oddity | None:
        """What is wrong where most cells are numbers, however written, and some are text."""
        meant = self.numbers + self.dressed
        if self.first_other is None or meant < NUMBERS_SHARE * self.present or meant == 0:
            return None
        dressed = pc.match_substring_regex(pa.scalar(self.first_other[1]), _DRESSED).as_py()
        return Oddity(self.numbers, self.others, *self.first_other, dressed)


def present_cells(cells: pa.Array, missing: pa.Array) -> pa.Array:
    """Trimmed cells, null where missing."""
    trimmed = pc.utf8_trim_whitespace(cells)
    return pc.if_else(pc.is_in(trimmed, value_set=missing), pa.scalar(None, pa.string()), trimmed)


def numerals_of(cells: pa.Array, decimal: str) -> pa.Array:
    """Cells with the decimal point, as numbers are written."""
    if decimal == ".":
        return cells
    # A point is then no decimal mark, and must not pass for one.
    masked = pc.replace_substring(cells, ".", "_")
    return pc.replace_substring(masked, decimal, ".")


def converted(cells: pa.Array, kind: Kind, counts: CellCounts) -> pa.Array:
    """Text cells as what their column is."""
    trimmed = present_cells(cells, counts.missing)
    if kind is Kind.TEXT:
        return trimmed
    if kind is Kind.EMPTY:
        return pa.nulls(len(cells))
    if kind is Kind.TRUTH:
        return pc.cast(pc.utf8_lower(trimmed), pa.bool_())
    if counts.symbols:
        trimmed = present_cells(trimmed, pa.array(MISSING_AMONG_NUMBERS))
    numerals = pc.replace_substring_regex(numerals_of(trimmed, counts.decimal), r"^\+", "")
    return pc.cast(numerals, TYPES[kind])


def _true(mask: pa.Array) -> int:
    return int(np.count_nonzero(mask.to_numpy(zero_copy_only=False)))
