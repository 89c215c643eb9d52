"""Columns of dates, on request: parsed or put together while a table is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pidreg_cli.data.columns import as_floats, is_number
from pidreg_cli.data.features import at_row
from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.modalities import unknown_column
from pidreg_cli.data.preparation.request import DateRequest
from pidreg_cli.data.sources.source import Oddity, Source
from pidreg_cli.errors import DataError, UsageError

SECONDS = pa.timestamp("s")
PARTS = ("year", "month", "day", "hour", "minute", "second")
FEWEST_PARTS = 3


def is_date(kind: pa.DataType) -> bool:
    """Whether cells are dates or points in time."""
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


@dataclass(frozen=True)
class DatedSource:
    """A table whose asked columns are points in time; those put together come after the others."""

    source: Source
    dates: Mapping[str, DateRequest]

    @classmethod
    def of(cls, source: Source, requests: Sequence[DateRequest]) -> DatedSource:
        """Check the requests against the columns. Raises DataError or UsageError where they do not fit."""
        there = set(source.schema.names)
        asked = [one for one in requests if not (one.optional and there.isdisjoint(one.sources))]
        for request in asked:
            _check_request(request, source)
        return cls(source, {request.column: request for request in asked})

    @property
    def label(self) -> str:
        """How messages name the table."""
        return self.source.label

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and types, dates as such."""
        stored = self.source.schema
        fields = [pa.field(f.name, self._type(f.name, f.type)) for f in stored]
        new = [pa.field(name, SECONDS) for name in self.dates if name not in stored.names]
        return pa.schema([*fields, *new])

    def _type(self, name: str, kind: pa.DataType) -> pa.DataType:
        return SECONDS if name in self.dates and not is_date(kind) else kind

    @property
    def rows(self) -> int:
        """Number of rows."""
        return self.source.rows

    @property
    def files(self) -> tuple[str, ...]:
        """File names without folders."""
        return self.source.files

    @property
    def metadata(self) -> TableMetadata | None:
        """Roles that the files bring."""
        return self.source.metadata

    @property
    def oddities(self) -> Mapping[str, Oddity]:
        """Columns with text among numbers, other than dates."""
        return {name: oddity for name, oddity in self.source.oddities.items() if name not in self.dates}

    @property
    def codes(self) -> frozenset[str]:
        """Columns of numbers that are written like codes, other than dates."""
        return self.source.codes - self.dates.keys()

    @property
    def notices(self) -> tuple[str, ...]:
        """What was detected in the files."""
        return self.source.notices

    def with_texts(self, columns: Iterable[str]) -> DatedSource:
        """The same table with these columns as texts."""
        return DatedSource(self.source.with_texts(columns), self.dates)

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """These columns by batches of rows. Raises DataError for a cell that is no date."""
        needed = dict.fromkeys(part for name in columns for part in self._sources_of(name))
        first_row = 0
        for batch in self.source.batches(list(needed), rows):
            arrays = [self._column(batch, name, first_row) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))
            first_row += batch.num_rows

    def _sources_of(self, name: str) -> tuple[str, ...]:
        request = self.dates.get(name)
        return (name,) if request is None else request.sources

    def _column(self, batch: pa.RecordBatch, name: str, first_row: int) -> pa.Array:
        request = self.dates.get(name)
        if request is None:
            return batch.column(name)
        if request.parts:
            return _composed([batch.column(part) for part in request.parts], name, first_row)
        return _parsed(batch.column(name), request, first_row)


def _check_request(request: DateRequest, source: Source) -> None:
    names = source.schema.names
    for column in request.sources:
        if column not in names:
            raise unknown_column(column, names, f", of which the date {request.column!r} is read")
    if request.parts:
        _check_parts(request, source)
        return
    kind = source.schema.field(request.column).type
    if not (is_date(kind) or pa.types.is_string(kind) or pa.types.is_null(kind) or request.format):
        raise DataError(
            "data.date_type",
            f"Column {request.column!r} holds {kind}; dates are texts or points in time.",
            f"Say how it is written, as in --date '{request.column}=%Y%m%d', or name its parts, as in "
            f"--date 'when=year,month,day'.",
        )


