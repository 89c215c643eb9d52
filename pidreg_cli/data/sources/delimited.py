"""Delimited text (CSV, TSV, plain or gzipped) as a table: cells are read as text and converted by what they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import pyarrow as pa
import pyarrow.csv as pacsv

from pidreg_cli.data.inputs import InputFile
from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.naming import listing
from pidreg_cli.data.remote import Place
from pidreg_cli.data.sources.dialect import Dialect, DialectOptions, find_dialect, text_bytes
from pidreg_cli.data.sources.source import Oddity, rebatched
from pidreg_cli.data.sources.text_cells import MISSING, TYPES, CellCounts, Kind, converted
from pidreg_cli.errors import DataError

# Bytes that are parsed together; a line must fit.
BLOCK = 2**22


@dataclass(frozen=True)
class DelimitedSource:
    """Text files of the same columns, one after the other; ``counts`` say what each column's cells are."""

    paths: tuple[Place, ...]
    dialects: tuple[Dialect, ...]
    label: str
    counts: Mapping[str, CellCounts]
    rows: int
    texts: frozenset[str] = frozenset()

    @classmethod
    def open(
        cls, files: Sequence[InputFile], options: DialectOptions, missing: Sequence[str], label: str
    ) -> DelimitedSource:
        """Read the files once to learn what their columns hold.

        Raises DataError where a file is damaged, no text, ragged or without rows, or files differ in columns.
        """
        dialects = tuple(find_dialect(file.path, options) for file in files)
        for file, dialect in zip(files[1:], dialects[1:], strict=True):
            _check_same_names(files[0].path, dialects[0], file.path, dialect)
        names = dialects[0].names
        marks = pa.array(list(dict.fromkeys([*MISSING, *missing])))
        counts = {name: CellCounts(dialects[0].decimal, marks) for name in names}
        source = cls(tuple(file.path for file in files), dialects, label, counts, 0)
        return replace(source, rows=source._counted())

    def _counted(self) -> int:
        rows = 0
        for batch in self._texts(self.dialects[0].names):
            for name, cells in zip(batch.schema.names, batch.columns, strict=True):
                self.counts[name].add(cells, rows)
            rows += batch.num_rows
        if rows == 0:
            raise DataError("data.no_rows", f"{self.label} has no rows.", "Give a table with rows.")
        return rows

    @cached_property
    def schema(self) -> pa.Schema:
        """Names and the types of what was found."""
        return pa.schema([(name, TYPES[self._kind(name)]) for name in self.dialects[0].names])

    def _kind(self, name: str) -> Kind:
        return Kind.TEXT if name in self.texts else self.counts[name].kind

    @property
    def files(self) -> tuple[str, ...]:
        """File names without folders."""
        return tuple(path.name for path in self.paths)

    @property
    def metadata(self) -> TableMetadata | None:
        """Text files bring no roles."""
        return None

    @property
    def oddities(self) -> Mapping[str, Oddity]:
        """Columns of numbers with text among them."""
        return {name: found for name, counts in self.counts.items() if (found := counts.oddity)}

    @property
    def codes(self) -> frozenset[str]:
        """Columns of numbers with leading zeros, or too long to be exact."""
        return frozenset(name for name, counts in self.counts.items() if counts.codes)

    @property
    def notices(self) -> tuple[str, ...]:
        """What was detected."""
        marked = [name for name, counts in self.counts.items() if counts.marks_missing]
        symbols = sorted({symbol for name in marked for symbol in self.counts[name].symbols})
        found = (f"{self.label}: {listing(symbols)} among the numbers of {listing(marked)} read as missing.",)
        detected = dict.fromkeys(notice for dialect in self.dialects for notice in dialect.notices)
        return (*detected, *(found if marked else ()))

    def with_texts(self, columns: Iterable[str]) -> DelimitedSource:
        """The same table with these columns as texts, as they are written."""
        return replace(self, texts=self.texts | (frozenset(columns) & frozenset(self.counts)))

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """These columns by batches of rows."""
        for batch in rebatched(self._texts(columns), rows):
            arrays = [converted(batch.column(name), self._kind(name), self.counts[name]) for name in columns]
            yield pa.RecordBatch.from_arrays(arrays, names=list(columns))

    def _texts(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        for path, dialect in zip(self.paths, self.dialects, strict=True):
            yield from _text_batches(path, dialect, columns)


def _text_batches(path: Place, dialect: Dialect, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Columns of one file as text cells."""
    ragged: list[pacsv.InvalidRow] = []
    options = (*_reading(dialect, ragged), _converting(dialect, columns))
    with text_bytes(path) as stream:
        try:
            head = stream.read(BLOCK + 1)
            if len(head) <= BLOCK:
                if not (b"\n" in head or b"\r" in head):
                    return  # names without a line end: no rows
                # Not by the reader of streams: it has a thread that aborts the program where this ends at once, as when
                # there are no rows.
                yield from pacsv.read_csv(pa.BufferReader(head), *options).to_batches()
                return
            stream.seek(0)
            with pacsv.open_csv(stream, *options) as reader:
                yield from reader
        except pa.ArrowInvalid as cause:
            raise _malformed(path, dialect, ragged, cause) from cause


def _reading(
    dialect: Dialect, ragged: list[pacsv.InvalidRow]
) -> tuple[pacsv.ReadOptions, pacsv.ParseOptions]:
    reading = pacsv.ReadOptions(
        # One thread: only then rows are numbered.
        use_threads=False,
        block_size=BLOCK,
        encoding=dialect.encoding,
        column_names=list(dialect.names),
        skip_rows_after_names=1,
    )
    parsing = pacsv.ParseOptions(
        delimiter=dialect.delimiter,
        newlines_in_values=dialect.quoted,
        ignore_empty_lines=len(dialect.names) > 1,
        invalid_row_handler=_remembering(ragged),
    )
    return reading, parsing


def _converting(dialect: Dialect, columns: Sequence[str]) -> pacsv.ConvertOptions:
    return pacsv.ConvertOptions(
        column_types={name: pa.string() for name in dialect.names},
        include_columns=list(columns),
        strings_can_be_null=False,
    )


def _remembering(ragged: list[pacsv.InvalidRow]) -> Callable[[pacsv.InvalidRow], str]:
    def remember(row: pacsv.InvalidRow) -> str:
        ragged.append(row)
        return "error"

    return remember


def _malformed(path: Place, dialect: Dialect, ragged: list[pacsv.InvalidRow], cause: Exception) -> DataError:
    if ragged:
        row = ragged[0]
        place = "" if row.number is None else f" in line {row.number} (the names are in line 1)"
        return DataError(
            "data.ragged_rows",
            f"'{path}' has {row.actual_columns} cells{place} where {row.expected_columns} are expected: "
            f"{row.text[:80]!r}.",
            "Correct the line, look for an unclosed quote in it, or give the delimiter (now "
            f"{dialect.delimiter!r}), as in --delimiter ';'.",
        )
    reason = str(cause).strip().partition("\n")[0].rstrip(".")
    if "straddl" in reason:  # pyarrow says no more
        return DataError(
            "data.long_line",
            f"'{path}' has a line of more than {BLOCK / 2**20:g} MiB, the most that is read of one.",
            "Look for an unclosed quote; write a table of so many columns as Parquet.",
        )
    return DataError(
        "data.unreadable_file",
        f"'{path}' cannot be read as delimited text: {reason}.",
        "Look for an unclosed quote, or a damaged line.",
    )


def _check_same_names(first: Place, one: Dialect, path: Place, other: Dialect) -> None:
    if set(one.names) != set(other.names) or one.decimal != other.decimal:
        only = [name for name in [*one.names, *other.names] if (name in one.names) != (name in other.names)]
        difference = f"{listing(only)} in one of them only" if only else "the decimal mark"
        raise DataError(
            "data.schemas_differ",
            f"'{first}' and '{path}' differ in their columns: {difference}.",
            "Files of one table must have the same columns; to join tables, give --key COLUMN.",
        )
