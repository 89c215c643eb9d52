"""Whether a table is fitted in memory or streamed, and the way from its files to rows dealt for training."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import TRAIN
from pidreg_cli.data.batches import BlockReader
from pidreg_cli.data.loading import blurring
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.streaming.deal import DealtTable, deal_table
from pidreg_cli.data.streaming.opening import Draws, open_rows
from pidreg_cli.data.streaming.plan import StreamPlan, TableSize
from pidreg_cli.data.streaming.sharing import Sharing
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.errors import OutputError, RunError, UsageError
from pidreg_cli.limited_reading import limited_bytes, limited_json, refuse_special_file
from pidreg_cli.memory import amount, available_bytes, bytes_of, resident_bytes
from pidreg_cli.runs import STREAMING, RunBuilder
from pidreg_cli.training.processes import ALONE, Processes, lost
from pidreg_cli.training.progress import Progress
from pidreg_cli.training.seeds import Stream, numpy_generator

SPARE = 0.8
"""Of the memory that is available, what a fit takes unasked: the estimate is one, and others live here too."""
MOST_BYTES = 2**16  # of the plan that is kept: a few numbers


@dataclass(frozen=True)
class Way:
    """How a table is fitted: in memory, or by ``plan``. ``notice``: which and why, None where nobody need know."""

    plan: StreamPlan | None
    notice: str | None


def choose_way(table: ParquetTable, roles: Roles, settings: Settings, sharing: int = 1) -> Way:
    """By size: streamed where a fit in memory would take more than ``settings.memory``, or than there is.

    ``sharing``: processes that fit on this machine, each as much as this one.

    Raises UsageError where the limit is too small for the table, and DataError for lists without any element.
    """
    widths = BlockReader.of(table, roles.modalities).names
    size = TableSize(table.rows, sum(map(len, widths.values())), len(widths), roles.group is not None)
    if settings.memory is not None:
        limit = bytes_of(settings.memory)
        needs = f"{_needs(size)}, and {amount(limit)} are allowed (memory)"
        if size.in_memory <= limit:
            return Way(None, f"the table is read into memory: {needs}")
        return Way(StreamPlan.of(size, limit), f"the table is streamed: {needs}")
    limit = resident_bytes() + int(SPARE * available_bytes() / sharing)
    if size.in_memory <= limit:
        return Way(None, None)
    needs = f"{_needs(size)}, and {amount(limit)} are to be had (--memory sets a limit)"
    try:
        return Way(StreamPlan.of(size, limit), f"the table is streamed: {needs}")
    except UsageError:
        # The estimate may err, and memory become free: nobody asked to stay below.
        return Way(None, f"the table is read into memory, as there is too little to stream it, too: {needs}")


def _needs(size: TableSize) -> str:
    return f"a fit in memory would take about {amount(size.in_memory)}"


def stored_way(run: RunBuilder) -> Way | None:
    """The way of the run that is continued, whatever memory there is now. Raises RunError for a damaged file."""
    if not run.resumed:
        return None
    path = run.checkpoints.path(STREAMING)
    if path is None:
        # An interrupted fit in memory; one that had stored nothing has nothing to go on from.
        return Way(None, None) if run.holds_work else None
    try:
        refuse_special_file(path)
        plan = _plan(limited_json(limited_bytes(path, MOST_BYTES)))
    except (OSError, ValueError, TypeError) as error:
        raise RunError(
            "run.checkpoint", f"{path} cannot be read: {error}", "start again with --force"
        ) from error
    return Way(plan, f"the table is streamed within {amount(plan.limit)}, as before the interruption")


def _plan(document: Any) -> StreamPlan:
    """Raises TypeError or ValueError for anything but the sizes of a plan."""
    plan = StreamPlan.from_document(document)
    if any(type(size) is not int or size < 1 for size in plan.to_document().values()):
        raise ValueError("its sizes are none")
    return plan


def shared(processes: Processes) -> Sharing:
    """How the processes of a machine share what is read of a table."""

    def wait() -> None:
        processes.add(torch.zeros(1))

    return Sharing(processes.place.local_rank, processes.place.local_size, wait)


@contextmanager
def shared_folder(own: Path | None, processes: Processes) -> Iterator[Path]:
    """The folder of the first process of this machine, which gives its ``own``, for a block that uses it.

    Raises ProcessError for what fails within because that process ended, and the folder with it.
    """
    told = processes.of_each(b"" if own is None else os.fsencode(own.absolute()))
    place = processes.place
    # torchrun numbers the processes of a machine one after the other, as ``Place`` sees to.
    folder = Path(os.fsdecode(told[place.rank - place.local_rank]))
    try:
        yield folder
    except (OutputError, RunError) as error:
        if own is not None or folder.is_dir():
            raise
        # It says why before this wait ends, as its connections do.
        processes.add(torch.zeros(1))
        raise lost() from error


def keep_way(run: RunBuilder, plan: StreamPlan) -> None:
    """Remember how a run was begun."""
    run.checkpoints.write(STREAMING, json.dumps(plan.to_document()).encode())


def streamed_settings(settings: Settings, progress: Progress) -> Settings:
    """Settings of a streamed fit: without boosted trees, which a notice says. Raises UsageError where they were asked
    for.
    """
    use = settings.features.boosted
    if use == "off":
        return settings
    if use == "on":
        raise UsageError(
            "usage.boosted_streamed",
            "features.boosted is on, but the table does not fit in the memory allowed, and trees are fitted in memory",
            "allow more with --memory, or --set features.boosted=off",
        )
    progress.notice("boosted trees are left out: they are fitted on tables in memory only (features.boosted)")
    return settings.model_copy(update={"features": settings.features.model_copy(update={"boosted": "off"})})


def deal(
    table: ParquetTable,
    roles: Roles,
    settings: Settings,
    plan: StreamPlan,
    folder: Path,
    progress: Progress,
    processes: Processes = ALONE,
) -> DealtTable:
    """Read the table and deal its training rows to files in ``folder``, an empty one. Raises PidregError.

    The processes of a machine deal a share of the rows each, to the same folder.
    """

    def rng(stream: Stream) -> np.random.Generator:
        # The split is the one of a fit in memory, whose model has number 0.
        return numpy_generator(settings.seed, stream, 0)

    draws = Draws(rng(Stream.SPLIT), rng(Stream.STREAMED_SAMPLE))
    source, notices = open_rows(table, roles, settings.folds, plan, draws)
    counts = source.uses.counts
    progress.notice(
        f"reading {table.rows:,} rows: {counts[TRAIN]:,} to train, from files in {folder}; "
        f"{len(source.uses.positions):,} stay in memory"
    )
    key = int(rng(Stream.STREAMED_DEAL).integers(2**63))
    dealt = deal_table(source, plan, folder, key, shared(processes))
    blurred = (blurring(name, facts.blurred) for name, facts in dealt.facts.items() if facts.blurred)
    for notice in (*notices, *blurred):
        progress.notice(notice)
    return dealt
