"""What the estimates must not see, and what the diagnostics must: ``python -m benchmarks.information_controls``."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.information_speed import machine
from pidreg_cli.information.copula import normal_scores
from pidreg_cli.information.estimation import Estimator, estimate_information
from pidreg_cli.information.features import Interactions, ReadoutBlocks
from pidreg_cli.information.gaussianity import NAMES, Gain, gaussianity, products_gain
from pidreg_cli.information.intervals import GROUPS
from pidreg_cli.information.lattice import summary
from pidreg_cli.information.readouts import balanced_folds, cross_fitted_predictions

NULL_SEEDS = range(40)
PHANTOM_SEEDS = range(10)
SCORE_SEEDS = range(20)
GAUSSIANITY_SEEDS = range(200)
GAIN_SEEDS = range(200)


def null_data() -> None:
    """500 rows, 64 + 64 columns of noise."""
    print("\nNoise, n = 500, 64 + 64 columns: total in bits over 40 seeds")
    print("| estimator | mean | standard error | largest |\n|---|---|---|---|")
    for estimator in ("heldout", "debiased", "plugin"):
        totals = []
        for seed in NULL_SEEDS:
            rng = np.random.default_rng(seed)
            codes = tuple(rng.standard_normal((500, 64)) for _ in range(2))
            found = estimate_information(
                ReadoutBlocks(codes), rng.standard_normal(500), rng, estimator, "none"
            )
            totals.append(found.values[3] if estimator == "heldout" else found.raw[3])
        error = np.std(totals, ddof=1) / np.sqrt(len(totals))
        print(f"| {estimator} | {np.mean(totals):.4f} | {error:.4f} | {max(totals):.4f} |", flush=True)


def phantom_synergy() -> None:
    """Non-linear information that one modality, or each of two, carries alone."""
    print(
        "\nSynergy read from 5,000 rows where there is none, noise of sd .3 (bits, largest of 10 seeds last)"
    )
    print("| target | seen by | estimator | total | unique | redundant | synergistic | largest |")
    print("|---|---|---|---|---|---|---|---|")
    for name, shape in (("u^2", np.square), ("sin u", np.sin)):
        for seen in ("one", "both"):
            for estimator in ("heldout", "debiased"):
                parts = [decomposed(shape, seen == "both", estimator, seed) for seed in PHANTOM_SEEDS]
                row = [*np.mean(parts, axis=0), np.max(parts, axis=0)[-1]]
                cells = " | ".join(f"{value:.4f}" for value in row)
                print(f"| {name} | {seen} | {estimator} | {cells} |", flush=True)


def decomposed(
    shape: Callable[[np.ndarray], np.ndarray], both: bool, estimator: Estimator, seed: int
) -> tuple[float, float, float, float]:
    """Total, unique, redundant and synergistic information of a function of one code of 8 + 8."""
    rng = np.random.default_rng(seed)
    u = rng.standard_normal(5000)
    y = normal_scores(shape(u) + 0.3 * rng.standard_normal(5000))
    first, second = rng.standard_normal((2, 5000, 8))
    first[:, 0] = u
    if both:
        second[:, 1] = u
    parts = summary(estimate_information(ReadoutBlocks((first, second)), y, rng, estimator).values)
    return parts.total, sum(parts.unique), parts.redundant, parts.synergistic


def score_penalty() -> None:
    """A head's prediction among 192 codes: with a penalty of its own, and under the codes' penalty."""
    print("\nA score of 1.161 bits among 192 columns of noise, 400 rows: heldout information over 20 seeds")
    print("| penalty of the score | mean | bias |\n|---|---|---|")
    found: dict[str, list[float]] = {"own, near zero": [], "shared with the codes": []}
    for seed in SCORE_SEEDS:
        rng = np.random.default_rng(seed)
        y = rng.standard_normal(400)
        score = (y + 0.5 * rng.standard_normal(400))[:, None]
        codes = rng.standard_normal((400, 192))
        choices = (ReadoutBlocks((codes,), {1: score}), ReadoutBlocks((np.hstack([codes, score]),)))
        for values, blocks in zip(found.values(), choices, strict=True):
            values.append(float(estimate_information(blocks, y, rng, interactions="none").raw[1]))
    for name, values in found.items():
        print(f"| {name} | {np.mean(values):.3f} | {np.mean(values) - 0.5 * np.log2(5):+.3f} |")


def departures(kind: str, rng: np.random.Generator, rows: int, width: int) -> np.ndarray:
    """Target (normal scores) and two modalities of ``width`` columns, Gaussian but for the kind's departure."""
    z = rng.standard_normal((rows, 2 * width))
    if kind == "skewed code":
        z[:, 1] = np.exp(z[:, 1])
    elif kind == "heavy tails, all codes":
        z /= np.sqrt(rng.chisquare(5, (rows, 1)) / 5)
    elif kind == "bimodal code":
        z[:, 1] = np.where(rng.random(rows) < 0.5, -1.5, 1.5) + 0.6 * z[:, 1]
    mean = z[:, 0] * z[:, width] if kind == "product in the target" else z[:, 0] + z[:, width]
    return np.column_stack([normal_scores(mean + rng.standard_normal(rows)), z])


