"""The sufficiency term: what a code holds of Y' on rows that trained nothing, by a regression that is not its head."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from sklearn.linear_model import RidgeCV
from torch import Tensor

from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.training.batches import Rows
from pidreg_cli.training.fitted import Transforms, network_shape
from pidreg_cli.training.objective import loss_terms, sufficiency
from pidreg_cli.training.reading import read
from tests.training.conftest import quick_settings

TRAIN, PROBE, NEW = (slice(0, 600), slice(600, 1200), slice(1200, 1800))
Terms = Callable[[dict[str, Tensor]], Tensor]


def curved_arrays(modalities: int) -> MultimodalArrays:
    """The target is a sum of squares of each first feature, and noise; the first modality says most."""
    rng = np.random.default_rng(0)
    names = "abc"[:modalities]
    features = {name: rng.normal(size=(1800, 3)).astype(np.float32) for name in names}
    gains = [1.0] + [0.5] * (modalities - 1)
    squares = [np.square(block[:, 0].astype(float)) for block in features.values()]
    target = np.asarray(sum(g * s for g, s in zip(gains, squares, strict=True))) + 0.2 * rng.normal(size=1800)
    columns = {name: tuple(f"{name}__{i}" for i in range(3)) for name in names}
    return MultimodalArrays(features, columns, target, np.arange(1800))


def hidden_copy() -> MultimodalArrays:
    """Both modalities tell the target, but ``b`` as the product of two columns: whoever has ``a`` need not find it."""
    rng = np.random.default_rng(0)
    target, *noise = rng.normal(size=(5, 1800))
    sign = rng.choice([-1.0, 1.0], 1800)
    blocks = {"a": (target + 0.1 * noise[0], noise[1]), "b": (sign * target, sign, noise[2])}
    features = {name: np.column_stack(block).astype(np.float32) for name, block in blocks.items()}
    columns = {name: tuple(f"{name}__{i}" for i in range(len(block))) for name, block in blocks.items()}
    return MultimodalArrays(features, columns, target, np.arange(1800))


def built(arrays: MultimodalArrays, width: int = 8) -> tuple[PIDRegNetwork, Rows]:
    """A network that was not trained, and all rows as it reads them."""
    train = arrays.take(np.arange(1800)[TRAIN])
    transforms = Transforms.fit(train, "quantile")
    settings = quick_settings(network__code_dim=width, network__encoder__dropout=0.0).network
    network = PIDRegNetwork(network_shape(transforms, (), settings), torch.Generator().manual_seed(0))
    return network, transforms.rows(arrays, torch.device("cpu"))


def trained(network: PIDRegNetwork, rows: Rows, wanted: Terms, steps: int = 150) -> PIDRegNetwork:
    """After steps on the training rows; ``wanted`` chooses from the terms of the loss."""
    settings = quick_settings(loss__sufficiency=1.0, loss__every=1).loss
    noise = torch.Generator().manual_seed(1)
    optimiser = torch.optim.Adam(network.parameters(), lr=0.01)
    batch = rows.take(torch.arange(1800)[TRAIN])
    for _ in range(steps):
        optimiser.zero_grad()
        wanted(loss_terms(network, batch, settings, noise)).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return network


def codes_r2(network: PIDRegNetwork, rows: Rows) -> NDArray[np.float64]:
    """R2 of Y' by ridge regression on each code: fitted on rows that trained nothing, scored on others."""
    score = rows.score.numpy()
    found = []
    for code in read(network, rows.inputs, []).codes:
        model = RidgeCV(np.logspace(-2, 3, 6)).fit(code[PROBE], score[PROBE])
        found.append(model.score(code[NEW], score[NEW]))
    return np.array(found)


@pytest.mark.parametrize("modalities", [1, 2, 3])
def test_descent_on_sufficiency_raises_what_each_code_says_of_new_rows(modalities: int) -> None:
    network, rows = built(curved_arrays(modalities))
    before = codes_r2(network, rows)
    after = codes_r2(trained(network, rows, lambda terms: terms["sufficiency"]), rows)
    assert (after > before + 0.05).all(), (before, after)


def test_sufficiency_feeds_the_modality_that_prediction_alone_starves() -> None:
    arrays, rows = hidden_copy(), built(hidden_copy())[1]
    alone = codes_r2(trained(built(arrays)[0], rows, lambda terms: terms["prediction"]), rows)
    fed = codes_r2(
        trained(built(arrays)[0], rows, lambda terms: terms["prediction"] + terms["sufficiency"]), rows
    )
    assert alone[0] > 0.7
    assert fed[0] > 0.7
    assert fed[1] > alone[1] + 0.2, (alone, fed)


@pytest.mark.parametrize(("modalities", "width"), [(1, 4), (2, 8), (3, 16)])
def test_sufficiency_is_larger_the_less_the_codes_hold_of_the_target(modalities: int, width: int) -> None:
    network, rows = built(curved_arrays(modalities), width)
    trained(network, rows, lambda terms: terms["sufficiency"])
    with torch.no_grad():
        codes = network.encode(rows.inputs, None)
        order = torch.randperm(1800, generator=torch.Generator().manual_seed(2))

        def term(share: float) -> float:
            blurred = [(1 - share) * code + share * code[order] for code in codes]
            return float(sufficiency(network, blurred, rows.score, torch.Generator().manual_seed(3)))

        values = [term(share) for share in (0.0, 0.3, 0.6, 1.0)]
    assert values == sorted(values)
    assert values[-1] > 1.5 * values[0]
