"""The terms of the loss: closed forms against quadrature and loops, and gradients that move codes the right way."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from pidreg_cli.network.losses.cauchy_schwarz import cs_to_normal, sliced_cs_to_normal
from pidreg_cli.network.losses.conditional import (
    conditional_cs,
    conditional_independence,
    gaussian_kernel,
    squared_distances,
)
from pidreg_cli.network.losses.gaussianity import joint_gaussianity, mixing_directions

S = 0.5


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def by_quadrature(sample: np.ndarray) -> float:
    """The definition: three integrals of the kernel density and the smoothed normal."""

    def p(t: float) -> float:
        return float(stats.norm.pdf(t, sample, S).mean())

    def q(t: float) -> float:
        return float(stats.norm.pdf(t, 0, np.sqrt(1 + S**2)))

    def integral(f) -> float:  # type: ignore[no-untyped-def]
        return float(integrate.quad(f, -15, 15, limit=400, epsabs=1e-12)[0])

    pp, qq, pq = integral(lambda t: p(t) ** 2), integral(lambda t: q(t) ** 2), integral(lambda t: p(t) * q(t))
    return float(np.log(pp) + np.log(qq) - 2 * np.log(pq))


def test_closed_form_is_the_integral() -> None:
    sample = normal(12).exp()
    assert float(cs_to_normal(sample[:, None], S)[0]) == pytest.approx(
        by_quadrature(sample.numpy()), abs=1e-9
    )


@pytest.mark.parametrize(
    ("transform", "low", "high"),
    [(lambda z: z, 0.002, 0.008), (lambda z: 1.5 * z, 0.05, 0.09), (lambda z: z.exp(), 0.12, 0.6)],
    ids=["normal", "scale 1.5", "lognormal"],
)
def test_divergence_reacts_to_scale_and_skew(transform, low: float, high: float) -> None:  # type: ignore[no-untyped-def]
    values = [float(cs_to_normal(transform(normal(256, 16, seed=seed)), S).mean()) for seed in range(5)]
    assert low < np.mean(values) < high


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.floats(0.1, 3), st.floats(-3, 3), st.integers(0, 1000))
def test_divergence_is_never_negative(rows: int, scale: float, shift: float, seed: int) -> None:
    assert float(cs_to_normal(scale * normal(rows, 3, seed=seed) + shift, S).min()) >= -1e-9


def test_descent_on_the_divergence_ends_at_a_standard_normal() -> None:
    code = (0.3 * normal(128, 4).exp() - 2).requires_grad_()
    optimiser = torch.optim.Adam([code], lr=0.1)
    noise = generator()
    for _ in range(150):
        optimiser.zero_grad()
        sliced_cs_to_normal(code, S, 16, noise).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    final = code.detach()
    assert final.std(0).mean() == pytest.approx(1, abs=0.05)
    assert final.mean(0).abs().max() < 0.1


def kernels(n: int, seed: int = 0) -> list[torch.Tensor]:
    return [gaussian_kernel(squared_distances(normal(n, 2, seed=seed + i))) for i in range(3)]


def test_conditional_term_is_the_sample_form_of_the_divergence() -> None:
    condition, other, code = (k.numpy() for k in kernels(7))
    n = 7
    cross = power_full = power_split = 0.0
    for j in range(n):
        m = sum(condition[j, i] for i in range(n)) / n
        km = sum(other[j, i] * condition[j, i] for i in range(n)) / n
        lm = sum(code[j, i] * condition[j, i] for i in range(n)) / n
        klm = sum(other[j, i] * code[j, i] * condition[j, i] for i in range(n)) / n
        cross += m * km * lm / n
        power_full += klm * m**2 / n
        power_split += km**2 * lm**2 / klm / n
    expected = -2 * np.log(cross) + np.log(power_full) + np.log(power_split)
    found = conditional_cs(*(torch.from_numpy(k) for k in (condition, other, code)))
    assert float(found) == pytest.approx(expected, abs=1e-12)


@settings(max_examples=30, deadline=None)
@given(st.integers(3, 30), st.integers(0, 1000))
def test_conditional_term_is_never_negative(n: int, seed: int) -> None:
    assert float(conditional_cs(*kernels(n, seed))) >= -1e-9


def test_conditional_term_is_zero_where_the_others_do_not_vary() -> None:
    condition, _, code = kernels(20)
    assert float(conditional_cs(condition, torch.ones_like(code), code)) == pytest.approx(0, abs=1e-12)


def test_conditional_term_grows_with_a_leak_and_its_gradient_removes_it() -> None:
    own, other = normal(200, 2), normal(200, 2, seed=1)
    share = torch.tensor(0.8, dtype=torch.float64, requires_grad=True)

    def term(leak: torch.Tensor) -> torch.Tensor:
        return conditional_independence([own, other], [own + leak * other, other])

    assert term(torch.tensor(1.0)) > term(torch.tensor(0.4)) > term(torch.tensor(0.0))
    term(share).backward()  # type: ignore[no-untyped-call]
    assert share.grad is not None
    assert share.grad > 0


def test_conditional_term_of_one_modality_is_zero() -> None:
    assert float(conditional_independence([normal(9, 2)], [normal(9, 2)])) == 0


def test_kernel_of_a_mostly_constant_input_is_finite() -> None:
    x = torch.zeros(20, 1)
    x[0] = 1
    assert torch.isfinite(gaussian_kernel(squared_distances(x))).all()


def joint(score: torch.Tensor, code: torch.Tensor) -> float:
    directions = mixing_directions(code.shape[1], 64, generator(), code)
    return float(joint_gaussianity(score, [code], S, directions))


@pytest.mark.parametrize(
    "code",
    [
        lambda y, e: y.square()[:, None] + 0.1 * e,
        lambda y, e: (e + y[:, None]).exp(),
        lambda y, e: torch.sign(e) * 2 + 0.1 * y[:, None],
    ],
    ids=["square of the target", "skewed", "two humps"],
)
def test_joint_gaussianity_reacts(code) -> None:  # type: ignore[no-untyped-def]
    y, e = normal(256), normal(256, 4, seed=1)
    gaussian = joint(y, 0.7 * y[:, None] + e)
    assert joint(y, code(y, e)) > 2 * gaussian
    assert gaussian < 0.003


def test_joint_gaussianity_does_not_change_with_scale_or_shift_of_the_codes() -> None:
    y, code = normal(128), normal(128, 4, seed=1).exp()
    assert joint(y, 5 * code - 3) == pytest.approx(joint(y, code), rel=1e-9)


def test_descent_on_joint_gaussianity_straightens_a_skewed_code() -> None:
    y = normal(128)
    code = (y[:, None] + normal(128, 2, seed=1)).exp().requires_grad_()
    before = joint(y, code.detach())
    optimiser = torch.optim.Adam([code], lr=0.05)
    noise = generator()
    for _ in range(80):
        optimiser.zero_grad()
        directions = mixing_directions(2, 16, noise, code)
        joint_gaussianity(y, [code], S, directions).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    assert joint(y, code.detach()) < before / 2


def test_mixing_directions_are_unit_and_always_mix_the_target() -> None:
    directions = mixing_directions(6, 33, generator(), torch.empty(0))
    assert directions.shape == (7, 33)
    assert torch.allclose(directions.norm(dim=0), torch.ones(33))
    assert (directions[0] >= 0.49).all()
    assert (directions[0] <= 0.87).all()


def test_the_gradient_of_the_divergence_is_that_of_its_value() -> None:
    sample = (1.5 * normal(9, 3) + 0.5).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: cs_to_normal(x, S), (sample,))


def test_kernels_of_several_matrices_are_those_of_each() -> None:
    inputs = torch.stack([normal(11, 3, seed=seed) for seed in range(3)])
    together = gaussian_kernel(squared_distances(inputs))
    for one, kernel in zip(inputs, together, strict=True):
        assert torch.allclose(kernel, gaussian_kernel(squared_distances(one)), atol=1e-12)
        distances = torch.cdist(one, one)
        median = distances[~torch.eye(11, dtype=torch.bool)].median()
        assert torch.allclose(kernel, torch.exp(-distances.square() / (2 * (median / 2) ** 2)), atol=1e-9)


def test_a_code_that_collapsed_to_one_value_has_finite_gradients() -> None:
    generator = torch.Generator().manual_seed(0)
    score = torch.randn(32, generator=generator)
    codes = [torch.randn(32, 2, generator=generator), torch.full((32, 2), 0.5, requires_grad=True)]
    joint_gaussianity(score, codes, 0.5, mixing_directions(4, 6, generator, score)).backward()
    assert codes[1].grad is not None
    assert bool(torch.isfinite(codes[1].grad).all())
