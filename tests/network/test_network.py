"""The network: who sees what, what is random, what is not."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import pytest
import torch

from pidreg_cli.network.bottleneck import LinearNoiseBottleneck
from pidreg_cli.network.encoders import (
    BINS,
    Encoder,
    EncoderShape,
    FoldedFourierEmbedding,
    FourierEmbedding,
    PiecewiseEmbedding,
)
from pidreg_cli.network.fusion import LEAST, Fusion, hadamard_products, pair_indices
from pidreg_cli.network.heads import Head, SubsetHead
from pidreg_cli.network.noise import dropout
from pidreg_cli.network.pidreg import ModalityInput, NetworkShape, PIDRegNetwork
from pidreg_cli.network.stored import restored, shape_from

SHAPE = EncoderShape("periodic", 3, 1, 8, 16, 2, 0.2, 4, 4, 0.1, 12)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(modalities: int = 2, seed: int = 0, floor: float = 0.0) -> PIDRegNetwork:
    shape = NetworkShape((SHAPE,) * modalities, 8, 0.9, floor, 16, 1, 16, 0.2)
    return PIDRegNetwork(shape, generator(seed))


def inputs(modalities: int = 2, rows: int = 40, seed: int = 1) -> list[ModalityInput]:
    noise = generator(seed)
    return [
        torch.cat(
            [torch.randn(rows, 3, generator=noise), (torch.rand(rows, 1, generator=noise) < 0.3).float()], -1
        )
        for _ in range(modalities)
    ]


@pytest.mark.parametrize("kind", ["periodic", "piecewise", "fourier", "mlp", "linear"])
def test_encoders_have_the_shape_of_a_code_and_learn(kind: str) -> None:
    encoder = Encoder(replace(SHAPE, kind=kind))
    if encoder.embedding is not None:
        encoder.embedding.reset(generator())
    code = encoder(inputs()[0], generator())
    assert code.shape == (40, 8)
    code.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in encoder.parameters())


def test_waves_bend_combinations_of_features_and_keep_the_features() -> None:
    embedding = FourierEmbedding(4, 1000, 0.25)
    embedding.reset(generator())
    x = torch.randn(500, 4, generator=generator(1))
    embedded = embedding(x)
    assert torch.equal(embedded[:, :4], x)
    # One feature moved changes every wave; an angle varies by 2 pi scale over standardised features.
    moved = embedding(x + torch.tensor([1.0, 0, 0, 0]))[:, 4:]
    assert bool(((moved - embedded[:, 4:]).abs().amax(0) > 1e-4).all())
    angles = x @ embedding.directions.detach().T
    assert float(angles.std()) == pytest.approx(2 * torch.pi * 0.25, rel=0.05)


def test_a_further_layer_of_waves_reads_combinations_of_the_first_and_keeps_the_features() -> None:
    embedding = FoldedFourierEmbedding(4, 50, 0.25, 3, 8)
    for layer in embedding.layers:
        layer.reset(generator())  # type: ignore[operator]
    x = torch.randn(300, 4, generator=generator(1))
    embedded = embedding(x)
    assert embedded.shape == (300, 4 + 8 + 50)
    assert torch.equal(embedded[:, :4], x)
    combined = embedding.maps[1](embedding.layers[1](embedding.maps[0](embedding.layers[0](x))))
    assert torch.allclose(embedded[:, 4:], embedding.layers[2](combined), atol=1e-6)
    with torch.no_grad():
        for layer in embedding.maps:
            layer.weight.zero_()  # type: ignore[operator, union-attr]
    rest = embedding(x)[:, 4:]
    assert torch.equal(rest, rest[:1].expand_as(rest))


@pytest.mark.parametrize("layers", [1, 2])
def test_matrices_of_waves_are_all_but_the_linear_path(layers: int) -> None:
    encoder = Encoder(replace(SHAPE, kind="fourier", wave_layers=layers))
    found = encoder.wave_matrices()
    # Of sines, of hidden layers and the output, and of the maps between layers of sines.
    assert len(found) == layers + (layers - 1) + SHAPE.depth + 1
    assert all(matrix is not encoder.linear.weight for matrix in found)
    assert Encoder(SHAPE).wave_matrices() == []


def test_piecewise_bins_resolve_a_step_and_rest_beyond_their_edges() -> None:
    embedding = PiecewiseEmbedding(1, 1)
    with torch.no_grad():
        embedding.weight.zero_()
        embedding.weight[0, 8] = 1.0  # the bin that starts at the median
        embedding.bias.zero_()
        x = torch.tensor([-9.0, -0.1, 0.0, float(embedding.edges[9]), 2.0, 9.0])[:, None]
        assert torch.allclose(embedding(x).squeeze(), torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0, 1.0]))
    assert len(embedding.edges) == BINS + 1
    assert float(embedding.edges[8]) == pytest.approx(0, abs=1e-6)


def test_dropout_of_heads_is_drawn_in_training_only() -> None:
    head = Head(3, 64, 1, rate=0.5)
    x = torch.randn(4, 3, generator=generator())
    assert torch.equal(head(x), head(x))
    assert not torch.equal(head(x, generator()), head(x))
    assert torch.equal(head(x, generator()), head(x, generator()))


def test_a_linear_encoder_is_linear() -> None:
    encoder = Encoder(replace(SHAPE, kind="linear"))
    a, b = inputs()
    with torch.no_grad():
        middle = encoder((a + b) / 2, None)
        assert torch.allclose(middle, (encoder(a, None) + encoder(b, None)) / 2, atol=1e-6)


def test_without_fusion_weight_a_code_reaches_the_predictor_by_the_floor_alone() -> None:
    rows = inputs()
    for floor, reached in ((0.5, True), (0.0, False)):
        net = network(floor=floor)
        net.fusion.weights.copy_(torch.tensor([1.0, 0.0, 0.0]))
        codes = net.encode(rows, None)
        changed = [codes[0], codes[1] + 1]
        assert torch.equal(net.predict(codes), net.predict(changed)) is not reached


def test_a_code_sees_its_own_modality_alone() -> None:
    net = network()
    values, others = rows = inputs()
    values.requires_grad_()
    others.requires_grad_()
    net.encode(rows, None)[0].sum().backward()
    assert values.grad is not None
    assert others.grad is None


def test_evaluation_is_a_function_of_the_row() -> None:
    net = network()
    rows = inputs()
    with torch.no_grad():
        whole = net.predict(net.encode(rows, None))
        alone = net.predict(net.encode([flat[:1] for flat in rows], None))
    assert torch.allclose(whole[:1], alone, atol=1e-6)


def test_equal_seeds_draw_equal_parameters_whatever_the_global_state() -> None:
    first = network(seed=3).state_dict()
    torch.rand(7)
    second = network(seed=3).state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], value) for name, value in network(seed=4).state_dict().items())


def test_training_draws_from_the_generator_alone() -> None:
    rows = inputs()
    first, second = network(), network()
    codes = first.encode(rows, generator(5))
    torch.rand(7)
    assert all(torch.equal(a, b) for a, b in zip(codes, second.encode(rows, generator(5)), strict=True))
    other = network().encode(rows, generator(6))
    assert not torch.equal(codes[0], other[0])


def test_bottleneck_keeps_the_mean_and_mixes_noise_of_the_batch_moments() -> None:
    gate = LinearNoiseBottleneck(2, 0.7)
    h = torch.randn(20_000, 2, generator=generator()) * torch.tensor([1.0, 3.0]) + torch.tensor([5.0, -1.0])
    with torch.no_grad():
        code = gate(h, generator(1))
    assert float(gate.share.detach()) == pytest.approx(0.7)
    assert torch.allclose(code.mean(0), h.mean(0), atol=0.05)
    expected = (0.7**2 + 0.3**2) ** 0.5 * h.std(0)
    assert torch.allclose(code.std(0), expected, rtol=0.02)


def test_a_bottleneck_of_codes_that_do_not_vary_has_a_gradient() -> None:
    h = torch.ones(6, 2, requires_grad=True)
    LinearNoiseBottleneck(2, 0.7)(h, generator()).square().sum().backward()
    assert h.grad is not None
    assert torch.isfinite(h.grad).all()


def test_bottleneck_evaluates_with_its_running_mean() -> None:
    gate = LinearNoiseBottleneck(1, 0.8)
    h = torch.full((10, 1), 4.0)
    with torch.no_grad():
        for _ in range(300):
            gate(h, generator())
        assert torch.allclose(gate(torch.zeros(1, 1), None), torch.tensor([[0.2 * 4.0]]), atol=1e-3)


def test_fusion_is_the_weighted_sum_of_codes_and_products() -> None:
    codes = [torch.randn(5, 3, generator=generator(i)) for i in range(3)]
    fusion = Fusion(3)
    weights = torch.tensor([0.3, 0.1, 0.0, 0.4, 0.2, 0.0])
    fusion.weights.copy_(weights)
    expected = 0.3 * codes[0] + 0.1 * codes[1] + 0.4 * codes[0] * codes[1] + 0.2 * codes[0] * codes[2]
    assert torch.allclose(fusion(codes), expected / weights.norm(), atol=1e-6)
    floored = Fusion(3, 0.4)
    floored.weights.copy_(weights)
    gains = 0.6 * weights / weights.norm() + 0.4 / 6**0.5
    assert torch.allclose(floored.gains, gains / gains.norm(), atol=1e-6)
    assert pair_indices(3) == [(0, 1), (0, 2), (1, 2)]
    assert torch.equal(hadamard_products(codes)[2], codes[1] * codes[2])


def test_terms_of_modalities_that_tell_next_to_nothing_get_less_of_the_floor() -> None:
    fusion, alike = Fusion(3, 0.5, 0.02), Fusion(3, 0.5)
    enough = torch.tensor([0.4, 0.1, 0.02, 0.48, 0.0, 0.0])
    for one in (fusion, alike):
        one.weights.copy_(enough)
    assert torch.allclose(fusion.gains, alike.gains)
    # Weights of the terms of c sum to half of what is asked for, and then to nothing.
    for of_c, factor in ((0.01, 0.5), (0.0, LEAST)):
        weights = torch.tensor([0.4, 0.1, of_c, 0.5 - of_c, 0.0, 0.0])
        fusion.weights.copy_(weights)
        floor = torch.tensor([1.0, 1.0, factor, 1.0, factor, factor])
        expected = 0.5 * weights / weights.norm() + 0.5 * floor / floor.norm()
        assert torch.allclose(fusion.gains, expected / expected.norm(), atol=1e-6)


@pytest.mark.parametrize("kind", ["fourier", "linear", "mlp"])
def test_a_stored_network_of_layers_of_waves_is_the_same_again(kind: str) -> None:
    encoder = replace(SHAPE, kind=kind, wave_layers=8, unfolded=5)
    shape = NetworkShape((encoder,) * 3, 8, 0.9, 0.7, 16, 1, 16, 0.0, 0.02)
    net = PIDRegNetwork(shape, generator())
    net.fusion.weights.copy_(torch.tensor([0.9, 0.1, 0.0, 0.0, 0.0, 0.0]))
    stored = shape_from(json.loads(json.dumps(asdict(shape))))
    again = restored(stored, net.state_dict(), torch.device("cpu"))
    rows = inputs(3)
    assert stored == shape
    assert torch.equal(net.predict(net.encode(rows, None)), again.predict(again.encode(rows, None)))


def test_a_network_stored_before_layers_of_waves_has_one() -> None:
    shape = NetworkShape((replace(SHAPE, kind="fourier"),) * 2, 8, 0.9, 0.7, 16, 1, 16, 0.0)
    stored = asdict(shape)
    del stored["fusion_involvement"]
    for encoder in stored["encoders"]:
        del encoder["wave_layers"], encoder["unfolded"]
    assert shape_from(stored) == shape


def test_encoders_without_layers_are_counted_yet() -> None:
    encoder = asdict(replace(SHAPE, kind="fourier", depth=0, wave_layers=0))
    shape = asdict(NetworkShape((SHAPE,), 8, 0.9, 0.7, 16, 0, 16, 0.0)) | {"encoders": [encoder] * 1000}
    with pytest.raises(ValueError, match="a network of 1000 layers in 1 tensors"):
        restored(shape_from(shape), {"one": torch.zeros(1)}, torch.device("cpu"))


def test_a_modality_that_tells_by_products_alone_gets_all_of_its_floor() -> None:
    fusion, alike = Fusion(2, 0.7, 0.02), Fusion(2, 0.7)
    for one in (fusion, alike):
        one.weights.copy_(torch.tensor([0.0, 0.0, 1.0]))
    assert torch.allclose(fusion.gains, alike.gains)


def test_weights_of_zero_leave_a_modality_out() -> None:
    net = network()
    net.fusion.weights.copy_(torch.tensor([1.0, 0.0, 0.0]))
    codes = net.encode(inputs(), None)
    changed = [codes[0], torch.zeros_like(codes[1])]
    assert torch.equal(net.predict(codes), net.predict(changed))


def test_subset_head_ignores_absent_modalities() -> None:
    head = SubsetHead(3, 4, 8)
    codes = [torch.randn(6, 4, generator=generator(i)) for i in range(3)]
    present = torch.tensor([1.0, 0.0, 1.0])
    other = [codes[0], torch.randn(6, 4, generator=generator(9)), codes[2]]
    assert torch.allclose(head(codes, present), head(other, present))
    assert not torch.allclose(head(codes, torch.ones(3)), head(codes, present))


def test_subset_head_takes_flags_of_each_row() -> None:
    head = SubsetHead(2, 4, 8)
    codes = [torch.randn(2, 4, generator=generator(i)) for i in range(2)]
    mixed = head(codes, torch.tensor([[1.0, 0.0], [1.0, 1.0]]))
    assert torch.allclose(mixed[0], head(codes, torch.tensor([1.0, 0.0]))[0])
    assert torch.allclose(mixed[1], head(codes, torch.tensor([1.0, 1.0]))[1])


def test_head_without_hidden_layers_is_linear() -> None:
    head = Head(3, 8, depth=0)
    x = torch.randn(4, 3, generator=generator())
    with torch.no_grad():
        assert torch.allclose(head(2 * x) - head(x), head(x) - head(0 * x), atol=1e-6)


def test_dropout_keeps_the_expectation_and_rests_in_evaluation() -> None:
    x = torch.ones(200_000)
    dropped = dropout(x, 0.25, generator())
    assert float(dropped.mean()) == pytest.approx(1, abs=0.01)
    assert float((dropped == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert torch.equal(dropout(x, 0.25, None), x)
