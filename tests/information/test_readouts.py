from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import RidgeCV

from pidreg_cli.information import ridge
from pidreg_cli.information.errors import (
    ConstantTargetError,
    DeterministicTargetError,
    NonFiniteError,
    ShapeError,
    TooFewRowsError,
)
from pidreg_cli.information.estimation import Estimator, estimate_information
from pidreg_cli.information.features import ReadoutBlocks, feature_table
from pidreg_cli.information.lattice import monotone_closure, scalar_atoms, summary
from pidreg_cli.information.readouts import (
    CrossFit,
    balanced_folds,
    cross_fitted_predictions,
    information_of_predictions,
    squared_errors,
    subset_informations,
    training_influences,
)
from pidreg_cli.information.ridge import CAUTION, PENALTIES, RidgeProblem, penalised_inverse, solve


def heldout(blocks: ReadoutBlocks, target: np.ndarray, seed: int = 0, **options: object) -> np.ndarray:
    """Raw informations of every subset, ten folds."""
    n = len(blocks.codes)
    folds = balanced_folds(np.arange(target.size), 10, np.random.default_rng(seed))
    fitted = cross_fitted_predictions(blocks, target, folds, range(1, 1 << n), **options)  # type: ignore[arg-type]
    return subset_informations(squared_errors(target, fitted, n))