def gaussianity_power() -> None:
    """Share of rejections at 5 %, by system and statistic."""
    print(
        "\nGaussianity of the joint, 400 rows, 1 + 8 + 8 columns: rejections at 5 % in 200 runs (99 null draws)"
    )
    print("| system | overall | " + " | ".join(NAMES) + " |\n|---|---|" + "---|" * len(NAMES))
    kinds = ("Gaussian", "skewed code", "heavy tails, all codes", "bimodal code", "product in the target")
    for kind in kinds:
        judged = []
        for seed in GAUSSIANITY_SEEDS:
            rng = np.random.default_rng(seed)
            found = gaussianity(departures(kind, rng, 400, 8), 0, rng, draws=99)
            judged.append([found.p_value, *(found.p_values[name] for name in NAMES)])
        shares = np.mean(np.array(judged) <= 0.05, axis=0)
        print(f"| {kind} | " + " | ".join(f"{share:.2f}" for share in shares) + " |", flush=True)


def gain_of_products() -> None:
    """What products add on held-out rows, and how often that is called real."""
    print("\nGain of products, 600 rows, 4 + 4 codes, y = a + s b c + noise: over 200 runs (bits)")
    print("| s | true gain | mean found | called real |\n|---|---|---|---|")
    for strength in (0.0, 0.2, 0.3, 0.5):
        gains = [products_found(strength, np.random.default_rng(seed)) for seed in GAIN_SEEDS]
        truth = 0.5 * np.log2(1 + strength**2)
        mean, real = np.mean([gain.value for gain in gains]), np.mean([gain.real for gain in gains])
        print(f"| {strength} | {truth:.3f} | {mean:+.3f} | {real:.2f} |", flush=True)


def products_found(strength: float, rng: np.random.Generator) -> Gain:
    """The gain on 600 rows of a target whose mean holds a product of two modalities."""
    first, second = rng.standard_normal((2, 600, 4))
    y = first[:, 0] + strength * first[:, 1] * second[:, 1] + rng.standard_normal(600)
    folds, errors = balanced_folds(np.arange(600), 10, rng), []
    for interactions in get_args(Interactions):
        fitted = cross_fitted_predictions(
            ReadoutBlocks((first, second)), y, folds, [3], interactions=interactions
        )
        errors.append((y[:, None] - np.hstack([fitted.baseline, fitted.predictions[:, 0]])) ** 2)
    products, plain = errors
    return products_gain(plain, products, balanced_folds(np.arange(600), GROUPS, rng))


def main() -> None:
    """Print every table as Markdown."""
    print(machine())
    with threadpool_limits(1):
        null_data()
        phantom_synergy()
        score_penalty()
        gaussianity_power()
        gain_of_products()


if __name__ == "__main__":
    main()
