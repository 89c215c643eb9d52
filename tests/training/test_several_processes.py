"""Processes that share a training: together they compute what one would, and notice when they no longer do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from pidreg_cli.errors import TrainingError, UsageError
from pidreg_cli.fitting import Fit, TableSource, fit_arrays, follow_arrays
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.network.whole_batch import slices
from pidreg_cli.training import encoder_choice
from pidreg_cli.training.batches import Rows
from pidreg_cli.training.fitted import Transforms, network_shape
from pidreg_cli.training.model_fit import ModelFit, ModelTask, TrainedModel
from pidreg_cli.training.objective import loss_terms
from pidreg_cli.training.processes import ALONE, LANE, Processes
from pidreg_cli.training.progress import Silent
from pidreg_cli.training.seeds import torch_generator
from tests.training.conftest import FolderStore, linear_arrays, quick_settings
from tests.training.in_threads import together

SOURCE = TableSource(("table.parquet",), "sha256:0", "target")
SETTINGS = quick_settings(
    loss__every=1, network__encoder__dropout=0.3, network__head_dropout=0.2, training__modality_dropout=0.2
)


def built(rows: int) -> tuple[PIDRegNetwork, Rows]:
    arrays = linear_arrays(rows, modalities=3)
    transforms = Transforms.fit(arrays, "quantile")
    shape = network_shape(transforms, (), SETTINGS.network)
    network = PIDRegNetwork(shape, torch.Generator().manual_seed(0))
    return network, transforms.rows(arrays, torch.device("cpu"))


def seeded(lane: int) -> torch.Generator:
    return torch_generator(0, 7, lane)


def one_step(rows: int) -> Callable[[Processes], tuple[dict[str, float], dict[str, Tensor]]]:
    """Terms of the loss of the whole batch, and what the step leaves in the network: gradients and running means."""

    def step(processes: Processes) -> tuple[dict[str, float], dict[str, Tensor]]:
        network, batch = built(rows)
        noise = processes.noise(seeded, rows)
        part = batch.part(processes.own(rows)).hidden(0.2, noise)
        terms = loss_terms(network, part, SETTINGS.loss, noise)
        torch.stack([*terms.values()]).sum().backward()  # type: ignore[no-untyped-call]
        processes.add_gradients(network.parameters())
        totals = processes.add(torch.stack([*terms.values()]).detach())
        left = {name: p.grad for name, p in network.named_parameters() if p.grad is not None}
        left |= dict(network.named_buffers())
        return dict(zip(terms, totals.tolist(), strict=True)), left

    return step


@pytest.mark.parametrize(
    ("rows", "size"),
    [(40, 2), (41, 3), (40, 7), (2 * LANE + 90, 3)],
    ids=["even", "uneven", "kernel rows of several", "lanes across processes"],
)
def test_a_step_of_several_is_that_of_one(rows: int, size: int) -> None:
    terms, left = one_step(rows)(ALONE)
    assert {"prediction", "cauchy_schwarz", "conditional", "gaussianity", "sufficiency"} == set(terms)
    for found, gradients in together(size, one_step(rows)):
        assert found == pytest.approx(terms, rel=1e-5, abs=1e-6)
        assert gradients.keys() == left.keys()
        for name, gradient in gradients.items():
            torch.testing.assert_close(gradient, left[name], rtol=1e-3, atol=2e-6, msg=name)


def test_rows_are_dealt_in_order_and_evenly() -> None:
    assert [list(range(12))[own] for own in slices(12, 5)] == [[0, 1], [2, 3], [4, 5, 6], [7, 8], [9, 10, 11]]


def test_jobs_are_dealt_so_that_all_end_at_about_the_same_time() -> None:
    costs = [5.0, 4.0, 3.0, 3.0, 3.0]
    shares = [0.0, 0.0]
    for cost, rank in zip(costs, together(2, lambda p: p.dealt(costs))[1], strict=True):
        shares[rank] += cost
    assert sorted(shares) == [8.0, 10.0]


def test_bytes_and_numbers_reach_every_process() -> None:
    def talk(processes: Processes) -> tuple[list[bytes], bytes, float]:
        mine = [b"", b"two", b"\x00three"][processes.rank]
        third = 1 / 3 + processes.rank
        return processes.of_each(mine), processes.of_first(lambda: b"first"), processes.number_of_first(third)

    assert together(3, talk) == [([b"", b"two", b"\x00three"], b"first", 1 / 3)] * 3


def test_processes_that_were_given_different_things_refuse() -> None:
    def differ(processes: Processes) -> None:
        processes.check_same({"table": f"sha256:{processes.rank}", "configuration": "same"})

    with pytest.raises(UsageError, match="process 1 has another table than process 0"):
        together(2, differ)


def trained(processes: Processes, spoil: Callable[[ModelFit], None] = lambda fit: None) -> TrainedModel:
    network, rows = built(120)
    task = ModelTask("model", 0, ("a", "b", "c"))
    parts = rows.part(slice(0, 90)), rows.part(slice(90, 120))
    fit = ModelFit(task, network.shape, parts, SETTINGS, Silent(), None, processes)
    spoil(fit)
    return fit.run()


def test_networks_are_the_same_on_all_processes_bit_by_bit_and_as_of_one() -> None:
    alone, *found = (*[trained(ALONE)], *together(2, trained))
    for name, weights in alone.network.state_dict().items():
        first, second = (model.network.state_dict()[name] for model in found)
        assert torch.equal(first, second), name
        torch.testing.assert_close(first, weights, rtol=1e-3, atol=1e-4, msg=name)
    losses = [[record.valid_loss for record in model.ledger.history] for model in (alone, *found)]
    assert losses[1] == losses[2] == pytest.approx(losses[0], rel=1e-4)


def test_weights_that_differ_in_one_bit_are_noticed() -> None:
    def spoilt(processes: Processes) -> TrainedModel:
        def spoil(fit: ModelFit) -> None:
            if processes.rank == 1:
                bits = fit.state.network.encoders[0].linear.weight.data.view(torch.int32)
                bits[0, 0] ^= 1

        return trained(processes, spoil)

    with pytest.raises(TrainingError, match="no longer agree on the weights"):
        together(2, spoilt)


def test_more_processes_than_rows_of_a_batch_are_refused() -> None:
    with pytest.raises(UsageError, match="31 processes cannot share"):
        together(31, trained)


def fitted(processes: Processes, store: FolderStore | None, **changed: object) -> Fit | None:
    settings = quick_settings(boosting__rounds=5, boosting__folds=2, **changed)
    arrays = linear_arrays(260)
    if "boosting__blocked_folds" in changed:
        arrays = linear_arrays(2000)
        arrays = replace(arrays, split=np.repeat(["train", "valid", "test"], [1400, 200, 400]))
    if processes.first:
        return fit_arrays(arrays, SOURCE, settings, Silent(), store, processes)
    follow_arrays(arrays, SOURCE, settings, processes)
    return None


def informations(fit: Fit) -> list[float]:
    return [value.value for value in fit.report.information.values]


BLOCKED: dict[str, object] = {"folds": "auto", "features__boosted": "auto", "boosting__blocked_folds": 2}


@pytest.mark.parametrize(
    "changed",
    [
        {"features__boosted": "on"},
        {"loss__sufficiency": 0.0, "folds": 2},
        {"network__encoder__kind": "auto"},
        {"network__encoder__kind": "auto", "gain": -9.0},
        {"stage2__criterion": "codes", "network__head_width": 16, "features__boosted": "off"},
        pytest.param(BLOCKED, marks=pytest.mark.slow),
    ],
    ids=["trees", "folds", "trials", "sines", "heads", "blocks"],
)
def test_a_fit_of_several_is_that_of_one(
    changed: dict[str, object], store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encoder_choice, "FEWEST_ROWS", 100)
    changed = dict(changed)
    gain = changed.pop("gain", None)
    if gain is not None:
        for bound in ("CLEAR_GAIN", "CHANCE"):
            monkeypatch.setattr(encoder_choice, bound, gain)
    alone = fitted(ALONE, None, **changed)
    first, other = together(2, lambda processes: fitted(processes, store, **changed))
    assert other is None
    assert alone is not None
    assert first is not None
    assert informations(first) == pytest.approx(informations(alone), abs=1e-4)
    predictions = [fit.outcome.deployed.model.predict(fit.arrays) for fit in (first, alone)]
    assert np.abs(predictions[0] - predictions[1]).max() < 1e-3
    criteria = [
        [record.criterion for record in fit.outcome.deployed.ledger.history] for fit in (first, alone)
    ]
    assert criteria[0] == pytest.approx(criteria[1], abs=1e-3)
    chosen = [fit.outcome.deployed.ledger.chosen for fit in (first, alone)]
    assert chosen[0] == chosen[1]
    assert gain is None or chosen == ["fourier"] * 2
    told = [record.model for record in first.outcome.deployed.ledger.history]
    assert any("trial" in model for model in told) == ("network__encoder__kind" in changed)
    assert any("block" in model for model in told) == ("boosting__blocked_folds" in changed)
    stored = alone.outcome.deployed.model.transforms.boosted
    found = first.outcome.deployed.model.transforms.boosted
    assert (found is None) == (stored is None)
    if found is not None and stored is not None:
        assert found.models == stored.models


class Interrupted(Silent):
    """Stops the fit after some epochs."""

    def __init__(self, epochs: int) -> None:
        self.left = epochs

    def epoch(self, record: object) -> None:
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("size", [1, 3])
def test_what_two_processes_began_any_number_finishes(size: int, store: FolderStore) -> None:
    settings, arrays = quick_settings(features__boosted="off"), linear_arrays(260)
    whole = fitted(ALONE, None, features__boosted="off")

    def begin(processes: Processes) -> None:
        if processes.first:
            # In the second fold: the first is not trained again.
            fit_arrays(arrays, SOURCE, settings, Interrupted(9), store, processes)
        else:
            follow_arrays(arrays, SOURCE, settings, processes)

    with pytest.raises(KeyboardInterrupt):
        together(2, begin)
    assert store.path("fold-0.safetensors") is not None
    first, *_ = together(size, lambda processes: fitted(processes, store, features__boosted="off"))
    assert first is not None
    assert whole is not None
    assert informations(first) == pytest.approx(informations(whole), abs=1e-4)