def slow_ridge(features: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Coefficients by robust generalised cross-validation, one dense solve per penalty."""
    n = len(target)
    gram, best = features.T @ features, (np.inf, np.zeros(0))
    for penalty in PENALTIES:
        inverse = np.linalg.inv(gram + penalty * np.eye(len(gram)))
        hat = inverse @ gram
        df, factor = 1 + np.trace(hat), 1 + CAUTION * (1 + np.trace(hat @ hat)) / n
        residual = target - features @ (coefficients := inverse @ features.T @ target)
        if df <= 0.98 * n:
            best = min(
                best, (factor * (residual @ residual) / (n - df) ** 2, coefficients), key=lambda pair: pair[0]
            )
    return best[1]


def standardised(rng: np.random.Generator, rows: int, width: int) -> np.ndarray:
    values = rng.standard_normal((rows, width)) @ rng.standard_normal((width, width))
    return (values - values.mean(axis=0)) / values.std(axis=0)


@pytest.mark.parametrize(("rows", "width"), [(50, 2), (80, 12), (40, 60)])
def test_ridge_matches_the_slow_solution(rows: int, width: int) -> None:
    rng = np.random.default_rng(width)
    x = standardised(rng, rows, width)
    y = x[:, :1] + rng.standard_normal((rows, 3)) * [0.1, 1.0, 10.0]
    y -= y.mean(axis=0)
    found = solve(RidgeProblem(x.T @ x, x.T @ y, np.sum(y**2, axis=0), rows), free=0).coefficients
    expected = np.stack([slow_ridge(x, column) for column in y.T], axis=1)
    assert found == pytest.approx(expected, abs=1e-7)


def test_a_target_that_is_no_number_reads_nothing_and_disturbs_no_other() -> None:
    rng = np.random.default_rng(0)
    design, target = rng.normal(size=(50, 4)), rng.normal(size=50)
    gram, products, squares = design.T @ design, design.T @ target, target @ target
    alone = solve(RidgeProblem(gram, products[:, None], np.array([squares]), 50.0), 0)
    with np.errstate(invalid="ignore"):
        both = solve(
            RidgeProblem(
                gram, np.column_stack([np.full(4, np.nan), products]), np.array([np.nan, squares]), 50.0
            ),
            0,
        )
    assert both.coefficients[:, 0].tolist() == [0.0] * 4
    assert both.coefficients[:, 1] == pytest.approx(alone.coefficients[:, 0])


@pytest.mark.parametrize(("rows", "width"), [(200, 40), (150, 120)])
@pytest.mark.parametrize(("slope", "share"), [(0.0, 0.7), (0.1, 0.9), (1.0, 1.06), (3.0, 1.02)])
def test_caution_loses_less_by_chance(
    rows: int, width: int, slope: float, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    excess = []
    for caution in (0.0, CAUTION):
        monkeypatch.setattr(ridge, "CAUTION", caution)
        rng = np.random.default_rng(11)
        errors = []
        for _ in range(100):
            x = rng.standard_normal((rows, width))
            truth = slope * rng.standard_normal((width, 1)) / np.sqrt(width)
            y = x @ truth + rng.standard_normal((rows, 1))
            found = solve(RidgeProblem(x.T @ x, x.T @ y, np.sum(y**2, axis=0), rows), free=0).coefficients
            errors.append(float(np.sum((found - truth) ** 2)))
        excess.append(np.mean(errors))
    # Where features tell little, as codes do beside heads, much less is lost; elsewhere a little more, also where they
    # are nearly as many as the rows.
    assert excess[1] < share * excess[0]


def test_free_features_are_not_shrunk() -> None:
    rng = np.random.default_rng(3)
    x, y = standardised(rng, 100, 8), rng.standard_normal((100, 1))
    y -= y.mean()
    y += 0.5 * x[:, :1]
    found = solve(RidgeProblem(x.T @ x, x.T @ y, np.sum(y**2, axis=0), 100), free=2).coefficients
    # Least squares given the penalised part: the residual is orthogonal to the free features.
    assert x[:, :2].T @ (y - x @ found) == pytest.approx(0.0, abs=1e-3)


def test_penalty_agrees_with_an_independent_implementation() -> None:
    rng = np.random.default_rng(4)
    x = standardised(rng, 200, 10)
    y = x[:, 0] + rng.standard_normal(200)
    y -= y.mean()
    found = solve(RidgeProblem(x.T @ x, (x.T @ y)[:, None], np.array([y @ y]), 200), free=0).coefficients
    # scikit-learn does not count the intercept, which can move the choice to a neighbouring penalty.
    reference = RidgeCV(alphas=PENALTIES, fit_intercept=False).fit(x, y).coef_
    assert found[:, 0] == pytest.approx(reference, abs=0.02)


def test_fold_predictions_equal_separate_fits() -> None:
    rng = np.random.default_rng(5)
    z, extra = rng.standard_normal((60, 3)) + 100.0, rng.standard_normal((20, 3)) + 100.0
    y, extra_y = z[:, 0] + rng.standard_normal(60), extra[:, 0] + rng.standard_normal(20)
    folds = np.arange(60) % 3
    fitted = cross_fitted_predictions(
        ReadoutBlocks((z,)), y, folds, [1], ReadoutBlocks((extra,)), extra_y, interactions="none"
    )
    inside = folds == 1
    x, t = np.vstack([z[~inside], extra]), np.concatenate([y[~inside], extra_y])
    scale = x.std(axis=0)
    coefficients = slow_ridge((x - x.mean(axis=0)) / scale, t - t.mean())
    expected = t.mean() + (z[inside] - x.mean(axis=0)) / scale @ coefficients
    assert fitted.predictions[inside, 0, 0] == pytest.approx(expected, abs=1e-8)
    assert fitted.baseline[inside, 0] == pytest.approx(t.mean())


@pytest.mark.parametrize("size", [1e6, 1e9, 1e12, 1e20, 1e37])
def test_rows_of_wild_codes_leave_numbers_of_all_rows(size: float) -> None:
    """Beside them everything else is rounding."""
    for seed in range(3):
        rng = np.random.default_rng(seed)
        codes = rng.standard_normal((2, 100, 6))
        y = codes[0][:, 0] + codes[1][:, 0] + rng.standard_normal(100)
        codes[0][3, 2], codes[1][7], codes[1][9, 1] = size, size, -size
        scores = {1: (y + rng.standard_normal(100))[:, None]}
        blocks = ReadoutBlocks(tuple(codes.astype(np.float32)), scores)
        fitted = cross_fitted_predictions(blocks, y, np.arange(100) % 5, [1, 2, 3], influences=True)
        ordinary = ~np.isin(np.arange(100), [3, 7, 9])
        assert np.abs(fitted.predictions[ordinary]).max() < 3 * np.abs(y).max()
        assert np.isfinite(fitted.predictions).all()
        assert np.isfinite(training_influences(fitted)).all()


def test_a_wild_row_changes_no_prediction_by_readouts_that_did_not_see_it() -> None:
    rng = np.random.default_rng(0)
    z = rng.standard_normal((100, 4))
    y, folds = z[:, 0] + rng.standard_normal(100), np.arange(100) % 5
    expected = cross_fitted_predictions(ReadoutBlocks((z,)), y, folds, [1], interactions="none").predictions
    wild = z.copy()
    wild[3] = 1e7
    found = cross_fitted_predictions(ReadoutBlocks((wild,)), y, folds, [1], interactions="none").predictions
    others = (folds == 3) & (np.arange(100) != 3)
    assert found[others] == pytest.approx(expected[others], abs=1e-6)


def test_a_penalty_that_leaves_no_positive_system_is_not_chosen() -> None:
    """What LAPACK leaves in place of a solution would look like the best."""
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.standard_normal((6, 6)))[0]
    gram = axes * np.array([-0.1, 50, 60, 100, 120, 150]) @ axes.T
    products = rng.standard_normal((6, 3)) * 5
    fit = solve(RidgeProblem(gram, products, np.full(3, 100.0), 100), 0)
    assert fit.penalties.min() > 0.1
    assert np.abs(fit.coefficients).max() < 100


def test_systems_are_solved_as_if_no_eigenvalue_were_below_the_penalty() -> None:
    rng = np.random.default_rng(1)
    axes = np.linalg.qr(rng.standard_normal((5, 5)))[0]
    vectors, penalties = rng.standard_normal((5, 2)), np.full((5, 2), [0.1, 10.0])
    for least in (2.0, 0.0, -1.0):
        values = np.array([least, 3.0, 4.0, 5.0, 6.0])
        found = penalised_inverse(axes * values @ axes.T, penalties, vectors)
        for place, penalty in enumerate(penalties[0]):
            weights = 1.0 / np.maximum(values + penalty, penalty)
            # By the Cholesky factor, where there is one, an eigenvalue is what it is.
            weights[0] = 1.0 / (least + penalty) if least + penalty > 0 else weights[0]
            assert found[:, place] == pytest.approx(axes * weights @ axes.T @ vectors[:, place])


def test_linear_system_reads_its_closed_form() -> None:
    rng = np.random.default_rng(6)
    m = rng.standard_normal(20_000)
    codes = tuple((m + s * rng.standard_normal(20_000))[:, None] for s in (1.0, np.sqrt(2.0), 2.0))
    v = heldout(ReadoutBlocks(codes), m)
    expected = [0, 0.5, 0.292481, 0.660964, 0.160964, 0.584963, 0.403677, 0.729716]
    assert v == pytest.approx(expected, abs=0.02)


def test_noise_reads_nothing() -> None:
    rng = np.random.default_rng(7)
    codes = tuple(rng.standard_normal((500, 64)) for _ in range(2))
    v = monotone_closure(heldout(ReadoutBlocks(codes), rng.standard_normal(500)))
    assert v[-1] < 0.02


@pytest.mark.parametrize("estimator", ["heldout", "debiased"])
@pytest.mark.parametrize("shape", [np.square, np.sin])
@pytest.mark.parametrize("seen_by", ["one", "both"])
def test_nonlinear_information_of_one_modality_is_no_synergy(
    estimator: Estimator, shape: Callable[[np.ndarray], np.ndarray], seen_by: str
) -> None:
    rng = np.random.default_rng(8)
    u = rng.standard_normal(5000)
    y = shape(u) + 0.3 * rng.standard_normal(5000)
    first, second = rng.standard_normal((2, 5000, 2))
    first[:, 0] = u
    if seen_by == "both":
        second[:, 1] = u
    parts = summary(estimate_information(ReadoutBlocks((first, second)), y, rng, estimator).values)
    assert parts.synergistic < 0.02
    assert parts.total > 0.5
    # Where both see it, it is redundant; where one does, it is unique to that one.
    assert (parts.redundant if seen_by == "both" else parts.unique[0]) > parts.total - 0.02


def test_products_carry_synergy() -> None:
    rng = np.random.default_rng(9)
    a, b = rng.standard_normal((2, 4000))
    y = a * b + 0.5 * rng.standard_normal(4000)
    blocks = ReadoutBlocks((a[:, None], b[:, None]))
    kinds = {atom.kind: atom.value for atom in scalar_atoms(monotone_closure(heldout(blocks, y)))}
    # R2 of a*b is 1/(1 + 1/4).
    assert kinds["synergistic"] == pytest.approx(-0.5 * np.log2(0.2), abs=0.05)
    assert abs(heldout(blocks, y, interactions="none")[-1]) < 0.01


def test_a_score_among_many_codes_keeps_its_weight() -> None:
    """One shared penalty shrinks a good prediction together with 192 noisy columns; a free one does not."""
    rng = np.random.default_rng(10)
    free, shared = [], []
    for _ in range(4):
        y = rng.standard_normal(400)
        score = (y + 0.5 * rng.standard_normal(400))[:, None]
        codes = rng.standard_normal((400, 192))
        blocks = ReadoutBlocks((codes,), {1: score})
        free.append(heldout(blocks, y, interactions="none")[1])
        shared.append(heldout(ReadoutBlocks((np.hstack([codes, score]),)), y, interactions="none")[1])
    truth = 0.5 * np.log2(1 + 4)
    assert abs(np.mean(free) - truth) < 0.08
    assert np.mean(free) > np.mean(shared) + 0.05


def test_scores_belong_to_their_subset() -> None:
    blocks = ReadoutBlocks(
        (np.zeros((4, 2)),) * 3,
        {1: np.zeros((4, 1)), 4: np.zeros((4, 1)), 3: np.zeros((4, 2)), 7: np.zeros((4, 3))},
    )
    table = feature_table(blocks).layout
    # Codes and squares (2 + 2) per modality, products (2) per pair.
    assert {m: (table.free(m).size, table.shrunk(m).size) for m in (1, 2, 3, 5, 7)} == {
        1: (1, 4),
        2: (0, 4),
        3: (3, 10),
        5: (2, 10),
        7: (5, 18),
    }


def test_constant_and_repeated_codes_change_nothing() -> None:
    rng = np.random.default_rng(11)
    z = rng.standard_normal((300, 3))
    y = z[:, 0] + rng.standard_normal(300)
    padded = np.hstack([z, np.full((300, 1), 7.0)])
    plain, constant = (heldout(ReadoutBlocks((code,)), y, interactions="none") for code in (z, padded))
    assert plain == pytest.approx(constant, abs=1e-12)
    repeated = heldout(ReadoutBlocks((z,), {1: np.repeat(z[:, :1], 2, axis=1)}), y, interactions="none")
    assert repeated[1] == pytest.approx(plain[1], abs=0.03)


def test_order_and_scale_of_codes_do_not_matter() -> None:
    rng = np.random.default_rng(12)
    z = rng.standard_normal((200, 4))
    y = z[:, 0] + rng.standard_normal(200)
    first = heldout(ReadoutBlocks((z,)), y)
    second = heldout(ReadoutBlocks((z[:, ::-1] * [1.0, 1e9, 1e-13, 2.0],)), 3 * y - 50)
    assert first == pytest.approx(second, abs=1e-9)


def test_pooling_two_models_stacks_their_errors() -> None:
    rng = np.random.default_rng(13)
    y = rng.standard_normal(100)
    blocks = ReadoutBlocks((y[:, None] + rng.standard_normal((100, 1)),))
    folds = np.arange(100) % 5
    fitted = cross_fitted_predictions(blocks, y, folds, [1])
    errors = squared_errors(y, fitted, 1)
    pooled = subset_informations(np.vstack([errors, errors]))
    assert pooled == pytest.approx(subset_informations(errors))
    direct = information_of_predictions(y, fitted.predictions[:, 0, 0], fitted.baseline[:, 0])
    assert direct == pytest.approx(pooled[1])


def test_folds_are_balanced_and_keep_groups_together() -> None:
    rng = np.random.default_rng(14)
    labels = rng.integers(0, 40, size=500)
    folds = balanced_folds(labels, 7, rng)
    assert all(len(set(folds[labels == label])) == 1 for label in set(labels))
    sizes = np.bincount(folds, minlength=7)
    assert sizes.min() > 0.7 * sizes.max()
    assert sorted(np.bincount(balanced_folds(np.arange(20), 7, rng)).tolist()) == [2, 3, 3, 3, 3, 3, 3]
    with pytest.raises(TooFewRowsError, match="3"):
        balanced_folds(np.array([0, 1, 2, 2]), 4, rng)


@pytest.mark.parametrize(("rows", "penalties", "bound"), [(160, PENALTIES, 0.2), (80, np.ones(1), 0.03)])
@pytest.mark.parametrize("free", [0, 1])
def test_influences_are_the_derivatives_by_the_weight_of_a_row(
    free: int, rows: int, penalties: np.ndarray, bound: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A row that weighs a little less changes the errors of the other folds as its influence says."""
    monkeypatch.setattr(ridge, "PENALTIES", penalties)
    rng = np.random.default_rng(17)
    codes = tuple(rng.standard_normal((rows, 3)) for _ in range(2))
    y = codes[0][:, 0] + codes[1][:, 0] * codes[0][:, 1] + rng.standard_normal(rows)
    scores = {1: y[:, None] + rng.standard_normal((rows, 1))} if free else {}
    fit = ReadoutBlocks(tuple(code[:20] + 0.1 for code in codes), {m: s[:20] for m, s in scores.items()})
    folds, step = np.arange(rows) % 4, 1e-3

    def fitted(weights: np.ndarray | None) -> CrossFit:
        held = ReadoutBlocks(codes, scores, weights)
        return cross_fitted_predictions(held, y, folds, [3, 1, 2], fit, y[:20], influences=True)

    def sums(row: int, share: float) -> np.ndarray:
        weights = np.where(np.arange(rows) == row, share, 1.0)
        return squared_errors(y, fitted(weights), 2)[folds != folds[row]].sum(axis=0)

    slopes = np.array([(sums(r, 1 - step) - sums(r, 1 + step)) / (2 * step) for r in range(rows)])
    found = training_influences(fitted(None))
    distance = np.linalg.norm(found - slopes, axis=0) / np.linalg.norm(slopes, axis=0)
    # Exact for the mean. Elsewhere scales, held fixed, would follow the row a little, and what is shrunk with them.
    assert distance[0] < 1e-6
    assert np.all(distance < bound)


def test_influences_count_rows_by_their_weight() -> None:
    rng = np.random.default_rng(19)
    z, y, folds = rng.standard_normal((40, 3)), rng.standard_normal(40), np.arange(40) % 4
    weights = np.repeat([1.0, 2.0], 20)
    twice = np.repeat(np.arange(40), weights.astype(int))
    weighted = cross_fitted_predictions(ReadoutBlocks((z,), {}, weights), y, folds, [1], influences=True)
    repeated = cross_fitted_predictions(
        ReadoutBlocks((z[twice],)), y[twice], folds[twice], [1], influences=True
    )
    both = training_influences(repeated)
    summed = np.array([both[twice == row].sum(axis=0) for row in range(40)])
    assert training_influences(weighted, weights) == pytest.approx(summed)


def test_influences_are_asked_for() -> None:
    rng = np.random.default_rng(18)
    fitted = cross_fitted_predictions(
        ReadoutBlocks((rng.standard_normal((30, 2)),)), rng.standard_normal(30), np.arange(30) % 3, [1]
    )
    with pytest.raises(ShapeError, match="without influences"):
        training_influences(fitted)


def test_a_weight_of_two_is_a_repeated_row() -> None:
    rng = np.random.default_rng(15)
    z, y = rng.standard_normal((40, 3)), rng.standard_normal(40)
    weights, folds = np.repeat([1.0, 2.0], 20), np.arange(40) % 4
    twice = np.repeat(np.arange(40), weights.astype(int))
    held, fit = ReadoutBlocks((z[:30],), weights=weights[:30]), ReadoutBlocks((z[30:],), weights=weights[30:])
    weighted = cross_fitted_predictions(held, y[:30], folds[:30], [1], fit, y[30:])
    first, last = twice[twice < 30], twice[twice >= 30]
    repeated = cross_fitted_predictions(
        ReadoutBlocks((z[first],)), y[first], folds[first], [1], ReadoutBlocks((z[last],)), y[last]
    )
    assert weighted.predictions[first] == pytest.approx(repeated.predictions, abs=1e-10)
    errors = squared_errors(y[:30], weighted, 1, weights[:30])
    assert subset_informations(errors) == pytest.approx(
        subset_informations(squared_errors(y[first], repeated, 1))
    )


def test_bad_input_is_named() -> None:
    y, folds = np.arange(10.0), np.arange(10) % 2
    good = np.random.default_rng(16).standard_normal((10, 2))
    broken = good.copy()
    broken[3, 1] = np.nan
    with pytest.raises(NonFiniteError, match=r"codes of modality 1 .* \(3, 1\)"):
        cross_fitted_predictions(ReadoutBlocks((good, broken)), y, folds, [1])
    with pytest.raises(ShapeError, match="one width"):
        cross_fitted_predictions(ReadoutBlocks((good, good[:, :1])), y, folds, [3])
    with pytest.raises(ShapeError, match="same rows"):
        cross_fitted_predictions(ReadoutBlocks((good, good[:4])), y, folds, [3])
    with pytest.raises(ShapeError, match="folds"):
        cross_fitted_predictions(ReadoutBlocks((good,)), y, folds[:3], [1])
    with pytest.raises(ShapeError, match="non-empty subsets"):
        feature_table(ReadoutBlocks((good,), {2: good}))
    with pytest.raises(ShapeError, match="fit rows"):
        cross_fitted_predictions(ReadoutBlocks((good,)), y, folds, [1], fit=ReadoutBlocks((good,)))
    with pytest.raises(TooFewRowsError, match="free features"):
        cross_fitted_predictions(ReadoutBlocks((good,), {1: np.ones((10, 6))}), y, folds, [1])


def test_no_variance_and_no_error_are_not_numbers() -> None:
    y = np.arange(5.0)
    with pytest.raises(ConstantTargetError):
        information_of_predictions(np.ones(5), y, np.ones(5))
    with pytest.raises(DeterministicTargetError):
        information_of_predictions(y, y, np.zeros(5))
