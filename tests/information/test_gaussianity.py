from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad

from pidreg_cli.information.copula import normal_scores
from pidreg_cli.information.errors import (
    CollinearColumnsError,
    ConstantColumnError,
    ShapeError,
    TooFewRowsError,
)
from pidreg_cli.information.features import ReadoutBlocks
from pidreg_cli.information.gaussianity import (
    Gaussianity,
    characteristic_distance,
    gaussianity,
    products_gain,
)
from pidreg_cli.information.intervals import GROUPS
from pidreg_cli.information.readouts import balanced_folds, cross_fitted_predictions


def joint(kind: str, rng: np.random.Generator, rows: int = 300, width: int = 3) -> np.ndarray:
    """Columns y, a_1..a_d, b_1..b_d; y = a_1 + b_1 + noise but for the kind's departure."""
    z = rng.standard_normal((rows, 2 * width)) @ (np.eye(2 * width) + 0.3)
    noise = rng.standard_normal(rows)
    if kind == "skewed":
        z[:, 1] = np.exp(z[:, 1])
    elif kind == "heavy-tailed":
        z /= np.sqrt(rng.chisquare(4, (rows, 1)) / 4)
    elif kind == "bimodal":
        z[:, 1] = np.where(rng.random(rows) < 0.5, -1.5, 1.5) + 0.6 * rng.standard_normal(rows)
    y = z[:, 0] * z[:, width] if kind == "product" else z[:, 0] + z[:, width]
    # Normal scores of the target, as the reports use it: the departure is in the joint, not in y alone.
    return np.column_stack([normal_scores(y + noise), z])


def judged(kind: str, seed: int, draws: int = 39) -> Gaussianity:
    rng = np.random.default_rng(seed)
    return gaussianity(joint(kind, rng), 0, rng, directions=32, draws=draws)


def test_size_on_gaussian_systems() -> None:
    p = np.array([judged("gaussian", seed, draws=19).p_value for seed in range(100)])
    # Exact size .05: three standard errors of 100 repetitions are .065.
    assert np.mean(p <= 0.05) < 0.12
    assert p.mean() == pytest.approx(0.5, abs=0.12)


@pytest.mark.parametrize("kind", ["skewed", "heavy-tailed", "bimodal", "product"])
def test_power(kind: str) -> None:
    assert np.mean([judged(kind, seed).p_value <= 0.05 for seed in range(5)]) >= 0.8


def test_the_statistic_that_reacts_says_what_is_wrong() -> None:
    skewed = judged("skewed", 1)
    assert skewed.worst == 2
    assert skewed.p_values["axes"] <= 0.05
    assert judged("product", 2).p_values["products"] <= 0.05


def test_linear_maps_change_no_verdict() -> None:
    rng = np.random.default_rng(3)
    rows = joint("gaussian", rng)
    moved = rows * [1.0, 5.0, 1.0, 0.01, 1.0, 2.0, 1e4] + 7.0
    first, second = (gaussianity(r, 0, np.random.default_rng(0), draws=19) for r in (rows, moved))
    assert first.statistics == pytest.approx(second.statistics, rel=1e-6)


def test_characteristic_distance_is_the_integral() -> None:
    values = np.random.default_rng(4).standard_normal(20)

    def integrand(t: float) -> float:
        gap = np.mean(np.exp(1j * t * values)) - np.exp(-0.5 * t * t)
        return float(abs(gap) ** 2 * np.exp(-0.5 * t * t) / np.sqrt(2 * np.pi))

    expected = 20 * quad(integrand, -10, 10, limit=200)[0]
    assert characteristic_distance(values[:, None])[0] == pytest.approx(expected, rel=1e-3)


def test_too_few_rows() -> None:
    with pytest.raises(TooFewRowsError, match="14"):
        gaussianity(np.random.default_rng(5).standard_normal((13, 7)), 0, np.random.default_rng(0))


def errors_with_and_without(
    y: np.ndarray, blocks: ReadoutBlocks, rng: np.random.Generator
) -> list[np.ndarray]:
    folds, found = balanced_folds(np.arange(y.size), 10, rng), []
    for interactions in ("none", "products"):
        fitted = cross_fitted_predictions(blocks, y, folds, [3], interactions=interactions)  # type: ignore[arg-type]
        found.append((y[:, None] - np.hstack([fitted.baseline, fitted.predictions[:, 0]])) ** 2)
    return found


@pytest.mark.parametrize(("product", "real"), [(0.4, True), (0.0, False)])
def test_gain_of_products_is_real_only_where_it_is(product: float, real: bool) -> None:
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((2, 600, 4))
    y = a[:, 0] + product * a[:, 1] * b[:, 1] + rng.standard_normal(600)
    plain, products = errors_with_and_without(y, ReadoutBlocks((a, b)), rng)
    gain = products_gain(plain, products, balanced_folds(np.arange(600), GROUPS, rng))
    assert gain.real is real
    assert gain.interval[0] < gain.value < gain.interval[1]


def test_normal_scores_follow_ranks_and_share_ties() -> None:
    scores = normal_scores([3.0, 1.0, 2.0, 2.0])
    assert scores[2] == scores[3]
    assert scores[1] == -scores[0]
    assert np.argsort(scores).tolist()[0] == 1
    rows = np.random.default_rng(7).standard_normal((200, 2))
    assert normal_scores(np.exp(rows)) == pytest.approx(normal_scores(rows))
    assert normal_scores(rows).std(axis=0) == pytest.approx([1, 1], abs=0.02)
    with pytest.raises(ConstantColumnError, match="column 1"):
        normal_scores(np.column_stack([rows[:, 0], np.ones(200)]))


def test_copula_recovers_informations_of_a_distorted_gaussian() -> None:
    rng = np.random.default_rng(8)
    m = rng.standard_normal(20_000)
    x = m + rng.standard_normal(20_000)
    distorted = normal_scores(np.column_stack([np.exp(2 * m), x**3]))
    r = np.corrcoef(distorted, rowvar=False)[0, 1]
    assert -0.5 * np.log2(1 - r * r) == pytest.approx(0.5, abs=0.02)


def test_columns_that_say_the_same_are_refused() -> None:
    """The null distribution is that of distinct columns: Gaussian rows with a copy would look peculiar."""
    rng = np.random.default_rng(6)
    rows = rng.standard_normal((100, 3))
    with pytest.raises(CollinearColumnsError, match="column 3 is a linear combination of column 1"):
        gaussianity(np.column_stack([rows, rows[:, 1]]), 0, rng)
    with pytest.raises(ConstantColumnError, match="column 3"):
        gaussianity(np.column_stack([rows, np.full(100, 0.1)]), 0, rng)
    with pytest.raises(ShapeError, match="one of 3 columns, however: 3"):
        gaussianity(rows, 3, rng)
