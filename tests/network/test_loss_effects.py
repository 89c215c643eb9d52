"""What each term does to codes, judged by statistics that are not the term: moments, ranks and regressions.

Every term must be larger where its property is violated, at several sizes, and descent on it must restore the property.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import stats
from torch import Tensor

from pidreg_cli.network.losses.cauchy_schwarz import sliced_cs_to_normal
from pidreg_cli.network.losses.conditional import (
    conditional_cs,
    conditional_independence,
    gaussian_kernel,
    squared_distances,
)
from pidreg_cli.network.losses.gaussianity import joint_gaussianity, mixing_directions

S = 0.5
Floats = NDArray[np.float64]
Shape = Callable[[Tensor], Tensor]

# Every shape but "shifted" and the two scales has mean 0 and deviation 1: only its form is wrong.
VIOLATIONS: dict[str, Shape] = {
    "shifted": lambda z: z + 1,
    "wide": lambda z: 1.5 * z,
    "narrow": lambda z: 0.5 * z,
    "lognormal": lambda z: (z.exp() - np.exp(0.5)) / np.sqrt(np.e * (np.e - 1)),
    "two humps": lambda z: (1.5 * z.sign() + 0.5 * z) / np.sqrt(2.5 + 1.5 * np.sqrt(2 / np.pi)),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=generator(seed), dtype=torch.float64)


def descend(code: Tensor, term: Callable[[Tensor], Tensor], steps: int, rate: float = 0.05) -> Tensor:
    """The code after Adam's steps on the term alone."""
    moving = code.clone().requires_grad_()
    optimiser = torch.optim.Adam([moving], lr=rate)
    for _ in range(steps):
        optimiser.zero_grad()
        term(moving).backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    return moving.detach()


def divergence(code: Tensor, seed: int = 0) -> float:
    return float(sliced_cs_to_normal(code, S, 16, generator(seed)))


def distance_from_normal(code: Tensor) -> float:
    """Kolmogorov-Smirnov distance of the columns from N(0, 1), averaged."""
    return float(np.mean([stats.kstest(column, "norm").statistic for column in code.T.numpy()]))


@pytest.mark.parametrize("rows", [64, 256])
@pytest.mark.parametrize("width", [1, 8, 64])
@pytest.mark.parametrize("violation", VIOLATIONS)
def test_divergence_is_larger_where_codes_are_not_standard_normal(
    rows: int, width: int, violation: str
) -> None:
    samples = [normal(rows, width, seed=seed) for seed in range(4)]
    good = np.mean([divergence(z, seed) for seed, z in enumerate(samples)])
    bad = np.mean([divergence(VIOLATIONS[violation](z), seed) for seed, z in enumerate(samples)])
    assert bad > 3 * good


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_descent_on_the_divergence_brings_ranks_and_moments_to_those_of_a_normal(violation: str) -> None:
    before = VIOLATIONS[violation](normal(128, 8))
    noise = generator(1)
    after = descend(before, lambda code: sliced_cs_to_normal(code, S, 8, noise), steps=150)
    assert distance_from_normal(after) < 0.5 * distance_from_normal(before)
    assert after.mean(0).abs().max() < 0.1
    assert after.std(0).mean() == pytest.approx(1, abs=0.15)


def test_descent_on_the_divergence_removes_skewness_and_heavy_tails() -> None:
    before = VIOLATIONS["lognormal"](normal(128, 8))
    noise = generator(1)
    after = descend(before, lambda code: sliced_cs_to_normal(code, S, 8, noise), steps=150)
    for moment in (stats.skew, stats.kurtosis):
        assert np.abs(moment(after)).mean() < 0.3 * np.abs(moment(before)).mean()


def conditional(own: Tensor, other: Tensor, code: Tensor) -> Tensor:
    return conditional_cs(*(gaussian_kernel(squared_distances(part)) for part in (own, other, code)))


def leakage(code: Tensor, own: Tensor, other: Tensor) -> float:
    """Share of the variance of ``other`` that the code explains linearly beyond its own input."""
    design = np.column_stack([np.ones(len(own)), own])

    def residual(block: Floats, on: Floats) -> Floats:
        return np.asarray(block - on @ np.linalg.lstsq(on, block, rcond=None)[0])

    free_code, free_other = residual(code.numpy(), design), residual(other.numpy(), design)
    return 1 - float((residual(free_other, free_code) ** 2).sum() / (free_other**2).sum())


