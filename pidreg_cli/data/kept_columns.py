"""Columns that several passes read: decoded once and kept, where they take little memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pidreg_cli.data.columns import Floats, as_floats, from_numbers, is_number
from pidreg_cli.data.features import LARGEST
from pidreg_cli.data.tables import CELLS_AT_ONCE, ParquetTable
from pidreg_cli.threads import ahead

MOST_BYTES = 2**29
"""Half a gigabyte: a table whose columns take more is decoded at every pass."""
MOST_FILES = 16
"""Of more files, opened for every few columns, opening would take longer than decoding twice."""
LOOKED_AT = 10_000
"""Cells of a column, evenly spread, that show what rounding it would cost."""
FARTHEST = 8.0
"""Standard deviations between zero and the mean of a column in single precision: within as many of its mean it is off
by less than a millionth of one."""


def with_kept(
    table: ParquetTable, features: Sequence[str], others: Sequence[str], threads: int = 1
) -> ParquetTable:
    """The table with these columns in memory, unchanged where they take more than ``MOST_BYTES``; with two ``threads``
    the next columns are decoded while others are made ready.

    ``features`` that lie near zero, by their standard deviation, are kept in single precision, and all in double that
    are not; ``others`` are kept as they are. Lists are not kept, nor tables of more than ``MOST_FILES`` files.
    Raises DataError for a damaged file.
    """
    wanted = list(dict.fromkeys([*others, *features]))
    plain = all(is_number(table.schema.field(name).type) for name in wanted)
    if not plain or len(table.parts) > MOST_FILES or 4 * table.rows * len(wanted) > MOST_BYTES:
        return table
    kept: dict[str, pa.Array] = {}
    taken = 0
    ready = partial(_ready, exact=frozenset(others))
    # Those that are decoded together are made ready together: one by one, most would wait for the thread.
    with closing(ahead(ready, _cells(table, wanted), threads)) as together:
        for columns in together:
            kept |= columns
            taken += sum(cells.nbytes for cells in columns.values())
            if taken > MOST_BYTES:
                return table
    return replace(table, kept=kept)


def _ready(columns: dict[str, list[pa.Array]], exact: Collection[str]) -> dict[str, pa.Array]:
    ready = {}
    for name in list(columns):
        parts: list[Floats] = [as_floats(chunk) for chunk in columns.pop(name)]
        values = parts[0] if len(parts) == 1 else np.concatenate(parts)
        ready[name] = from_numbers(values if name in exact else _rounded(values))
    return ready


def _cells(table: ParquetTable, columns: Sequence[str]) -> Iterator[dict[str, list[pa.Array]]]:
    """All cells of a few columns at a time, of all files."""
    together = max(1, CELLS_AT_ONCE // table.rows)
    for start in range(0, len(columns), together):
        chunks: dict[str, list[pa.Array]] = {name: [] for name in columns[start : start + together]}
        for piece in table.pieces(list(chunks)):
            chunks[piece.column] += piece.cells.chunks
        yield chunks


def _rounded(values: Floats) -> NDArray[np.floating]:
    """In single precision, if that loses nothing that matters."""
    some = values[:: -(-len(values) // LOOKED_AT)]
    some = some[np.abs(some) <= LARGEST]
    if not len(some) or not abs(some.mean()) <= FARTHEST * some.std():
        return values
    with np.errstate(over="ignore"):
        single = values.astype(np.float32)
    # What single precision cannot hold is an error that names the cell as it was.
    return single if _within_range(single) else values


def _within_range(single: NDArray[np.float32]) -> bool:
    with np.errstate(over="ignore", invalid="ignore"):
        if np.isfinite(np.dot(single, single)):
            return True
    return not bool(np.isinf(single).any())