def _check_parts(request: DateRequest, source: Source) -> None:
    if request.column in source.schema.names:
        raise UsageError(
            "usage.date",
            f"--date {request.column!r}: a new column is put together, but the table has one of this name",
            "give the new column another name",
        )
    if not FEWEST_PARTS <= len(request.parts) <= len(PARTS):
        raise UsageError(
            "usage.date",
            f"--date {request.column!r}: {len(request.parts)} parts; there must be 3 to 6",
            f"give columns of {', '.join(PARTS)}, in this order",
        )
    for part in request.parts:
        if not is_number(source.schema.field(part).type):
            raise DataError(
                "data.date_type",
                f"Column {part!r} is a part of the date {request.column!r} and must hold whole numbers.",
                "Correct the column, or name another.",
            )


def _parsed(cells: pa.Array, request: DateRequest, first_row: int) -> pa.Array:
    if is_date(cells.type):
        return cells
    texts = pc.utf8_trim_whitespace(pc.cast(cells, pa.string()))
    times = (
        _iso(texts) if request.format is None else pc.strptime(texts, request.format, "s", error_is_null=True)
    )
    wrong = pc.and_(pc.is_valid(texts), pc.is_null(times)).to_numpy(zero_copy_only=False)
    if wrong.any():
        place = int(wrong.argmax())
        rule = "ISO 8601 (2024-05-31 or 2024-05-31T12:30:00)" if request.format is None else request.format
        raise DataError(
            "data.date",
            f"Column {request.column!r} holds {texts[place].as_py()!r} in {at_row(first_row + place)}; it must be "
            f"{rule}.",
            f"Say how dates are written, as in --date '{request.column}=%d.%m.%Y', or correct the cell.",
        )
    return times


def _iso(texts: pa.Array) -> pa.Array:
    """Points in time, null where a text is none; an offset (Z, +02:00) is taken into account."""
    try:
        return pc.cast(texts, SECONDS)
    except pa.ArrowInvalid:
        return pa.array([_iso_cell(text) for text in texts.to_pylist()], SECONDS)


def _iso_cell(text: str | None) -> int | None:
    from datetime import UTC, datetime

    try:
        moment = None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment is None:
        return None
    # Without an offset the clock that was written counts.
    return int(moment.replace(tzinfo=moment.tzinfo or UTC).timestamp())


def _composed(parts: Sequence[pa.Array], name: str, first_row: int) -> pa.Array:
    """Points in time of columns of year, month, day..., null where a part is."""
    numbers = [as_floats(part) for part in parts]
    missing = np.isnan(numbers).any(axis=0)
    whole = [np.where(missing, 1, values) for values in numbers]
    months = np.array((whole[0] - 1970) * 12 + whole[1] - 1, "datetime64[M]")
    days = months.astype("datetime64[D]") + (whole[2] - 1).astype("timedelta64[D]")
    moment = days.astype("datetime64[s]")
    for values, seconds in zip(whole[3:], (3600, 60, 1), strict=False):
        moment = moment + (values * seconds).astype("timedelta64[s]")
    wrong = ~missing & ~_legal(whole, days.astype("datetime64[M]") == months)
    if wrong.any():
        place = int(wrong.argmax())
        shown = ", ".join(f"{label} {values[place]:g}" for label, values in zip(PARTS, whole, strict=False))
        raise DataError(
            "data.date",
            f"The parts of the date {name!r} in {at_row(first_row + place)} are {shown}: there is no such date.",
            "Correct the row, or leave one of its parts empty.",
        )
    return pa.array(moment, SECONDS, mask=missing)


def _legal(parts: Sequence[np.ndarray], same_month: np.ndarray) -> np.ndarray:
    """Whether whole parts are a date and a time of day; ``same_month``: the day does not lead into the next month."""
    bounds = ((1, 9999), (1, 12), (1, 31), (0, 24), (0, 59), (0, 60))
    legal = same_month.copy()
    for values, (low, high) in zip(parts, bounds, strict=False):
        legal &= (values == np.floor(values)) & (values >= low) & (values <= high)
    return legal
