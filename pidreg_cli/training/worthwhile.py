"""How many processes are worth their start, and fit into memory, for trainings that do not need each other."""

from __future__ import annotations

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.memory import available_bytes, bytes_of, resident_bytes
from pidreg_cli.training.model_fit import most_steps

STEPS_WORTH_PROCESSES = 2000
"""In all trainings together: they take five seconds or more, and the start of a process takes two."""
PROCESS_BYTES = 500_000_000  # of memory that a process takes before it holds rows
TABLES_IN_PROCESS = 4
"""As much memory as so many tables of features, in single precision: rows as they came, and as networks read them."""


def worthwhile_processes(trainings: int, rows: int, arrays: MultimodalArrays, settings: Settings) -> int:
    """For ``trainings`` on ``rows`` rows of a table each, one or more: 1 where they are short or memory is."""
    if trainings * most_steps(rows, settings) < STEPS_WORTH_PROCESSES:
        return 1
    table = sum(block.nbytes for block in arrays.features.values())
    spare = available_bytes()
    if settings.memory is not None:
        spare = min(spare, max(0, bytes_of(settings.memory) - resident_bytes()))
    return max(1, min(trainings, spare // (PROCESS_BYTES + TABLES_IN_PROCESS * table)))
