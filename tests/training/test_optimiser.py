"""The optimiser against torch's own class, and its state."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from pidreg_cli.network.encoders import EncoderShape
from pidreg_cli.network.heads import Head
from pidreg_cli.network.pidreg import NetworkShape, PIDRegNetwork
from pidreg_cli.training.optimiser import (
    ROOT_MEAN_SQUARE,
    AdamWGroup,
    MuonGroup,
    Optimiser,
    build_optimiser,
    orthogonal,
)
from pidreg_cli.training.state import TrainingState
from tests.training.conftest import quick_settings
from tests.training.test_objective import built


def head(seed: int = 0) -> Head:
    made = Head(3, 4, 1)
    with torch.no_grad():
        for number, parameter in enumerate(made.parameters()):
            parameter.normal_(generator=torch.Generator().manual_seed(seed + number))
    return made


def loss(model: Head, step: int, *, linear: bool = True) -> torch.Tensor:
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(step))
    return (model(x) if linear else model.linear(x)).square().sum()  # type: ignore[misc]


def test_steps_are_those_of_torch() -> None:
    own, other = head(), head()
    optimiser = Optimiser([AdamWGroup(list(own.parameters()), 0.01, 0.1)])
    reference = torch.optim.AdamW(other.parameters(), lr=0.01, weight_decay=0.1, fused=True)
    for step in range(5):
        for group in reference.param_groups:
            group["lr"] = 0.01 / (step + 1)
        for model in (own, other):
            # Without a gradient a parameter rests, its decay too.
            loss(model, step, linear=step != 2).backward()  # type: ignore[no-untyped-call]
        optimiser.step(1 / (step + 1))
        reference.step()
        optimiser.forget_gradients()
        reference.zero_grad()
    for one, two in zip(own.parameters(), other.parameters(), strict=True):
        assert one.grad is None
        assert torch.equal(one, two)


def test_the_state_goes_on_where_it_was() -> None:
    first, second = head(), head()
    one, two = (Optimiser([AdamWGroup(list(model.parameters()), 0.01, 0.0)]) for model in (first, second))
    loss(first, 0).backward()  # type: ignore[no-untyped-call]
    one.step(1.0)
    second.load_state_dict(first.state_dict())
    two.load(one.tensors())
    for model, optimiser in ((first, one), (second, two)):
        optimiser.forget_gradients()
        loss(model, 1).backward()  # type: ignore[no-untyped-call]
        optimiser.step(0.5)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))
    assert float(two.tensors()["0.step"]) == 2


def test_every_parameter_is_in_one_group_and_matrices_alone_decay() -> None:
    network, _ = built()
    settings = quick_settings(training__weight_decay=0.3, training__bottleneck_learning_rate=0.5).training
    groups = build_optimiser(network, settings).groups
    placed = [id(parameter) for group in groups for parameter in group.parameters]
    assert sorted(placed) == sorted(id(parameter) for parameter in network.parameters())
    assert [group.decay for group in groups] == [0.3, 0.0, 0.0]
    assert {parameter.ndim for parameter in groups[0].parameters} == {2, 3}
    assert [group.rate for group in groups] == [settings.learning_rate] * 2 + [0.5]
    assert all(parameter.ndim == 0 for parameter in groups[2].parameters)
    state = TrainingState(network, settings, 10)
    assert sum(name.startswith("optimiser.") for name in state.tensors()) == 3 * len(placed)


def sines() -> PIDRegNetwork:
    encoder = EncoderShape("fourier", 3, 1, 8, 16, 2, 0.0, 4, 4, 0.1, 12, 2)
    return PIDRegNetwork(
        NetworkShape((encoder, replace(encoder, kind="mlp")), 8, 0.9, 0.0, 16, 1, 16, 0.2),
        torch.Generator().manual_seed(0),
    )


def test_an_update_is_the_nearest_orthogonal_matrix_or_about() -> None:
    for shape in ((6, 20), (20, 6), (9, 9), (1, 5)):
        matrix = torch.randn(shape, generator=torch.Generator().manual_seed(sum(shape)))
        left, _, right = torch.linalg.svd(matrix, full_matrices=False)
        found = orthogonal(matrix)
        nearest = left @ right
        made = torch.linalg.svdvals(found)
        assert float(made.min()) > 0.6
        assert float(made.max()) < 1.3
        # The same singular vectors, whatever the scale.
        assert float((found * nearest).sum()) == pytest.approx(float(made.sum()), rel=1e-4)
        assert torch.allclose(orthogonal(1e-6 * matrix), found, atol=1e-4)


def test_a_gradient_of_zeros_is_no_direction() -> None:
    assert torch.equal(orthogonal(torch.zeros(3, 4)), torch.zeros(3, 4))
    # Whose squares are zeros in single precision.
    assert float(orthogonal(torch.full((3, 4), 1e-24)).abs().max()) < 1e-6


def test_muon_moves_matrices_of_sines_alone_as_it_is_told() -> None:
    network = sines()
    settings = quick_settings(training__waves_learning_rate=0.1, training__waves_weight_decay=0.5).training
    *others, muon = build_optimiser(network, settings).groups
    assert isinstance(muon, MuonGroup)
    # Two layers of sines, the map between them, two hidden layers and the output; not the linear path.
    assert {id(p) for p in muon.parameters} == {id(p) for p in network.encoders[0].wave_matrices()}  # type: ignore[operator]
    assert len(muon.parameters) == 6
    placed = [id(p) for group in [*others, muon] for p in group.parameters]
    assert sorted(placed) == sorted(id(p) for p in network.parameters())
    matrix = muon.parameters[0]
    before, rows = matrix.detach().clone(), max(matrix.shape)
    matrix.grad = torch.randn(matrix.shape, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        muon.step(0.5)
    moved = (1 - 0.5 * 0.1 * 0.5) * before - matrix.detach()
    expected = 0.5 * 0.1 * ROOT_MEAN_SQUARE * rows**0.5 * orthogonal(matrix.grad)
    assert torch.allclose(moved, expected, atol=1e-5)
    assert (
        len(build_optimiser(network, quick_settings(training__waves_learning_rate=None).training).groups) == 3
    )


def test_momentum_goes_on_where_it_was() -> None:
    settings = quick_settings(training__waves_learning_rate=0.1).training
    one, two = TrainingState(sines(), settings, 3), TrainingState(sines(), settings, 3)

    def step(state: TrainingState, seed: int) -> None:
        noise = torch.Generator().manual_seed(seed)
        for p in state.network.parameters():
            p.grad = torch.randn(p.shape, generator=noise)
        state.optimiser.step(1.0)

    step(one, 1)
    two.load_tensors(one.tensors())
    for state in (one, two):
        step(state, 2)
    pairs = zip(one.network.parameters(), two.network.parameters(), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_training_does_not_load_the_compiler() -> None:
    code = (
        "import sys; from tests.training.test_objective import built; "
        "from tests.training.conftest import quick_settings; from pidreg_cli.training.state import TrainingState; "
        "state = TrainingState(built()[0], quick_settings().training, 3); state.optimiser.step(1.0); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
