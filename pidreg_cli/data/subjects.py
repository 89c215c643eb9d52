"""Rows of one subject are not independent: columns that name subjects, and whether they repeat."""

from __future__ import annotations

import re
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pidreg_cli.data.tables import ParquetTable

NAMES = "subject|patient|participant|person|individual|donor|case|mrn|pid|sub"
SUBJECT = re.compile(rf"(^|[_.\- ])({NAMES})([_.\- ]?(id|no|nr|number|key))?$", re.IGNORECASE)
"""How columns that name subjects are called."""


class Repeated(NamedTuple):
    """A column with ``values`` distinct values in more rows than that."""

    column: str
    values: int


def repeated_subjects(table: ParquetTable, group: str | None, identifier: str | None) -> Repeated | None:
    """A column that reads as a subject's identifier and repeats, where no group keeps a subject's rows together."""
    if group is not None:
        return None
    named = [column for column in table.schema.names if SUBJECT.search(column)]
    for column in dict.fromkeys([*named, *([identifier] if identifier else [])]):
        if not _labels(table.schema.field(column).type):
            continue
        values = len(pc.unique(table.read([column])[column].drop_null()))
        if 1 < values < table.rows:
            return Repeated(column, values)
    return None


def _labels(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_integer(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind))
