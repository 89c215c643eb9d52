"""Several tables as one, row by row where keys agree, by a database on disk: memory bounds neither rows nor order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.modalities import unknown_column
from pidreg_cli.data.naming import listing
from pidreg_cli.data.sources.source import Oddity, Source, plain_column, rows_per_batch
from pidreg_cli.errors import DataError, OutputError

if TYPE_CHECKING:
    import duckdb

JoinKind = Literal["left", "inner", "outer"]
# What the database may hold in memory; the rest goes to its files.
MEMORY = "384MB"
SHOWN_KEYS = 3


class TableCounts(NamedTuple):
    """Of one table: its rows, those without a key, with a key seen before, and without a partner.

    ``unmatched``: of the first table, rows that no other table has; of another, rows that the first lacks.
    """

    label: str
    rows: int
    missing_keys: int
    duplicates: int
    unmatched: int


@dataclass(frozen=True)
class JoinRequest:
    """How to join: ``key`` columns that every table has, and whether the first of rows with equal keys is taken."""

    key: tuple[str, ...]
    kind: JoinKind = "left"
    first_of_duplicates: bool = False


@dataclass(frozen=True)
class JoinedSource:
    """The joined table, a source like others. Lives as long as the block of ``joined``."""

    connection: duckdb.DuckDBPyConnection
    schema: pa.Schema
    rows: int
    parts: tuple[Source, ...]
    counts: tuple[TableCounts, ...]

    @property
    def label(self) -> str:
        """How messages name the table."""
        return "the joined table"

    @property
    def files(self) -> tuple[str, ...]:
        """File names without folders."""
        return tuple(name for part in self.parts for name in part.files)

    @property
    def metadata(self) -> TableMetadata | None:
        """None: roles of one table do not speak for all."""
        return None

    @cached_property
    def oddities(self) -> Mapping[str, Oddity]:
        """Columns with text among numbers; rows are those of their own table."""
        return {name: oddity for part in self.parts for name, oddity in part.oddities.items()}

    @property
    def codes(self) -> frozenset[str]:
        """None: keys are texts by now where they are written like codes."""
        return frozenset()

    @property
    def notices(self) -> tuple[str, ...]:
        """What was detected in the files."""
        return tuple(notice for part in self.parts for notice in part.notices)

    def with_texts(self, columns: Iterable[str]) -> JoinedSource:
        """Types are settled."""
        return self

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        """These columns by batches of rows, in the order of the first table."""
        place_of = {name: place for place, name in enumerate(self.schema.names)}
        places = [place_of[column] for column in columns]
        chosen = ", ".join(f"c{place}" for place in places)
        with _database_errors():
            reader = self.connection.sql(f"SELECT {chosen} FROM joined").to_arrow_reader(rows)
            for batch in reader:
                arrays = [
                    _as_type(column, self.schema.field(place).type)
                    for column, place in zip(batch.columns, places, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(arrays, names=list(columns))


@contextmanager
def joined(tables: Sequence[Source], request: JoinRequest) -> Iterator[JoinedSource]:
    """Join ``tables`` for the length of the block.

    Rows come in the order of the first table; with an outer join then what only the others have. Raises
    DataError where a table lacks a key column, types of keys differ, a key occurs twice, a column is in two
    tables or no row is left; OutputError where the disk has no room.
    """
    _check_keys_exist(tables, request.key)
    typed = _with_equal_keys(tables, request.key)
    _check_columns_once(typed, request.key)
    import duckdb

    with tempfile.TemporaryDirectory(prefix="pidreg-join-") as folder, _database_errors():
        connection = duckdb.connect(
            str(Path(folder) / "join.db"),
            config={"memory_limit": MEMORY, "temp_directory": str(Path(folder) / "spill"), "threads": 2},
        )
        try:
            yield _joined(connection, typed, request)
        finally:
            connection.close()


def _joined(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Source], request: JoinRequest
) -> JoinedSource:
    layouts = _layouts(tables, request.key)
    for place, (table, layout) in enumerate(zip(tables, layouts, strict=True)):
        _load(connection, f"t{place}", table, layout)
    counts = _counts(connection, tables, request)
    _run(connection, _statement(layouts, request))
    rows = _number(connection, "SELECT count(*) FROM joined")
    if rows == 0:
        raise DataError(
            "data.nothing_joined",
            f"No row is left after the join by {listing(request.key)}: no key is in all tables.",
            "Check that the keys are written the same way, or try --join outer.",
        )
    return JoinedSource(connection, _joined_schema(tables, request.key), rows, tuple(tables), counts)


# A column of the database is named by its place: its names ignore case and ours do not.
_Layout = dict[str, str]


def _joined_schema(tables: Sequence[Source], key: tuple[str, ...]) -> pa.Schema:
    fields = [tables[0].schema.field(name) for name in key]
    fields += [field for table in tables for field in table.schema if field.name not in key]
    return pa.schema(fields)


def _layouts(tables: Sequence[Source], key: tuple[str, ...]) -> list[_Layout]:
    layouts, place = [], len(key)
    for table in tables:
        layout = {name: f"c{column}" for column, name in enumerate(key)}
        for name in table.schema.names:
            if name not in key:
                layout[name] = f"c{place}"
                place += 1
        layouts.append(layout)
    return layouts


def _load(connection: duckdb.DuckDBPyConnection, name: str, table: Source, layout: _Layout) -> None:
    columns = list(layout)
    fields = [(layout[column], table.schema.field(column).type) for column in columns]
    schema = pa.schema([*fields, ("place", pa.int64())])

    failures: list[Exception] = []

    def batches() -> Iterator[pa.RecordBatch]:
        first = 0
        try:
            for batch in table.batches(columns, rows_per_batch(len(columns))):
                places = pa.array(np.arange(first, first + batch.num_rows))
                yield pa.RecordBatch.from_arrays([*batch.columns, places], schema=schema)
                first += batch.num_rows
        except Exception as error:
            failures.append(error)
            raise

    connection.register("incoming", pa.RecordBatchReader.from_batches(schema, batches()))
    try:
        _run(connection, f"CREATE TABLE {name} AS SELECT * FROM incoming")
    except Exception:
        # The database wraps what a reader says of its file; the reader's own words are the better ones.
        if failures:
            raise failures[0] from None
        raise
    connection.unregister("incoming")


def _counts(
    connection: duckdb.DuckDBPyConnection, tables: Sequence[Source], request: JoinRequest
) -> tuple[TableCounts, ...]:
    """Counts of each table, its rows with a known key removed where the first of them is to be taken."""
    keys = [f"c{place}" for place in range(len(request.key))]
    incomplete = " OR ".join(f"{key} IS NULL" for key in keys)
    partners = {
        place: [other for other in range(len(tables)) if other != place] if place == 0 else [0]
        for place in range(len(tables))
    }
    facts = []
    for place, table in enumerate(tables):
        name = f"t{place}"
        rows = _number(connection, f"SELECT count(*) FROM {name}")
        missing = _number(connection, f"SELECT count(*) FROM {name} WHERE {incomplete}")
        facts.append((table.label, rows, missing, _deduplicated(connection, name, table, keys, request)))
    return tuple(
        TableCounts(*fact, _unmatched(connection, place, partners[place], keys))
        for place, fact in enumerate(facts)
    )


def _deduplicated(
    connection: duckdb.DuckDBPyConnection, name: str, table: Source, keys: Sequence[str], request: JoinRequest
) -> int:
    together = ", ".join(keys)
    complete = " AND ".join(f"{key} IS NOT NULL" for key in keys)
    repeated = f"""
        SELECT place, {together} FROM {name} WHERE {complete}
        QUALIFY row_number() OVER (PARTITION BY {together} ORDER BY place) > 1"""
    duplicates = _number(connection, f"SELECT count(*) FROM ({repeated})")
    if duplicates and not request.first_of_duplicates:
        shown = connection.sql(f"SELECT * FROM ({repeated}) ORDER BY place LIMIT {SHOWN_KEYS}").fetchall()
        examples = listing([" / ".join(map(str, row[1:])) for row in shown])
        raise DataError(
            "data.duplicate_keys",
            f"{table.label} has {duplicates} rows whose key {listing(request.key)} occurred before, first in row "
            f"{shown[0][0]} (counted from 0): {examples}; a key must be unique in each table.",
            "Take the first row of each key with --duplicates first, or name more columns with --key.",
        )
    if duplicates:
        _run(connection, f"DELETE FROM {name} WHERE place IN (SELECT place FROM ({repeated}))")
    return duplicates


def _unmatched(
    connection: duckdb.DuckDBPyConnection, place: int, partners: Sequence[int], keys: Sequence[str]
) -> int:
    if not partners:
        return 0
    found = " OR ".join(
        f"EXISTS (SELECT 1 FROM t{other} WHERE {_equal(f't{place}', f't{other}', keys)})"
        for other in partners
    )
    return _number(connection, f"SELECT count(*) FROM t{place} WHERE NOT ({found})")


def _equal(one: str, other: str, keys: Sequence[str]) -> str:
    return " AND ".join(f"{one}.{key} = {other}.{key}" for key in keys)


def _statement(layouts: Sequence[_Layout], request: JoinRequest) -> str:
    keys = [f"c{place}" for place in range(len(request.key))]
    word = {"left": "LEFT", "inner": "INNER", "outer": "FULL OUTER"}[request.kind]
    tables = [f"t{place}" for place in range(len(layouts))]
    source = tables[0]
    for place, table in enumerate(tables[1:], 1):
        # After an outer join the key may come from any of the tables before.
        before = [_coalesced(key, tables[:place]) for key in keys]
        equal = " AND ".join(f"{one} = {table}.{key}" for one, key in zip(before, keys, strict=True))
        source += f" {word} JOIN {table} ON {equal}"
    chosen = [f"{_coalesced(key, tables)} AS {key}" for key in keys]
    for table, layout in zip(tables, layouts, strict=True):
        chosen += [f"{table}.{column}" for column in layout.values() if column not in keys]
    order = ", ".join(f"{table}.place NULLS LAST" for table in tables)
    return f"CREATE TABLE joined AS SELECT {', '.join(chosen)} FROM {source} ORDER BY {order}"


def _coalesced(key: str, tables: Sequence[str]) -> str:
    return f"coalesce({', '.join(f'{table}.{key}' for table in tables)})"


def _run(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    connection.execute(statement).fetchall()


def _number(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.sql(query).fetchall()[0][0])


def _as_type(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """The database gives some types back as others (times in microseconds, no type as another)."""
    if pa.types.is_null(kind):
        return pa.nulls(len(column))
    plain = plain_column(column)
    return plain if plain.type == kind else pc.cast(plain, kind)


@contextmanager
def _database_errors() -> Iterator[None]:
    """Turn what the database says of the disk into an error a user can act on."""
    import duckdb

    try:
        yield
    except (duckdb.IOException, duckdb.OutOfMemoryException) as error:
        raise OutputError(
            "output.no_room",
            f"The join needs room for its temporary files in {tempfile.gettempdir()}: {str(error).strip()}",
            "Free some space there, or let TMPDIR name a folder on a larger disk.",
        ) from error


def _check_keys_exist(tables: Sequence[Source], key: tuple[str, ...]) -> None:
    for table in tables:
        for name in key:
            if name not in table.schema.names:
                raise unknown_column(name, table.schema.names, f" {table.label}, though it is the key")


def _with_equal_keys(tables: Sequence[Source], key: tuple[str, ...]) -> list[Source]:
    """The tables with each key column of one type. Text files give texts where one has other than plain numbers."""
    typed = list(tables)
    for name in key:
        as_text = any(
            pa.types.is_string(table.schema.field(name).type) or name in table.codes for table in typed
        )
        if as_text:
            typed = [table.with_texts([name]) for table in typed]
        kinds = {_key_class(table.schema.field(name).type) for table in typed} - {"nothing"}
        if len(kinds) > 1:
            raise _different_keys(name, typed)
    return typed


def _key_class(kind: pa.DataType) -> str:
    if pa.types.is_null(kind):
        return "nothing"
    return "numbers" if pa.types.is_integer(kind) or pa.types.is_floating(kind) else str(kind)


def _different_keys(name: str, tables: Sequence[Source]) -> DataError:
    kinds = ", ".join(f"{table.schema.field(name).type} in {table.label}" for table in tables)
    return DataError(
        "data.key_types",
        f"The key {name!r} has different types: {kinds}; equal keys must be written equally.",
        "Write the key as the same type in all tables.",
    )


def _check_columns_once(tables: Sequence[Source], key: tuple[str, ...]) -> None:
    owners: dict[str, str] = {}
    for table in tables:
        for name in table.schema.names:
            if name in owners and name not in key:
                raise DataError(
                    "data.column_in_two_tables",
                    f"Column {name!r} is in {owners[name]} and in {table.label}; a name must be unique.",
                    "Name the tables, as in labs=FILE: their columns become labs__column. Or rename the column.",
                )
            owners[name] = table.label
