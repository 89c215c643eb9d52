"""Readouts from moments of groups say what readouts of the rows say, in one pass."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pidreg_cli.information.debiased import debiased_jackknife, moments_jackknife, plugin_jackknife
from pidreg_cli.information.errors import ConstantTargetError, DeterministicTargetError, TooFewRowsError
from pidreg_cli.information.features import ReadoutBlocks, feature_table
from pidreg_cli.information.grouped_readouts import GroupedSums, grouped_p_values, grouped_readouts
from pidreg_cli.information.intervals import jackknife_of_errors
from pidreg_cli.information.readouts import (
    balanced_folds,
    cross_fitted_predictions,
    squared_errors,
    training_influences,
)

GROUPS, FOLDS = 12, 4


class System:
    """Two or more modalities of correlated codes, a score each and a target; groups nested in folds."""

    def __init__(self, rows: int = 300, modalities: int = 2, seed: int = 0, covariates: int = 0) -> None:
        rng = np.random.default_rng(seed)
        given = rng.normal(size=(rows, covariates)) + 3 if covariates else None
        base = rng.normal(size=rows)
        codes = tuple(base[:, None] * 0.5 + rng.normal(size=(rows, 3)) + 7 for _ in range(modalities))
        self.target = 4 + base + codes[0][:, 0] + rng.normal(size=rows)
        if given is not None:
            self.target = self.target + 2 * given[:, 0]
        scores = {1: rng.normal(size=(rows, 1)), (1 << modalities) - 1: rng.normal(size=(rows, 2))}
        self.blocks = ReadoutBlocks(codes, scores, given=given)
        self.labels = balanced_folds(np.arange(rows), GROUPS, rng)
        self.folds = np.arange(GROUPS) % FOLDS
        self.table = feature_table(self.blocks)
        self.rows = np.column_stack([self.table.values, self.target])

    @property
    def masks(self) -> range:
        return range(1, 1 << len(self.blocks.codes))

    def parts(self, batch: int = 41):
        sums = GroupedSums(GROUPS, self.rows.shape[1])
        for start in range(0, len(self.rows), batch):
            sums.add(self.rows[start : start + batch], self.labels[start : start + batch])
        return sums.parts

    def grouped(self):
        return grouped_readouts(self.parts(), self.folds, self.table.layout, self.masks)

    def by_rows(self):
        return cross_fitted_predictions(
            self.blocks, self.target, self.folds[self.labels], self.masks, influences=True
        )


@settings(max_examples=12, deadline=None)
@given(
    rows=st.integers(60, 200),
    modalities=st.integers(1, 3),
    seed=st.integers(0, 1000),
    covariates=st.integers(0, 2),
    folds=st.integers(2, 5),
)
def test_moments_say_what_rows_say(
    rows: int, modalities: int, seed: int, covariates: int, folds: int
) -> None:
    system = System(rows, modalities, seed, covariates)
    system.folds = np.arange(GROUPS) % folds
    found, fitted = system.grouped(), system.by_rows()
    errors = squared_errors(system.target, fitted, modalities)
    jackknife = jackknife_of_errors(errors, system.labels, training_influences(fitted))
    assert found.jackknife().estimate == pytest.approx(jackknife.estimate, abs=1e-8)
    assert found.jackknife().replicates == pytest.approx(jackknife.replicates, abs=1e-7)
    predictions = found.predictions(system.rows, system.labels)[:, :, 0]
    assert predictions[:, 1:] == pytest.approx(fitted.predictions[:, :, 0], abs=1e-6)
    assert predictions[:, 0] == pytest.approx(fitted.baseline[:, 0], abs=1e-6)


@pytest.mark.parametrize("covariates", [0, 2])
def test_correlations_of_predictions_are_those_of_the_rows(covariates: int) -> None:
    system = System(modalities=3, covariates=covariates)
    fitted = system.by_rows()
    beyond = fitted.predictions[:, :, 0] - fitted.baseline[:, :1]
    expected = [np.corrcoef(beyond[:, (1 << i) - 1], beyond[:, 7 - (1 << i) - 1])[0, 1] for i in range(3)]
    assert system.grouped().correlations == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("covariates", [0, 2])
def test_covariance_estimates_are_those_of_the_rows(covariates: int) -> None:
    system = System(covariates=covariates)
    layout = system.table.layout
    for estimate, debias in ((debiased_jackknife, True), (plugin_jackknife, False)):
        rows = estimate(system.blocks, system.target, system.labels)
        moments = moments_jackknife(system.parts(), layout, 2, debias=debias)
        assert moments.estimate == pytest.approx(rows.estimate, abs=1e-8)
        assert moments.replicates == pytest.approx(rows.replicates, abs=1e-8)


def test_the_order_and_size_of_batches_do_not_matter() -> None:
    system = System()
    layout, folds = system.table.layout, system.folds
    one, many = (
        grouped_readouts(system.parts(batch), folds, layout, system.masks).jackknife().estimate
        for batch in (300, 7)
    )
    assert one == pytest.approx(many, abs=1e-10)


@pytest.mark.parametrize("threads", [1, 2, 7, 100])
def test_threads_that_share_the_groups_change_no_digit(threads: int) -> None:
    system = System()
    alone = system.parts()
    sums = GroupedSums(GROUPS, system.rows.shape[1])
    with sums.shared(threads):
        for start in range(0, len(system.rows), 41):
            sums.add(system.rows[start : start + 41], system.labels[start : start + 41])
    for mine, other in zip(sums.parts, alone, strict=True):
        assert mine.count == other.count
        assert np.array_equal(mine.mean, other.mean)
        assert np.array_equal(mine.scatter, other.scatter)


def test_information_beyond_covariates_is_conditional() -> None:
    """Codes that are a covariate seen again tell nothing beyond it; independent ones tell what they always tell."""
    rng = np.random.default_rng(3)
    covariate, own, noise = rng.normal(size=(3, 6000))
    target = covariate + own + noise
    blocks = ReadoutBlocks((covariate[:, None] + 0.0, own[:, None]), given=covariate[:, None])
    table = feature_table(blocks, "none")
    labels = balanced_folds(np.arange(6000), GROUPS, rng)
    sums = GroupedSums(GROUPS, 4)
    sums.add(np.column_stack([table.values, target]), labels)
    found = grouped_readouts(sums.parts, np.arange(GROUPS) % FOLDS, table.layout, [1, 2, 3]).jackknife()
    # Gaussian: I(Y; own | covariate) = 1/2 log2 2.
    assert found.estimate[1:] == pytest.approx([0.0, 0.5, 0.5], abs=0.03)
    p = grouped_p_values(sums.parts, np.arange(GROUPS) % FOLDS, table.layout, [1, 2, 3], 99, rng)
    assert p[0] > 0.05
    assert p[1:].max() <= 0.03


def test_p_values_of_noise_are_uniform_and_those_of_signal_small() -> None:
    values = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        codes = (rng.normal(size=(240, 4)), rng.normal(size=(240, 4)))
        target = rng.normal(size=240)
        table = feature_table(ReadoutBlocks(codes))
        labels = balanced_folds(np.arange(240), 30, rng)
        sums = GroupedSums(30, table.layout.width + 1)
        sums.add(np.column_stack([table.values, target]), labels)
        values.append(grouped_p_values(sums.parts, np.arange(30) % 10, table.layout, [1, 2, 3], 99, rng))
    found = np.array(values)
    assert 0.35 < found.mean() < 0.65
    # A share of .05 of 180 correlated values: at most .12 in all but one of a thousand such tests.
    assert (found <= 0.05).mean() < 0.12
    system = System()
    signal = grouped_p_values(
        system.parts(), system.folds, system.table.layout, [1, 2, 3], 99, np.random.default_rng(0)
    )
    assert signal.max() <= 0.03


def test_what_rows_cannot_say_is_refused() -> None:
    system = System(rows=60)
    layout = system.table.layout
    constant = GroupedSums(GROUPS, system.rows.shape[1])
    constant.add(np.column_stack([system.table.values, np.ones(60)]), system.labels)
    with pytest.raises(ConstantTargetError):
        grouped_readouts(constant.parts, system.folds, layout, system.masks).jackknife()
    exact = GroupedSums(GROUPS, system.rows.shape[1])
    exact.add(np.column_stack([system.table.values, system.table.values[:, 0]]), system.labels)
    with pytest.raises(DeterministicTargetError):
        moments_jackknife(exact.parts, layout, 2, debias=False)
    with pytest.raises(TooFewRowsError):
        moments_jackknife(System(rows=20).parts(), layout, 2)
