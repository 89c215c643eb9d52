"""What is said where a device has no memory for a step of training."""

from __future__ import annotations

import torch

from pidreg_cli.errors import DeviceMemoryError
from pidreg_cli.training.processes import Processes
from pidreg_cli.training.rounds import FEWEST_ROWS, BatchPlan

CODE = "data.memory"  # as of any other lack of memory
FEWEST_CONFIGURED = 8  # rows that training.batch_size takes at least


def changed_batches(name: str, device: torch.device, before: BatchPlan, after: BatchPlan) -> str:
    """Training ``name`` goes on with smaller batches."""
    return (
        f"{name}: the memory of device '{device}' does not suffice for batches of {before.rows} rows; "
        f"training goes on from the last finished epoch with batches of {after.rows}"
    )


def no_smaller_batch(name: str, plan: BatchPlan, error: torch.OutOfMemoryError) -> DeviceMemoryError:
    """There is no memory for the smallest batches either."""
    return DeviceMemoryError(
        CODE,
        f"{name}: the device has no memory for batches of {plan.rows} rows, and none is cut to fewer than "
        f"{FEWEST_ROWS}: {first_line(error)}",
        "--resume on a device with more memory; or start over (--force) with --device cpu, fewer columns, or a smaller "
        "network (--preset fast)",
    )


def not_agreed(
    name: str, plan: BatchPlan, processes: Processes, error: torch.OutOfMemoryError
) -> DeviceMemoryError:
    """Others wait within the step that failed here: they cannot be asked to break it off, nor for smaller batches."""
    half = max(FEWEST_CONFIGURED, plan.rows // 2)
    return DeviceMemoryError(
        CODE,
        f"{name}: the device of process {processes.rank} has no memory for its part of a batch of {plan.rows} rows, "
        f"and several processes cannot change to smaller batches within a fit: {first_line(error)}",
        f"start over (--force) with --set training.batch_size={half} --set training.largest_batch={half}; or --resume "
        "with more processes, whose parts are smaller, or with a single one, which can change",
    )


def first_line(error: torch.OutOfMemoryError) -> str:
    """What torch says, without its advice."""
    return str(error).strip().partition("\n")[0]
