"""From a table and its roles to what each row does: target, split and groups are read before any feature is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.arrays import TEST, TRAIN, VALID
from pidreg_cli.data.loading import STRADDLING
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.splits import PARTS, Parts, assign_parts, choose_protocol
from pidreg_cli.data.streaming.deal import Source
from pidreg_cli.data.streaming.plan import StreamPlan
from pidreg_cli.data.streaming.uses import RowUses, read_groups, read_parts
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.data.targets import see_target
from pidreg_cli.errors import UsageError


class Draws(NamedTuple):
    """Random numbers of the split, as a fit in memory draws it, and of the sample."""

    split: np.random.Generator
    sample: np.random.Generator


def open_rows(
    table: ParquetTable, roles: Roles, folds: int | Literal["auto"], plan: StreamPlan, draws: Draws
) -> tuple[Source, tuple[str, ...]]:
    """What every row does, and notices.

    Raises DataError as ``load_arrays`` of target, split and groups, and UsageError where only folds would do.
    """
    seen = see_target(table, roles.target)
    given = None if roles.split is None else read_parts(table, roles.split)
    groups = None if roles.group is None else read_groups(table, roles.group)
    present = seen.present
    parts = None if given is None else given[present]
    _check_protocol(int(present.sum()), parts, folds)
    kept = None if groups is None else groups[present]
    assigned = assign_parts(int(present.sum()), parts, kept, draws.split)
    most = {TRAIN: plan.sampled, VALID: plan.held // 2, TEST: plan.held}
    uses = RowUses.of(assigned, present, most, draws.sample)
    return Source(table, roles, uses, groups), tuple(_straddling(groups, given))


def _check_protocol(rows: int, parts: Parts | None, folds: int | Literal["auto"]) -> None:
    """Raise UsageError where rows would be scored by folds: that many passes over the table and models."""
    labels = None if parts is None else np.array(PARTS)[np.unique(parts)]
    protocol = choose_protocol(rows, folds, labels)
    if protocol.kind == "split":
        return
    why = (
        f"--folds {folds} was asked for"
        if folds != "auto"
        else "the split column has no test rows"
        if parts is not None and PARTS.index(TEST) not in parts
        else f"only {rows:,} rows have a target"
    )
    raise UsageError(
        "usage.folds_streamed",
        f"the table does not fit in the memory allowed, and is then split once, without folds; however, {why}",
        "allow more with --memory, or have test rows and --folds auto: name a split column that has some, or none "
        "(data.split_column) for 70/10/20 at random",
    )


def _straddling(groups: NDArray[np.int64] | None, parts: Parts | None) -> Iterator[str]:
    if groups is not None and parts is not None:
        pairs = np.unique(groups * len(PARTS) + parts)
        if len(pairs) > len(np.unique(pairs // len(PARTS))):
            yield STRADDLING
