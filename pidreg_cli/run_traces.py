"""What a run folder keeps beside its report, read back for figures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from pidreg_cli.errors import RunError
from pidreg_cli.limited_reading import limited_bytes, refuse_special_file
from pidreg_cli.reports.traces import Epoch, HeldOut, Traces

HISTORY = "history.jsonl"
HELD_OUT = "heldout.parquet"
TEST = "test"
MOST_BYTES = 2**28
ROWS_PER_BYTE = 8
"""Of the file: a made-up one of a kilobyte could claim rows for all memory there is."""


def read_traces(folder: Path) -> Traces:
    """History and held-out rows of a run, None for a file that it does not have. Raises RunError for a broken one."""
    history, rows = folder / HISTORY, folder / HELD_OUT
    return Traces(
        training=read_history(history) if history.exists() else None,
        held_out=read_held_out(rows) if rows.exists() else None,
    )


def read_history(path: Path) -> tuple[Epoch, ...]:
    """Epochs of the model that trained last, which is the deployed one."""
    try:
        refuse_special_file(path)
        text = limited_bytes(path, MOST_BYTES).decode()
        records = [json.loads(line) for line in text.splitlines()]
        return tuple(_epoch(record) for record in records if record["model"] == records[-1]["model"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _broken(path, error) from error


def _epoch(record: dict[str, Any]) -> Epoch:
    atoms, weights = ({k: float(v) for k, v in record[part].items()} for part in ("atoms", "weights"))
    return Epoch(int(record["stage"]), atoms, weights)


def read_held_out(path: Path) -> HeldOut:
    """The test rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        refuse_special_file(path)
        if pq.read_metadata(path).num_rows > 10_000 + ROWS_PER_BYTE * path.stat().st_size:
            raise ValueError("it claims more rows than it has bytes for")
        table = pq.read_table(path, columns=["split", "y", "prediction"])
        tested = np.array(table["split"].to_pylist(), dtype=object) == TEST
        y, prediction = (table[name].to_numpy().astype(float)[tested] for name in ("y", "prediction"))
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise _broken(path, error) from error
    return HeldOut(y, prediction)


def _broken(path: Path, error: Exception) -> RunError:
    reason = str(error).partition("\n")[0]
    return RunError(
        "run.damaged",
        f"{path} is damaged: {reason}",
        "fit again, or give the run's report.json alone, which leaves out the figures that need this file",
    )
