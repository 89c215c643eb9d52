"""The running average that is evaluated and kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pidreg_cli.network.encoders import EncoderShape
from pidreg_cli.network.pidreg import NetworkShape, PIDRegNetwork
from pidreg_cli.training.state import TrainingState
from tests.training.conftest import quick_settings

ENCODER = EncoderShape("mlp", 3, 0, 4, 8, 1, 0.0, 2, 2, 0.1, 8)
STEPS = 5  # to an epoch


def state(epochs: float) -> TrainingState:
    shape = NetworkShape((ENCODER,) * 2, 4, 0.9, 0.0, 8, 1, 8, 0.0)
    settings = quick_settings(training__weight_average=epochs).training
    return TrainingState(PIDRegNetwork(shape, torch.Generator().manual_seed(0)), settings, STEPS)


def moved(one: TrainingState, values: list[float]) -> list[tuple[float, float]]:
    """A parameter and a running mean of the average after steps that give all of either these values."""
    found = []
    for value in values:
        with torch.no_grad():
            for tensor in (*one.network.parameters(), *one.network.running_means):
                tensor.fill_(value)
        one.average()
        weights = {float(p) for parameter in one.evaluated.parameters() for p in parameter.detach().flatten()}
        means = {float(mean) for tensor in one.evaluated.running_means for mean in tensor}
        assert (len(weights), len(means)) == (1, 1)
        found.append((weights.pop(), means.pop()))
    return found


@pytest.mark.parametrize("epochs", [1.0, 2.0, 4.0])
def test_steps_count_the_less_the_longer_they_are_past_and_the_start_does_not(epochs: float) -> None:
    values = [3.0, -1.0, 4.0, 1.5, 9.0, -2.6]
    decay = 1 - 1 / (epochs * STEPS)
    for steps, found in enumerate(moved(state(epochs), values), start=1):
        weights = decay ** np.arange(steps)[::-1]
        expected = np.average(values[:steps], weights=weights)
        assert found == pytest.approx((expected, expected), rel=1e-5)


def test_without_a_horizon_the_last_step_is_all() -> None:
    assert moved(state(0.0), [3.0, -1.0, 4.0]) == [(3.0, 3.0), (-1.0, -1.0), (4.0, 4.0)]


def test_an_average_goes_on_where_it_was() -> None:
    through, first, then = state(2.0), state(2.0), state(2.0)
    values = [3.0, -1.0, 4.0, 1.5]
    expected = moved(through, values)
    moved(first, values[:2])
    then.load_tensors(first.tensors())
    then.ledger = first.ledger
    assert moved(then, values[2:]) == expected[2:]
