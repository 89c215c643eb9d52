"""How one column becomes feature columns: numbers as they are, texts by a stored mapping, dates as calendar features.

Encoders are plain values: the same one encodes the rows it was made from and rows that come later.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

OTHER = "(other)"
# Share of the year, the week and the day that has passed, on a circle: 31 December is next to 1 January.
# No trend over the years: rows of a later time would lie beyond every value that was trained on.
CALENDAR = tuple(f"{cycle}_{wave}" for cycle in ("season", "weekday", "hour") for wave in ("sin", "cos"))
_DAY = 86_400
# Up to here floats hold whole numbers exactly.
EXACT = 2.0**53


class Encoder(Protocol):
    """``column`` is the table's, ``outputs`` are the feature columns made of it."""

    kind: ClassVar[str]

    @property
    def column(self) -> str:
        """The column that is read."""

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of the features."""

    def encode(self, cells: pa.Array) -> list[pa.Array]:
        """The features of these cells, one array for each output; null where the cell is missing."""

    def unseen(self, cells: pa.Array) -> int:
        """Cells with a value that the encoder does not know."""


@dataclass(frozen=True)
class Numbers:
    """Numbers as they are, truth values as 0 and 1; or lists of ``width`` numbers as they are."""

    kind: ClassVar[str] = "numbers"
    column: str
    name: str
    width: int | None = None

    @property
    def outputs(self) -> tuple[str, ...]:
        """The one feature."""
        return (self.name,)

    def encode(self, cells: pa.Array) -> list[pa.Array]:
        """The cells."""
        if pa.types.is_boolean(cells.type) or pa.types.is_null(cells.type):
            return [pc.cast(cells, pa.int8())]
        return [cells]

    def unseen(self, cells: pa.Array) -> int:
        """None: every number is known."""
        return 0


@dataclass(frozen=True)
class OneHot:
    """A column of 0 and 1 for each of ``values``, and with ``other`` one for all the rest."""

    kind: ClassVar[str] = "one-hot"
    column: str
    name: str
    values: tuple[str, ...]
    other: bool

    @property
    def outputs(self) -> tuple[str, ...]:
        """``name=value`` for each value."""
        return tuple(f"{self.name}={value}" for value in (*self.values, *((OTHER,) if self.other else ())))

    def encode(self, cells: pa.Array) -> list[pa.Array]:
        """The indicators; an unknown value is 0 in all of them but ``other``."""
        texts = as_texts(cells)
        found = [pc.cast(pc.equal(texts, value), pa.int8()) for value in self.values]
        if self.other:
            known = pc.is_in(texts, value_set=pa.array(self.values, pa.string()))
            rest = pc.if_else(
                pc.is_valid(texts), pc.cast(pc.invert(known), pa.int8()), pa.scalar(None, pa.int8())
            )
            found.append(rest)
        return found

    def unseen(self, cells: pa.Array) -> int:
        """Values without a column, where none is for the rest."""
        return 0 if self.other else _unknown(as_texts(cells), self.values)


@dataclass(frozen=True)
class Ordinal:
    """The place of a text in ``values``, from 0; an unknown one is missing."""

    kind: ClassVar[str] = "ordinal"
    column: str
    name: str
    values: tuple[str, ...]

    @property
    def outputs(self) -> tuple[str, ...]:
        """The one feature."""
        return (self.name,)

    def encode(self, cells: pa.Array) -> list[pa.Array]:
        """The places."""
        return [pc.index_in(as_texts(cells), value_set=pa.array(self.values, pa.string()))]

    def unseen(self, cells: pa.Array) -> int:
        """Values that have no place."""
        return _unknown(as_texts(cells), self.values)


@dataclass(frozen=True)
class Calendar:
    """A point in time as the season, the weekday and the hour, each on a circle."""

    kind: ClassVar[str] = "calendar"
    column: str
    name: str

    @property
    def outputs(self) -> tuple[str, ...]:
        """``name_season_sin``, ``name_season_cos``, ``name_weekday_sin``, ..."""
        return tuple(f"{self.name}_{part}" for part in CALENDAR)

    def encode(self, cells: pa.Array) -> list[pa.Array]:
        """The features. Clocks count as they are written, in the column's time zone where it has one."""
        missing = np.asarray(cells.is_null().to_numpy(zero_copy_only=False))
        moment = local_seconds(cells)
        day, second = np.divmod(moment, _DAY)
        dates = day.astype("datetime64[D]")
        years = dates.astype("datetime64[Y]")
        length = (((years + 1).astype("datetime64[D]")) - years.astype("datetime64[D]")).astype(np.float64)
        passed = ((dates - years.astype("datetime64[D]")).astype(np.float64) + second / _DAY) / length
        # 1 January 1970 was a Thursday; the week starts on Monday.
        week = ((day + 3) % 7 + second / _DAY) / 7
        found = []
        for share in (passed, week, second / _DAY):
            found += [np.sin(2 * np.pi * share), np.cos(2 * np.pi * share)]
        return [pa.array(values, pa.float64(), mask=missing) for values in found]

    def unseen(self, cells: pa.Array) -> int:
        """None: every date is known."""
        return 0


