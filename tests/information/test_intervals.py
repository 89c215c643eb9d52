from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t as student

from pidreg_cli.information.debiased import (
    debiased_allowed,
    debiased_jackknife,
    plugin_jackknife,
    scalar_bias,
)
from pidreg_cli.information.errors import InformationError, TooFewRowsError
from pidreg_cli.information.features import ReadoutBlocks, feature_table
from pidreg_cli.information.intervals import (
    GROUPS,
    Jackknife,
    atom_intervals,
    containing,
    error_sums,
    information_intervals,
    jackknife_of_errors,
    maximal_sets,
    null_targets,
    order_resolved,
    p_values,
    summary_intervals,
)
from pidreg_cli.information.lattice import Atom, listed_atoms, monotone_closure, summary, upper_sets
from pidreg_cli.information.moments import Moments
from pidreg_cli.information.readouts import (
    FoldReadouts,
    balanced_folds,
    cross_fitted_predictions,
    informations_of_sums,
    squared_errors,
    subset_informations,
    training_influences,
)


def noisy_copies(rng: np.random.Generator, rows: int, *noise: float) -> tuple[ReadoutBlocks, np.ndarray]:
    """Codes M + N_i of a target M ~ N(0, 1)."""
    m = rng.standard_normal(rows)
    codes = [(m + np.sqrt(s) * rng.standard_normal(rows))[:, None] for s in noise]
    return ReadoutBlocks(tuple(codes)), m


def errors_of(seed: int, rows: int = 400, n: int = 2) -> np.ndarray:
    """Squared errors that shrink with the subset."""
    rng = np.random.default_rng(seed)
    scale = np.sqrt([1.0 / (1 + mask.bit_count()) for mask in range(1 << n)])
    return (rng.standard_normal((rows, 1 << n)) * scale) ** 2


def random_jackknife(seed: int, n: int, spread: float = 0.05) -> Jackknife:
    rng = np.random.default_rng(seed)
    estimate = monotone_closure(rng.exponential(size=1 << n))
    replicates = estimate + spread / GROUPS * rng.standard_normal((GROUPS, 1 << n))
    replicates[:, 0] = 0.0
    return Jackknife(estimate, replicates)


def test_interval_is_the_jackknife_of_the_difference() -> None:
    errors, groups = errors_of(0), np.arange(400) % GROUPS
    jackknife = jackknife_of_errors(errors, groups)
    deleted = np.array([subset_informations(errors[groups != g]) for g in range(GROUPS)])
    assert jackknife.replicates == pytest.approx(deleted)
    contrast = deleted[:, 3] - deleted[:, 1]
    error = np.sqrt(29 / 30 * np.sum((contrast - contrast.mean()) ** 2))
    value = jackknife.estimate[3] - jackknife.estimate[1]
    expected = value + np.array([-1, 1]) * student.ppf(0.975, 29) * error
    assert jackknife.interval(3, 1, 0.95) == pytest.approx(expected)


def test_influences_move_a_left_out_group_out_of_the_fits_too() -> None:
    errors, groups = errors_of(1), np.arange(400) % GROUPS
    influences = 0.3 * errors_of(2) - 0.2
    jackknife = jackknife_of_errors(errors, groups, influences)
    assert jackknife.estimate == pytest.approx(subset_informations(errors))
    left = errors[groups != 4].sum(axis=0) + influences[groups == 4].sum(axis=0)
    assert jackknife.replicates[4] == pytest.approx(informations_of_sums(left))


def test_an_outlier_does_not_make_the_first_order_of_a_refit_negative() -> None:
    errors, groups = errors_of(3), np.arange(400) % GROUPS
    influences = np.zeros_like(errors)
    influences[0] = -1.2 * errors.sum(axis=0)
    influences[1, 3] = -0.4 * errors[groups != 1, 3].sum()
    jackknife = jackknife_of_errors(errors, groups, influences)
    assert np.isfinite(jackknife.replicates).all()
    # Up to half the sum the first order is kept.
    left = errors[groups != 1].sum(axis=0) * [1, 1, 1, 0.6]
    assert jackknife.replicates[1] == pytest.approx(informations_of_sums(left))


