"""From the inputs of a request to the one table that is prepared: opened, named, joined, its dates read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from pidreg_cli.data.naming import check_modality_name
from pidreg_cli.data.preparation.dates import DatedSource
from pidreg_cli.data.preparation.joins import TableCounts, joined
from pidreg_cli.data.preparation.request import NamedInput, PrepareRequest
from pidreg_cli.data.sources.opening import any_text, open_source
from pidreg_cli.data.sources.renamed import RenamedSource
from pidreg_cli.data.sources.source import Source
from pidreg_cli.errors import UsageError


@dataclass(frozen=True)
class OpenedTable:
    """``source`` has all columns, dates included; ``counts`` of each table where some were joined."""

    source: Source
    counts: tuple[TableCounts, ...] = ()


@contextmanager
def opened(request: PrepareRequest) -> Iterator[OpenedTable]:
    """The table of the request, for the length of the block.

    Raises UsageError where inputs are named that are not joined, or options speak of text and none is there; DataError
    as of the readers and the join.
    """
    _check_names(request.inputs)
    _check_text_options(request)
    if request.join is None:
        yield OpenedTable(_dated(_together(request), request))
        return
    tables = [_named(one, request) for one in request.inputs]
    with joined(tables, request.join) as table:
        yield OpenedTable(_dated(table, request), table.counts)


def _together(request: PrepareRequest) -> Source:
    if len(request.inputs) == 1:
        return _named(request.inputs[0], request)
    if named := [one.modality for one in request.inputs if one.modality is not None]:
        raise UsageError(
            "usage.key",
            f"inputs are named ({', '.join(named)}), but nothing says how their rows belong together",
            "name the column that all have, as in --key subject",
        )
    return open_source([one.path for one in request.inputs], request.text)


def _named(one: NamedInput, request: PrepareRequest) -> Source:
    source = open_source([one.path], request.text)
    return (
        source if one.modality is None else RenamedSource.prefixed(source, one.modality, _own_names(request))
    )


def _own_names(request: PrepareRequest) -> set[str]:
    """Columns that keep their names in a named input, as they have a role of their own."""
    roles = request.roles
    single = {roles.target, roles.id, roles.group, roles.split_column, request.time} - {None}
    return {*(name for name in single if name is not None), *(request.join.key if request.join else ())}


def _dated(source: Source, request: PrepareRequest) -> Source:
    return DatedSource.of(source, request.dates) if request.dates else source


def _check_text_options(request: PrepareRequest) -> None:
    given = request.text.given
    if given and not any_text([one.path for one in request.inputs]):
        raise UsageError(
            "usage.text_options",
            f"{given[0]} is about text files, and no input is one",
            "leave it out",
        )


def _check_names(inputs: tuple[NamedInput, ...]) -> None:
    names = [one.modality for one in inputs if one.modality is not None]
    for name in names:
        check_modality_name(name)
        if names.count(name) > 1:
            raise UsageError(
                "usage.modality_twice", f"two inputs are named {name!r}", "give each input a name of its own"
            )
