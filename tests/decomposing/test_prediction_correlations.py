"""Measures that need the correlation of predictions read that of what is told beyond covariates, by their estimate."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import rankdata

from pidreg_cli.information.debiased import plugin_correlations, rows_correlations
from pidreg_cli.information.features import ReadoutBlocks, laid_out
from pidreg_cli.information.gaussian_pid import gaussian_pid
from pidreg_cli.information.moments import Moments
from pidreg_cli.reports.model import Report
from tests.decomposing.conftest import Write, decomposed

Columns = dict[str, np.ndarray]


def atoms_of(report: Report) -> dict[str, float]:
    assert report.pid is not None
    return {atom.id: atom.value for atom in report.pid.atoms}


def with_a_common_covariate(rows: int = 3000) -> Columns:
    """a and b are alike by c alone, which tells most of the target."""
    c, one, other, noise = np.random.default_rng(1).standard_normal((4, rows))
    return {
        "a__0": 2 * c + one,
        "b__0": 2 * c + other,
        "c": c,
        "target": one + 0.8 * other + 2 * c + 0.8 * noise,
    }


def beyond(columns: Columns, values: np.ndarray) -> np.ndarray:
    c = columns["c"]
    known = np.column_stack([np.ones(len(c)), c, c * c])
    return np.asarray(values - known @ np.linalg.lstsq(known, values, rcond=None)[0])


def scores(values: np.ndarray) -> np.ndarray:
    return np.asarray(ndtri((rankdata(values) - 0.375) / (len(values) + 0.25)))


@pytest.mark.parametrize(("measure", "within"), [("ig", 1e-3), ("ccs", 5e-3)])
@pytest.mark.parametrize(("estimator", "more"), [("plugin", 0.0), ("heldout", 4e-3)])
def test_beyond_covariates_parts_are_those_of_what_is_left(
    write: Write, measure: str, within: float, estimator: str, more: float
) -> None:
    columns = with_a_common_covariate()
    rest = [beyond(columns, v) for v in (scores(columns["target"]), columns["a__0"], columns["b__0"])]
    expected = gaussian_pid(np.cov(rest), [0], {"a": [1], "b": [2]}, measure).atoms  # type: ignore[arg-type]
    asked = {"measure": measure, "estimator": estimator, "interactions": "none"}
    found = atoms_of(decomposed(write(columns), ("c",), **asked).report)
    assert found == pytest.approx(expected, abs=within + more)


def test_parts_of_a_plug_in_estimate_are_those_of_the_covariance(write: Write) -> None:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((200, 40))
    x[:, 20:] += 0.5 * x[:, :20]
    y = 0.4 * x[:, 0] + 0.4 * x[:, 20] + 0.3 * x[:, 3] + 0.3 * x[:, 25] + rng.standard_normal(200)
    columns = {f"{'ab'[i // 20]}__{i}": x[:, i] for i in range(40)} | {"target": y}
    covariance = np.cov(np.column_stack([scores(y), x]).T)
    sources = {"a": list(range(1, 21)), "b": list(range(21, 41))}
    expected = gaussian_pid(covariance, [0], sources, "ig").atoms
    report = decomposed(write(columns), measure="ig", estimator="plugin", interactions="none").report
    assert atoms_of(report) == pytest.approx(expected, abs=1e-6)


def test_moments_and_rows_say_the_same_whatever_the_units() -> None:
    rng = np.random.default_rng(3)
    codes = tuple(rng.standard_normal((150, 3)) for _ in range(3))
    target = codes[0][:, 0] + codes[1][:, 1] + codes[2][:, 2] * codes[0][:, 0] + rng.standard_normal(150)
    rows = np.column_stack([*codes, target])
    layout = laid_out({("code", i, i): 3 for i in range(3)})
    found = plugin_correlations(Moments.of(rows * np.array([*[1e6, 1e-6, 1] * 3, 100])), layout, 3)
    assert found == pytest.approx(rows_correlations(ReadoutBlocks(codes, {}), target, "none"), abs=1e-9)
    expected = []
    for i, one in enumerate(codes):
        rest = np.column_stack([code for k, code in enumerate(codes) if k != i])
        guesses = [
            known @ np.linalg.lstsq(known, target, rcond=None)[0]
            for known in (np.column_stack([np.ones(150), values]) for values in (one, rest))
        ]
        expected.append(np.corrcoef(guesses)[0, 1])
    assert found == pytest.approx(expected, abs=1e-9)


def test_what_does_not_vary_correlates_with_nothing() -> None:
    rows = np.column_stack([np.zeros(20), np.arange(20.0), np.arange(20.0)])
    layout = laid_out({("code", 0, 0): 1, ("code", 1, 1): 1})
    assert plugin_correlations(Moments.of(rows), layout, 2).tolist() == [0.0, 0.0]
    assert plugin_correlations(Moments.of(rows[:, 1:]), laid_out({("code", 0, 0): 1}), 1).tolist() == [0.0]
