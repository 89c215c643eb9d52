"""Lengths of stages, learning rates, and when atoms count as settled."""

from __future__ import annotations

import numpy as np
import pytest

from pidreg_cli.config.loading import load_settings
from pidreg_cli.config.settings import Stage1Settings
from pidreg_cli.training.batches import batch_size_for
from pidreg_cli.training.stages import (
    FINAL_RATE,
    calm_epochs,
    cosine,
    smoothed,
    stage1_bound,
    stage_epochs,
    warm_up,
    window_movement,
)

STAGE = Stage1Settings(min_epochs=4, max_epochs=20, max_steps=100, window=2, tolerance=0.01, patience=3)


@pytest.mark.parametrize(("steps", "epochs"), [(1, 20), (5, 20), (10, 10), (25, 4), (1000, 4)])
def test_a_stage_is_bounded_by_steps_and_epochs(steps: int, epochs: int) -> None:
    assert stage_epochs(STAGE, steps) == epochs


def test_what_ends_stage_1_is_named() -> None:
    assert stage1_bound(stage_epochs(STAGE, 10), STAGE) == "stage1.max_steps"
    assert stage1_bound(stage_epochs(STAGE, 1), STAGE) == "stage1.max_epochs"


def test_learning_rate_rises_then_falls() -> None:
    assert warm_up(0) == pytest.approx(0.01)
    assert warm_up(99) == warm_up(5000) == 1
    assert cosine(0) == 1
    assert cosine(1) == pytest.approx(FINAL_RATE)
    assert cosine(0.5) == pytest.approx((1 + FINAL_RATE) / 2)


def test_movement_is_that_of_the_windowed_mean() -> None:
    atoms = [[0.0, 1.0], [0.2, 1.0], [0.4, 1.0]]
    assert window_movement(atoms[:2], 2) is None
    assert window_movement(atoms, 2) == pytest.approx(0.2)
    assert window_movement([*atoms, [0.2, 0.7]], 2) == pytest.approx(0.15)


def test_calm_epochs_count_in_a_row() -> None:
    assert calm_epochs(1, 0.005, STAGE) == 2
    assert calm_epochs(2, 0.01, STAGE) == 0
    assert calm_epochs(2, None, STAGE) == 0


def test_informations_are_averaged_over_epochs() -> None:
    current = np.array([0.0, 1.0])
    assert smoothed([], current) is current
    assert smoothed([0.0, 0.5], current) == pytest.approx([0, 0.75])


@pytest.mark.parametrize(("rows", "size"), [(20, 20), (100, 32), (1000, 125), (10_000, 256)])
def test_batches_leave_eight_an_epoch_where_rows_are_few(rows: int, size: int) -> None:
    assert batch_size_for(rows, load_settings("fast").training) == size


@pytest.mark.parametrize(("rows", "size"), [(128_000, 256), (129_000, 512), (300_000, 1024), (10**9, 1024)])
def test_batches_double_where_a_pass_has_many_of_them(rows: int, size: int) -> None:
    training = load_settings("balanced").training
    assert batch_size_for(rows, training) == size
    assert batch_size_for(rows, load_settings("paper").training) == 256
    assert batch_size_for(rows, training.model_copy(update={"batch_size": 2048})) == 2048
