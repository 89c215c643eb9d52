"""What a run folder keeps beside its report, read back for figures."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from pidreg_cli.errors import RunError
from pidreg_cli.limited_reading import json_memory, limited_bytes, limited_json, refuse_special_file
from pidreg_cli.memory import amount
from pidreg_cli.parquet_footer import OTHER, Footer, read_footer
from pidreg_cli.reports.traces import Epoch, Floats, HeldOut, Traces

HISTORY = "history.jsonl"
HELD_OUT = "heldout.parquet"
TEST = "test"
NUMBERS = ("y", "prediction")

MOST_BYTES = 2**28
MOST_MEMORY = 2**29
"""Of the epochs of one model: 10,000 of twelve modalities take less."""
STAGES = (1, 2)
FURTHER = ", network "
"""In the name of a network of a model, but of the first, as ``ModelTask`` gives it."""
MOST_BITS = 1e9
"""Atoms and weights lie far below; figures of numbers near the largest that there is fail."""

ROWS_PER_BYTE = 8
"""Of the file: a made-up one of a kilobyte could claim rows for all memory there is."""
BYTES_PER_CELL = 64
"""Uncompressed: numbers take 8, a name of a split and its place in a dictionary less."""
FEW_BYTES = 2**20
"""That columns of few rows may take, whatever their number."""
LARGEST = 1e40
"""Targets are numbers of single precision, and predictions lie near them."""


def read_traces(folder: Path) -> Traces:
    """History and held-out rows of a run, None for a file that it does not have. Raises RunError for a broken one."""
    history, rows = folder / HISTORY, folder / HELD_OUT
    return Traces(
        training=read_history(history) if history.exists() else None,
        held_out=read_held_out(rows) if rows.exists() else None,
    )


def read_history(path: Path) -> tuple[Epoch, ...]:
    """Epochs of the first network of the model that trained last, which is the deployed one: its codes are read."""
    try:
        refuse_special_file(path)
        return tuple(_epoch(record) for record in _records(limited_bytes(path, MOST_BYTES)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise _broken(path, error) from error


def _records(content: bytes) -> Iterator[Mapping[str, Any]]:
    """Those of the first network of the last line's model. Raises ValueError where they take too much memory."""
    if not content:
        return
    last = limited_json(content.rstrip(b"\n").rpartition(b"\n")[2])["model"].partition(FURTHER)[0]
    taken = 0
    # Of bytes: in a name JSON may hold characters that end a line of text.
    for line in BytesIO(content):
        record = limited_json(line)
        if record["model"] == last:
            taken += json_memory(line)
            if taken > MOST_MEMORY:
                raise ValueError(f"its epochs would take more than {amount(MOST_MEMORY)} of memory")
            yield record


def _epoch(record: Mapping[str, Any]) -> Epoch:
    stage = record["stage"]
    if stage not in STAGES:
        raise ValueError("an epoch of a stage that is neither 1 nor 2")
    atoms, weights = ({k: _bounded(v) for k, v in record[part].items()} for part in ("atoms", "weights"))
    return Epoch(int(stage), atoms, weights)


def _bounded(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or abs(number) > MOST_BITS:
        raise ValueError("atoms or weights that no fit comes to")
    return number


def read_held_out(path: Path) -> HeldOut:
    """The test rows."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        refuse_special_file(path)
        _check_claims(read_footer(path), path.stat().st_size)
        # As a dictionary each name of a split is held once, however long and frequent.
        with pq.ParquetFile(path, read_dictionary=["split"], pre_buffer=False) as file:
            _check_types(file.schema_arrow)
            table = file.read(columns=["split", *NUMBERS])
        tested = _tested(table["split"])
        y, prediction = (_finite(table[name].to_numpy()[tested], name) for name in NUMBERS)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, pa.ArrowException) as error:
        raise _broken(path, error) from error
    return HeldOut(y, prediction)


def _check_claims(footer: Footer, size: int) -> None:
    """Raise ValueError where the columns that are read would be much larger than their file, of ``size`` bytes."""
    if not 0 <= footer.rows <= 10_000 + ROWS_PER_BYTE * size:
        raise ValueError("it claims more rows than it has bytes for")
    for name in ("split", *NUMBERS):
        read = [chunk for chunk in footer.chunks if chunk.path == name]
        if footer.chunks and not read:
            raise ValueError(f"it has no plain column '{name}'")
        if sum(abs(chunk.size) for chunk in read) > FEW_BYTES + BYTES_PER_CELL * footer.rows:
            raise ValueError(f"the cells of '{name}' are larger than those of a run")
        if any(OTHER in (chunk.codec, *chunk.encodings) for chunk in read):
            raise ValueError(f"'{name}' is not stored as a fit stores it")


def _check_types(schema: Any) -> None:
    """Raise ValueError or KeyError for other columns than texts and two of numbers."""
    import pyarrow.types as kinds

    split = schema.field("split").type
    if not (kinds.is_dictionary(split) and _is_text(split.value_type)):
        raise ValueError(f"'split' holds {split}, not texts")
    for name in NUMBERS:
        kind = schema.field(name).type
        if not (kinds.is_floating(kind) or kinds.is_integer(kind)):
            raise ValueError(f"'{name}' holds {kind}, not numbers")


def _is_text(kind: Any) -> bool:
    import pyarrow.types as kinds

    return bool(kinds.is_string(kind) or kinds.is_large_string(kind))


def _tested(split: Any) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Which rows are of the test split, (n_rows,), from dictionaries and the place of each row in them."""
    parts = [np.zeros(0, np.bool_)]
    for chunk in split.chunks:
        test = [place for place, name in enumerate(chunk.dictionary.to_pylist()) if name == TEST]
        parts.append(np.isin(chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False), test))
    return np.concatenate(parts)


def _finite(numbers: Floats, name: str) -> Floats:
    # Looked at before they become doubles: some bits that are no number warn on the way.
    doubles = numbers.astype(np.float64) if np.isfinite(numbers).all() else None
    if doubles is None or not (np.abs(doubles) <= LARGEST).all():
        raise ValueError(f"'{name}' holds numbers that are none of a run: missing, not finite or too large")
    return doubles


def _broken(path: Path, error: Exception) -> RunError:
    reason = str(error).partition("\n")[0]
    return RunError(
        "run.damaged",
        f"{path} is damaged: {reason}",
        "fit again, or give the run's report.json alone, which leaves out the figures that need this file",
    )
