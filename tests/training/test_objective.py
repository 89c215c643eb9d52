"""The loss as a whole: which terms there are, and that each moves what it should."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from pidreg_cli.network.losses.cauchy_schwarz import sliced_cs_to_normal
from pidreg_cli.network.losses.gaussianity import joint_gaussianity, mixing_directions
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.training.batches import Rows
from pidreg_cli.training.fitted import Transforms, network_shape
from pidreg_cli.training.objective import code_terms, loss_terms, random_subsets
from tests.training.conftest import linear_arrays, quick_settings


def built(modalities: int = 2) -> tuple[PIDRegNetwork, Rows]:
    arrays = linear_arrays(64, modalities=modalities)
    transforms = Transforms.fit(arrays, "quantile")
    shape = network_shape(transforms, (), quick_settings().network)
    network = PIDRegNetwork(shape, torch.Generator().manual_seed(0))
    return network, transforms.rows(arrays, torch.device("cpu"))


def terms(network: PIDRegNetwork, rows: Rows, **changed: object) -> dict[str, torch.Tensor]:
    return loss_terms(network, rows, quick_settings(**changed).loss, torch.Generator().manual_seed(1))


def test_every_term_is_there_and_reaches_the_encoders() -> None:
    network, rows = built()
    found = terms(network, rows)
    assert set(found) == {"prediction", "cauchy_schwarz", "conditional", "gaussianity", "sufficiency"}
    for name, term in found.items():
        network.zero_grad()
        term.backward(retain_graph=True)  # type: ignore[no-untyped-call]
        moved = [p.grad for encoder in network.encoders for p in encoder.parameters() if p.grad is not None]
        assert sum(float(g.abs().sum()) for g in moved) > 0, name


@pytest.mark.parametrize("term", ["cauchy_schwarz", "conditional", "gaussianity", "sufficiency"])
def test_a_weight_of_zero_leaves_a_term_out_and_a_weight_scales_it(term: str) -> None:
    network, rows = built()
    assert term not in terms(network, rows, **{f"loss__{term}": 0.0})
    single = terms(network, rows, **{f"loss__{term}": 0.5})[term].item()
    double = terms(network, rows, **{f"loss__{term}": 1.0})[term].item()
    assert double == pytest.approx(2 * single, rel=1e-5)


def test_kernel_terms_enter_every_so_many_steps_with_so_many_times_their_weight() -> None:
    network, rows = built()
    settings = quick_settings(loss__every=3).loss
    found = [loss_terms(network, rows, settings, torch.Generator().manual_seed(1), step) for step in range(4)]
    assert ["gaussianity" in step for step in found] == [True, False, False, True]
    always = terms(network, rows, loss__every=1)
    for name in ("cauchy_schwarz", "conditional", "gaussianity"):
        assert found[0][name].item() == pytest.approx(3 * always[name].item(), rel=1e-5)
    assert found[1]["sufficiency"].item() > 0


def test_terms_computed_side_by_side_are_those_of_each_alone() -> None:
    network, rows = built(modalities=3)
    settings = quick_settings(loss__every=1).loss
    # In double precision: divergences are small differences, whose last single digits depend on the processor.
    codes = [code.double() for code in network.encode(rows.inputs, None)]
    rows = replace(rows, score=rows.score.double(), inputs=[block.double() for block in rows.inputs])
    found = code_terms(codes, rows, settings, torch.Generator().manual_seed(1))
    noise, k = torch.Generator().manual_seed(1), settings.directions
    parts = [code[: settings.rows] for code in codes]
    divergences = [sliced_cs_to_normal(part, settings.bandwidth, k, noise) for part in parts]
    directions = mixing_directions(sum(part.shape[1] for part in parts), k, noise, parts[0])
    joint = joint_gaussianity(rows.score[: settings.rows], parts, settings.bandwidth, directions)
    assert found["cauchy_schwarz"].item() == pytest.approx(
        settings.cauchy_schwarz * sum(d.item() for d in divergences), rel=1e-9
    )
    assert found["gaussianity"].item() == pytest.approx(settings.gaussianity * joint.item(), rel=1e-9)


def test_one_modality_has_no_conditional_term() -> None:
    network, rows = built(modalities=1)
    assert "conditional" not in terms(network, rows)


def test_heads_learn_from_sufficiency_alone() -> None:
    network, rows = built(modalities=3)
    found = terms(network, rows)
    found["sufficiency"].backward()  # type: ignore[no-untyped-call]
    assert all(p.grad is not None for p in network.subset_head.parameters())
    assert all(p.grad is not None for p in network.heads.parameters())
    assert all(p.grad is None for p in network.predictor.parameters())


def test_random_subsets_are_of_every_size_and_fair() -> None:
    flags = random_subsets(6000, 3, torch.Generator().manual_seed(0), torch.device("cpu")).numpy()
    sizes, counts = np.unique(flags.sum(1), return_counts=True)
    assert sizes.tolist() == [1, 2, 3]
    assert counts == pytest.approx([2000] * 3, rel=0.08)
    assert flags.mean(0) == pytest.approx([2 / 3] * 3, abs=0.03)


def test_batches_are_a_permutation_of_the_rows() -> None:
    _, rows = built()
    numbered = replace(rows, target=torch.arange(64.0))
    generator = torch.Generator().manual_seed(0)
    first, second = (torch.cat([b.target for b in numbered.batches(16, generator)]) for _ in range(2))
    assert torch.equal(first.sort().values, torch.arange(64.0))
    assert not torch.equal(first, second)
    assert [len(b) for b in numbered.batches(30, generator)] == [30, 30]


def test_hiding_modalities_leaves_each_row_one_that_it_has() -> None:
    arrays = linear_arrays(400, modalities=3)
    lacking = {name: block.copy() for name, block in arrays.features.items()}
    lacking["a"][:200] = np.nan
    lacking["b"][:100] = np.nan
    arrays = replace(arrays, features=lacking)
    rows = Transforms.fit(arrays, "quantile").rows(arrays, torch.device("cpu"))
    hidden = rows.hidden(0.7, torch.Generator().manual_seed(0))
    gone = torch.stack(
        [(own - none).abs().sum(1) == 0 for own, none in zip(hidden.inputs, rows.absent, strict=True)],
        1,
    )
    assert not gone.all(1).any()
    assert not gone[:100, 2].any()  # the one modality that these rows have
    assert gone[~rows.present].all()
    # Drawn with .7, but for the rows of which all three were drawn.
    assert float(gone[200:].float().mean()) == pytest.approx(0.7 - 0.7**3, abs=0.06)
    kept = ~gone[:, 2]
    assert torch.equal(hidden.inputs[2][kept], rows.inputs[2][kept])