def local_seconds(cells: pa.Array) -> np.ndarray:
    """Seconds since 1970 on the clock that was written, shape (n,), int64; 0 where missing."""
    if pa.types.is_timestamp(cells.type) and cells.type.tz is not None:
        cells = pc.local_timestamp(cells)
    seconds = pc.cast(pc.cast(cells, pa.timestamp("s"), safe=False), pa.int64())
    return np.asarray(pc.fill_null(seconds, 0).to_numpy(zero_copy_only=False), np.int64)


def as_texts(cells: pa.Array) -> pa.Array:
    """Cells as texts: whole numbers without a point, so that codes of integers and of floats agree."""
    if pa.types.is_string(cells.type):
        return cells
    if not pa.types.is_floating(cells.type):
        return pc.cast(cells, pa.string())
    whole = pc.and_(pc.equal(cells, pc.floor(cells)), pc.less(pc.abs(cells), EXACT))
    integers = pc.cast(pc.if_else(whole, cells, pa.scalar(0, cells.type)), pa.int64())
    return pc.if_else(whole, pc.cast(integers, pa.string()), pc.cast(cells, pa.string()))


def width_of(encoder: Encoder) -> int | None:
    """Elements of the lists that the feature holds, None where it holds numbers."""
    return encoder.width if isinstance(encoder, Numbers) else None


def empty_features(encoder: Encoder, rows: int) -> list[pa.Array]:
    """The features of rows that lack the column."""
    width = width_of(encoder)
    kind = pa.float32() if width is None else pa.list_(pa.float32(), width)
    return [pa.nulls(rows, kind) for _ in encoder.outputs]


def to_dict(encoder: Encoder) -> dict[str, Any]:
    """Plain texts and numbers, that ``from_dict`` reads."""
    return {"kind": encoder.kind, **asdict(encoder)}  # type: ignore[call-overload]


def from_dict(stored: Mapping[str, Any]) -> Encoder:
    """Restore what ``to_dict`` wrote; raises KeyError, TypeError or ValueError on anything else."""
    column, name = str(stored["column"]), str(stored["name"])
    match stored["kind"]:
        case "numbers":
            return Numbers(column, name, None if stored["width"] is None else int(stored["width"]))
        case "one-hot":
            return OneHot(column, name, _texts(stored["values"]), bool(stored["other"]))
        case "ordinal":
            return Ordinal(column, name, _texts(stored["values"]))
        case "calendar":
            return Calendar(column, name)
    raise ValueError(f"no encoder is called {stored['kind']!r}")


def _texts(stored: Sequence[Any]) -> tuple[str, ...]:
    if not isinstance(stored, list) or not all(isinstance(value, str) for value in stored):
        raise TypeError("values must be a list of texts")
    return tuple(stored)


def _unknown(texts: pa.Array, values: tuple[str, ...]) -> int:
    present = texts.drop_null()
    known = pc.is_in(present, value_set=pa.array(values, pa.string()))
    return len(present) - int(pc.sum(known).as_py() or 0)