@pytest.mark.parametrize(("rows", "width"), [(64, 1), (64, 4), (256, 2), (256, 8), (256, 16)])
@pytest.mark.parametrize("shared", [0.0, 0.5], ids=["independent inputs", "dependent inputs"])
def test_conditional_term_grows_with_the_leak(rows: int, width: int, shared: float) -> None:
    own, free = normal(rows, width), normal(rows, width, seed=1)
    other = shared * own + (1 - shared**2) ** 0.5 * free
    values = [float(conditional(own, other, own + leak * other)) for leak in (0.0, 0.4, 1.0, 2.0)]
    assert values == sorted(values)
    assert values[-1] > 1.2 * values[0]


@pytest.mark.parametrize("width", [2, 4])
def test_descent_on_the_conditional_term_takes_the_leak_out_of_a_code(width: int) -> None:
    own, other = normal(200, width), normal(200, width, seed=1)
    before = own + 0.8 * other + 0.3 * normal(200, width, seed=2)
    after = descend(before, lambda code: conditional(own, other, code), steps=150, rate=0.02)
    assert leakage(before, own, other) > 0.8
    assert leakage(after, own, other) < 0.35
    # It takes out the leak, not the code: what the code says of its own input stays.
    assert np.corrcoef(after[:, 0], own[:, 0])[0, 1] > 0.7


def test_descent_on_the_conditional_term_turns_an_encoder_of_both_inputs_to_its_own() -> None:
    own, other = normal(200, 2), normal(200, 2, seed=1)
    weights = torch.full((2, 2), 0.8, dtype=torch.float64)
    term = lambda leak: conditional_independence([own, other], [own + other @ leak, other])  # noqa: E731
    assert descend(weights, term, steps=150).abs().max() < 0.2


@pytest.mark.parametrize("rows", [128, 512])
def test_conditional_term_penalises_rough_encoders_though_they_leak_nothing(rows: int) -> None:
    # What the term does in training: a code is a function of its own input, its true value is 0 at any roughness.
    own = normal(rows, 1)
    other = 0.6 * own + 0.8 * normal(rows, 1, seed=1)
    values = [float(conditional(own, other, torch.sin(k * own))) for k in (0.5, 1.0, 2.0)]
    assert values == sorted(values)
    assert values[-1] > 2 * values[0]


def joint(score: Tensor, code: Tensor) -> float:
    return float(joint_gaussianity(score, [code], S, mixing_directions(code.shape[1], 64, generator(), code)))


def mardia(joint_rows: Floats) -> tuple[float, float]:
    """Multivariate skewness, and excess kurtosis (both 0 for a normal); not the sliced statistic."""
    x = joint_rows - joint_rows.mean(0)
    products = x @ np.linalg.inv(x.T @ x / len(x)) @ x.T
    k = x.shape[1]
    return float((products**3).mean()), float((np.diag(products) ** 2).mean() - k * (k + 2))


RELATIONS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "square of the target": lambda y, e: y.square()[:, None] + 0.3 * e,
    "skewed": lambda y, e: (e + y[:, None]).exp(),
    "two humps": lambda y, e: 2 * e.sign() + 0.1 * y[:, None],
    "scale set by the target": lambda y, e: e * y[:, None].exp(),
}


@pytest.mark.parametrize("width", [1, 8, 64])
@pytest.mark.parametrize("relation", RELATIONS)
def test_joint_gaussianity_is_larger_where_target_and_codes_are_not_normal(width: int, relation: str) -> None:
    y, e = normal(256), normal(256, width, seed=1)
    assert joint(y, RELATIONS[relation](y, e)) > 1.7 * joint(y, 0.7 * y[:, None] + e)


@pytest.mark.parametrize("relation", ["square of the target", "skewed", "two humps"])
def test_descent_on_joint_gaussianity_lowers_the_multivariate_moments(relation: str) -> None:
    y, e = normal(128), normal(128, 2, seed=1)
    before, noise = RELATIONS[relation](y, e), generator(2)

    def term(code: Tensor) -> Tensor:
        return joint_gaussianity(y, [code], S, mixing_directions(2, 16, noise, code))

    after = descend(before, term, steps=300)
    (skew, kurtosis), (skew_after, kurtosis_after) = (
        mardia(np.column_stack([y, code.numpy()])) for code in (before, after)
    )
    assert abs(kurtosis_after) < 0.5 * abs(kurtosis)
    # Humps are symmetric: they have no skewness to lose.
    assert skew_after < max(0.5 * skew, 0.5)
