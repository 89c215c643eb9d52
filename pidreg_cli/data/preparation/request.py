"""What ``prepare`` is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from pidreg_cli.data.preparation.joins import JoinRequest
from pidreg_cli.data.roles import RoleRequest
from pidreg_cli.data.sources.text_options import TextOptions

SplitKind = Literal["auto", "random", "group", "time", "stratified", "none"]
# Columns that one-hot encoding makes of a column of texts at most, unless asked otherwise.
CATEGORY_LIMIT = 32


@dataclass(frozen=True)
class NamedInput:
    """A table; with ``modality`` its columns are features of that modality, unless they have another role."""

    path: str
    modality: str | None = None


@dataclass(frozen=True)
class DateRequest:
    """A column of dates: read in ``format`` (strptime; None: ISO 8601), or put together from ``parts``.

    ``parts`` are columns of year, month, day, and as far as there are more, hour, minute, second. ``optional``: a
    table that has none of the columns goes without the date.
    """

    column: str
    format: str | None = None
    parts: tuple[str, ...] = ()
    optional: bool = False

    @property
    def sources(self) -> tuple[str, ...]:
        """Columns that are read."""
        return self.parts or (self.column,)


@dataclass(frozen=True)
class CategoryRequest:
    """How texts become numbers: one-hot up to ``limit`` columns, or by place in an order, for columns (globs).

    ``ordinal`` maps a column to its values in order, or to nothing for the order of the alphabet.
    """

    one_hot: tuple[str, ...] = ()
    ordinal: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    limit: int = CATEGORY_LIMIT


@dataclass(frozen=True)
class PrepareRequest:
    """All of it. ``keep`` are columns (globs) without a role that stay; ``drop_useless`` leaves out columns that
    are constant, nearly empty or the same as another of their modality.
    """

    inputs: tuple[NamedInput, ...]
    roles: RoleRequest = field(default_factory=RoleRequest)
    text: TextOptions = field(default_factory=TextOptions)
    join: JoinRequest | None = None
    categories: CategoryRequest = field(default_factory=CategoryRequest)
    dates: tuple[DateRequest, ...] = ()
    split: SplitKind = "auto"
    time: str | None = None
    keep: tuple[str, ...] = ()
    drop_useless: bool = True
    seed: int = 0