def population_errors(codes: tuple[np.ndarray, ...], y: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Mean squared errors of the readouts of every subset where y = x_0 + noise and all columns are independent."""
    table, masks = feature_table(ReadoutBlocks(codes), "none"), range(1, 1 << len(codes))
    width = table.values.shape[1]
    slopes, probes = np.eye(width)[0], np.vstack([np.zeros(width), np.eye(width)])
    errors = np.zeros(1 + len(masks))
    for fold in np.unique(folds):
        rows = np.column_stack([table.values, y])[folds != fold]
        readouts = FoldReadouts.fitted(Moments.of(rows), table.layout, masks)
        guesses = np.column_stack(
            [np.full(width + 1, readouts.baseline[0]), readouts.predictions(probes)[..., 0]]
        )
        found = guesses[0] ** 2 + np.sum((guesses[1:] - guesses[0] - slopes[:, None]) ** 2, axis=0) + 1.0
        errors += np.mean(folds == fold) * found
    return errors


@pytest.mark.slow
def test_intervals_cover_the_fitted_readouts_where_rows_are_few() -> None:
    """Sixteen features on 100 rows: with the predictions held fixed the intervals are a fifth too short."""
    covered = np.zeros(2)
    for seed in range(600):
        rng = np.random.default_rng(seed)
        codes = tuple(rng.standard_normal((2, 100, 8)))
        y = codes[0][:, 0] + rng.standard_normal(100)
        folds, groups = (balanced_folds(np.arange(100), count, rng) for count in (10, GROUPS))
        blocks = ReadoutBlocks(codes)
        fitted = cross_fitted_predictions(blocks, y, folds, [1, 2, 3], interactions="none", influences=True)
        errors = squared_errors(y, fitted, 2)
        value = informations_of_sums(population_errors(codes, y, folds))[3]
        for place, given in enumerate((training_influences(fitted), None)):
            low, high = jackknife_of_errors(errors, groups, given).interval(3, 0, 0.95)
            covered[place] += low <= value <= high
    # Three standard errors of 600 repetitions are 2.7 %.
    assert covered[0] / 600 > 0.93
    assert covered[1] / 600 < 0.93


def test_two_source_intervals_follow_the_mapping() -> None:
    jackknife = random_jackknife(1, 2)
    one, two, both = information_intervals(jackknife)[1:]
    beyond = [jackknife.interval(3, single, 0.95) for single in (1, 2)]
    found = summary_intervals(jackknife)
    assert found.total == pytest.approx(both)
    assert found.redundant == pytest.approx(np.minimum(one, two))
    assert found.synergistic == pytest.approx(np.maximum(np.minimum(*beyond), 0))
    assert found.unique[0] == pytest.approx(np.maximum(jackknife.interval(1, 2, 0.95), 0))
    atoms = [Atom((1,), 0.0), Atom((2,), 0.0), Atom((1, 2), 0.0), Atom((3,), 0.0)]
    expected = [found.unique[0], found.unique[1], found.redundant, found.synergistic]
    assert atom_intervals(jackknife, atoms) == pytest.approx(np.array(expected))


@pytest.mark.parametrize("n", [2, 3, 4])
def test_without_spread_intervals_are_the_values(n: int) -> None:
    jackknife = random_jackknife(2, n, spread=0.0)
    v = jackknife.estimate
    atoms = listed_atoms(v)
    values = np.array([atom.value for atom in atoms])
    assert atom_intervals(jackknife, atoms) == pytest.approx(np.stack([values, values], axis=1), abs=1e-12)
    parts, found = summary(v), summary_intervals(jackknife)
    assert found.unique == pytest.approx(np.stack([parts.unique] * 2, axis=1), abs=1e-12)
    assert found.redundant == pytest.approx(parts.redundant)
    assert found.synergistic == pytest.approx(parts.synergistic)


@pytest.mark.parametrize("n", [2, 3, 4])
def test_intervals_contain_the_values(n: int) -> None:
    jackknife = random_jackknife(3, n)
    atoms = listed_atoms(jackknife.estimate)
    spans = atom_intervals(jackknife, atoms)
    values = np.array([atom.value for atom in atoms])
    assert np.all((spans[:, 0] <= values + 1e-12) & (values <= spans[:, 1] + 1e-12))
    assert np.all(spans >= 0)


def jackknife_of_means(seed: int, truth: np.ndarray, correlation: float) -> Jackknife:
    """Thirty groups of normal numbers whose means stand for informations; their jackknife is exact."""
    rng = np.random.default_rng(seed)
    common = np.sqrt(correlation) * rng.standard_normal((GROUPS, 1))
    groups = truth + 0.1 * (common + np.sqrt(1 - correlation) * rng.standard_normal((GROUPS, truth.size)))
    groups[:, 0] = 0.0
    total = groups.sum(axis=0)
    return Jackknife(total / GROUPS, (total - groups) / (GROUPS - 1))


@pytest.mark.parametrize("correlation", [0.0, 0.8])
def test_least_of_tied_differences_is_covered(correlation: float) -> None:
    """Six tied informations: the least of the separate endpoints misses the value far too often."""
    upper, lower = np.arange(1, 7), np.zeros(6, dtype=np.int64)
    truth = np.array([0.0, *[0.5] * 6, 0.5])
    held = np.zeros(2)
    for seed in range(400):
        jackknife = jackknife_of_means(seed, truth, correlation)
        low, high = jackknife.minimum_interval(upper, lower, 0.95)
        separate = jackknife.interval(upper, lower, 0.95).min(axis=0)
        held += [low <= 0.5 <= high, separate[0] <= 0.5 <= separate[1]]
    # Three standard errors of 400 repetitions are 3.3 %.
    assert held[0] / 400 > 0.94
    assert held[1] / 400 < held[0] / 400 - 0.02


def test_least_difference_away_from_ties_has_its_own_interval() -> None:
    jackknife = jackknife_of_means(1, np.array([0, 0.2, 0.9, 1.5, 2.0, 2.5, 3.0, 3.5]), 0.0)
    upper = np.arange(1, 8)
    found = jackknife.minimum_interval(upper, np.zeros_like(upper), 0.95)
    assert found == pytest.approx(jackknife.interval(1, 0, 0.95))


def test_one_source_has_only_unique_information() -> None:
    found = summary_intervals(jackknife_of_means(2, np.array([0.0, 0.4]), 0.0))
    assert found.unique[0] == pytest.approx(found.total)
    assert found.redundant.tolist() == found.synergistic.tolist() == [0.0, 0.0]


def test_maximal_sets_are_those_nothing_contains() -> None:
    down = ~upper_sets([0b011, 0b100], 3)
    assert sorted(maximal_sets(down)) == [0b001, 0b010]


def test_containing_stretches_only_where_needed() -> None:
    spans = containing(np.array([[0.1, 0.2], [0.1, 0.2]]), [0.15, 0.25])
    assert spans.tolist() == [[0.1, 0.2], [0.1, 0.25]]


def test_order_is_resolved_only_where_the_data_tell() -> None:
    rng = np.random.default_rng(4)
    for noise, resolved in (((1.0, 4.0), True), ((1.0, 1.0), False)):
        blocks, y = noisy_copies(rng, 1000, *noise)
        groups = balanced_folds(np.arange(1000), GROUPS, rng)
        assert order_resolved(debiased_jackknife(blocks, y, groups), 1, 2) is resolved


def test_debiased_estimate_covers_the_truth() -> None:
    truth = np.array([0, 0.5, 0.292481, 0.660964])
    covered = np.zeros(4)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        blocks, y = noisy_copies(rng, 300, 1.0, 2.0)
        jackknife = debiased_jackknife(blocks, y, balanced_folds(np.arange(300), GROUPS, rng))
        spans = information_intervals(jackknife)
        covered += (spans[:, 0] <= truth) & (truth <= spans[:, 1])
    # 200 repetitions of a 95 % interval: three standard errors are 4.6 %.
    assert np.all(covered[1:] / 200 > 0.90)


def test_debiased_estimate_of_noise_is_unbiased_and_plugin_is_not() -> None:
    estimates = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        codes = tuple(rng.standard_normal((500, 64)) for _ in range(2))
        groups = np.arange(500) % 2
        blocks = ReadoutBlocks(codes)
        estimates.append(debiased_jackknife(blocks, rng.standard_normal(500), groups, "none").estimate[3])
    error = np.std(estimates) / np.sqrt(40)
    assert abs(np.mean(estimates)) < 3 * error
    assert float(scalar_bias(500, np.array(128.0))) > 0.2


def test_repeated_columns_are_counted_once() -> None:
    rng = np.random.default_rng(5)
    blocks, y = noisy_copies(rng, 200, 1.0)
    code = np.asarray(blocks.codes[0])
    doubled = ReadoutBlocks((np.hstack([code, 2 * code - 1, np.ones_like(code)]),))
    groups = np.arange(200) % 20
    plain = debiased_jackknife(blocks, y, groups, "none")
    assert debiased_jackknife(doubled, y, groups, "none").estimate == pytest.approx(plain.estimate)


def test_debiased_needs_rows() -> None:
    rng = np.random.default_rng(6)
    blocks = ReadoutBlocks((rng.standard_normal((60, 30)),))
    assert debiased_allowed(60, blocks, "none")
    assert not debiased_allowed(60, blocks, "products")
    with pytest.raises(TooFewRowsError, match=r"1\.5"):
        debiased_jackknife(blocks, rng.standard_normal(60), np.arange(60) % 30, "products")


def test_a_jackknife_of_one_group_is_refused() -> None:
    rng = np.random.default_rng(6)
    with pytest.raises(TooFewRowsError, match="one alone"):
        plugin_jackknife(
            ReadoutBlocks((rng.standard_normal((60, 3)),)), rng.standard_normal(60), np.zeros(60, int)
        )


def test_without_the_group_of_a_wild_row_the_jackknife_is_that_of_the_others() -> None:
    rng = np.random.default_rng(7)
    codes, groups = rng.standard_normal((200, 6)), np.arange(200) % 10
    y = codes[:, 0] + rng.standard_normal(200)
    codes[3] = 1e7
    found = plugin_jackknife(ReadoutBlocks((codes,)), y, groups, "none").replicates[3]
    others = groups != 3
    alone = plugin_jackknife(ReadoutBlocks((codes[others],)), y[others], groups[others], "none").estimate
    assert found == pytest.approx(alone, abs=1e-6)


def p_of(codes: tuple[np.ndarray, ...], y: np.ndarray, rng: np.random.Generator, draws: int) -> np.ndarray:
    targets = np.column_stack([y, null_targets(y, draws, rng)])
    folds = balanced_folds(np.arange(y.size), 5, rng)
    fitted = cross_fitted_predictions(ReadoutBlocks(codes), targets, folds, [1, 2, 3])
    return p_values(error_sums(targets, fitted))


def test_p_values_tell_signal_from_noise() -> None:
    rng = np.random.default_rng(9)
    signal, noise = rng.standard_normal((2, 300, 4))
    y = 0.4 * signal[:, 0] + rng.standard_normal(300)
    p = p_of((signal, noise), y, rng, 99)
    assert p[0] == p[2] == 0.01
    assert p[1] > 0.05


def test_p_values_of_noise_are_uniform() -> None:
    rng = np.random.default_rng(10)
    values = []
    for _ in range(120):
        codes = tuple(rng.standard_normal((80, 3)) for _ in range(2))
        values.append(p_of(codes, rng.standard_normal(80), rng, 19))
    below = np.mean(np.array(values) <= 0.1, axis=0)
    # Exact size .1; three standard errors of 120 repetitions are .082.
    assert np.all(below < 0.19)
    assert np.array(values).mean() == pytest.approx(0.5, abs=0.1)


def test_null_targets_keep_groups_together() -> None:
    rng = np.random.default_rng(11)
    groups = np.repeat(np.arange(10), 5)
    y = rng.standard_normal(50)
    draws = null_targets(y, 50, rng, groups)
    signs = np.sign((draws - y.mean()) / (y - y.mean())[:, None]).reshape(10, 5, 50)
    assert np.all(signs == signs[:, :1])
    assert abs(signs.mean()) < 0.2


def test_a_confidence_in_percent_is_refused() -> None:
    jackknife = jackknife_of_errors(errors_of(0), np.arange(400) % GROUPS)
    for confidence in (95.0, 0.0, 1.0, float("nan")):
        with pytest.raises(InformationError, match="between 0 and 1"):
            information_intervals(jackknife, confidence)
        with pytest.raises(InformationError, match="between 0 and 1"):
            summary_intervals(jackknife, confidence)
