"""The optimiser against torch's own class, and its state."""

from __future__ import annotations

import subprocess
import sys

import torch

from pidreg_cli.network.heads import Head
from pidreg_cli.training.optimiser import AdamW, Group, build_optimiser
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
    optimiser = AdamW([Group(list(own.parameters()), 0.01, 0.1)])
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
    one, two = (AdamW([Group(list(model.parameters()), 0.01, 0.0)]) for model in (first, second))
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


def test_training_does_not_load_the_compiler() -> None:
    code = (
        "import sys; from tests.training.test_objective import built; "
        "from tests.training.conftest import quick_settings; from pidreg_cli.training.state import TrainingState; "
        "state = TrainingState(built()[0], quick_settings().training, 3); state.optimiser.step(1.0); "
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
