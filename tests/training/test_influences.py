"""Influences of held-out rows on the readouts of the others: kept per model, pooled, used for intervals and choice."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
import pytest

from pidreg_cli.data.splits import Protocol
from pidreg_cli.fitting import Fit, TableSource, fit_arrays, information_facts, selection_facts
from pidreg_cli.information.features import ReadoutBlocks
from pidreg_cli.information.intervals import jackknife_of_errors
from pidreg_cli.information.readouts import cross_fitted_predictions
from pidreg_cli.training.evaluation import ReadoutRows, Readouts, cross_fitted, pooled, readout_folds
from pidreg_cli.training.outcomes import load_outcome
from pidreg_cli.training.progress import Silent
from pidreg_cli.training.seeds import Stream, numpy_generator
from tests.training.conftest import FolderStore, linear_arrays, quick_settings

SOURCE = TableSource(("table.parquet",), "sha256:0", "y")
SETTINGS = quick_settings()


class Traced(NamedTuple):
    """A fit by two folds, and what was cross-fitted: held-out rows, the rows that fit too, readouts."""

    fit: Fit
    calls: list[tuple[ReadoutRows, ReadoutRows, Readouts]]


@pytest.fixture(scope="module")
def traced() -> Traced:
    calls = []

    def noted(held: ReadoutRows, fit: ReadoutRows, *rest: Any) -> Readouts:
        found = cross_fitted(held, fit, *rest)
        calls.append((held, fit, found))
        return found

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("pidreg_cli.training.model_rows.cross_fitted", noted)
        return Traced(fit_arrays(linear_arrays(160), SOURCE, SETTINGS, Silent()), calls)


def without(row: int, held: ReadoutRows) -> ReadoutRows:
    keep = np.arange(len(held.rows)) != row
    blocks = ReadoutBlocks(
        tuple(np.asarray(code)[keep] for code in held.blocks.codes),
        {mask: np.asarray(score)[keep] for mask, score in held.blocks.scores.items()},
    )
    return replace(
        held, blocks=blocks, targets=held.targets[keep], rows=held.rows[keep], groups=held.groups[keep]
    )


def test_an_influence_is_what_the_row_did_to_the_errors_of_other_rows(traced: Traced) -> None:
    held, fit, found = traced.calls[0]
    folds = readout_folds(held, SETTINGS, numpy_generator(SETTINGS.seed, Stream.READOUT, 0))
    exact = []
    for row in range(20):
        less = without(row, held)
        again = cross_fitted_predictions(
            less.blocks, less.targets, np.delete(folds, row), [1, 2, 3], fit.blocks, fit.targets
        )
        grown = np.square(less.targets - again.baseline).sum(axis=0)
        kept = np.delete(np.arange(len(held.rows)), row)
        exact.append(
            grown - [found.score_errors[kept, 0].sum(), found.target_errors[kept, 0].sum()],
        )
    for column, influences in enumerate((found.score_influences, found.target_influences)):
        pairs = np.array(exact)[:, column], influences[:20, 0]
        assert np.corrcoef(*pairs)[0, 1] > 0.98


def test_each_model_keeps_its_own_and_pooling_stacks_them(traced: Traced) -> None:
    fit, calls = traced
    parts = [found for _, _, found in calls]
    readouts = fit.outcome.held_out.readouts
    for field in fields(Readouts):
        assert getattr(readouts, field.name).tolist() == getattr(pooled(parts), field.name).tolist()
    assert readouts.score_influences.shape == readouts.target_influences.shape == (160, 4)
    # Leaving rows of one model out moves nothing in the sums of the other.
    both = jackknife_of_errors(readouts.score_errors, np.arange(160) // 80, readouts.score_influences)
    left = parts[1].score_errors.sum(axis=0) + parts[0].score_influences.sum(axis=0)
    assert both.replicates[0] == pytest.approx(-0.5 * np.log2(left / left[0]))


def test_intervals_and_choice_use_the_influences(traced: Traced) -> None:
    fit, _ = traced
    outcome, plan = fit.outcome, Protocol("folds", 2)
    undebiased = replace(outcome.held_out, debiased=np.full_like(outcome.held_out.debiased, np.nan))
    facts = information_facts(SETTINGS, plan, replace(outcome, held_out=undebiased), fit.arrays)
    readouts = outcome.held_out.readouts
    fixed = replace(readouts, score_influences=np.zeros_like(readouts.score_influences))
    shorter = information_facts(
        SETTINGS, plan, replace(outcome, held_out=replace(undebiased, readouts=fixed)), fit.arrays
    )
    assert facts.jackknife is not None
    assert shorter.jackknife is not None
    assert facts.jackknife.replicates.std(axis=0)[3] != shorter.jackknife.replicates.std(axis=0)[3]
    selection = selection_facts(SETTINGS, plan, outcome, fit.arrays)
    assert selection.influences is outcome.selection.target_influences


def test_a_stored_fold_brings_its_influences_back(store: FolderStore) -> None:
    fit = fit_arrays(linear_arrays(120), SOURCE, SETTINGS, Silent(), store)
    stored = [load_outcome(store, number) for number in range(2)]
    found = pooled([one[0].readouts for one in stored if one is not None])
    assert found.target_influences.tolist() == fit.outcome.held_out.readouts.target_influences.tolist()


def test_an_outlier_among_few_rows_does_not_stop_a_fit() -> None:
    arrays = linear_arrays(60)
    target = arrays.required_target.copy()
    target[3] = 1e4
    report = fit_arrays(replace(arrays, target=target), SOURCE, SETTINGS, Silent()).report
    assert report.selection is not None
    assert all(value.ci is not None for value in report.information.values)
