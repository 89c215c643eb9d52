from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from pidreg_cli.data.counted import Counted
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.information.intervals import jackknife_of_errors
from pidreg_cli.information.readouts import subset_informations
from pidreg_cli.reports.decomposition import rest_correlations
from pidreg_cli.reports.evidence import (
    AccuracyFacts,
    Evidence,
    FusionFacts,
    InformationFacts,
    ModalityFacts,
    RunFacts,
    SelectionFacts,
    TableFacts,
    TrainingFacts,
)
from pidreg_cli.reports.traces import Epoch, HeldOut, Traces
from pidreg_cli.training.metrics import accuracy

Floats = NDArray[np.float64]


def linear_predictions(sources: Floats, target: Floats) -> Floats:
    """Least squares from every subset of the columns of ``sources``: (rows, 2**n)."""
    rows, n = sources.shape
    found = np.full((rows, 2**n), target.mean())
    for mask in range(1, 2**n):
        chosen = np.column_stack([np.ones(rows), *(sources[:, i] for i in range(n) if mask >> i & 1)])
        found[:, mask] = chosen @ np.linalg.lstsq(chosen, target, rcond=None)[0]
    return found


def evidence_of(names: tuple[str, ...], sources: Floats, target: Floats) -> Evidence:
    """Evidence as if ``sources`` were codes and these rows were held out."""
    n, rows = len(names), len(target)
    predictions = linear_predictions(sources, target)
    errors = np.square(target[:, None] - predictions)
    groups = np.arange(rows) % 30
    score = accuracy(target, predictions[:, -1])
    singles = np.full(n, 1 / (n + n * (n - 1) / 2))
    return Evidence(
        run=RunFacts("pidreg fit table.parquet", "2025-06-01T12:00:00Z", 0, "cpu", 2),
        table=TableFacts(
            ("table.parquet",),
            "sha256:" + "0" * 64,
            5 * rows + 7,
            7,
            3 * rows,
            rows,
            rows,
            None,
            "y",
            "normal",
        ),
        modalities=tuple(ModalityFacts(name, 10 + i, 0.01 * i, 0.0) for i, name in enumerate(names)),
        accuracy=AccuracyFacts(score, None, {"ridge": replace(score, rmse=score.rmse * 1.1)}),
        information=InformationFacts(
            "heldout",
            "products",
            "split",
            rows,
            0.95,
            subset_informations(errors),
            jackknife_of_errors(errors, groups),
            "readout",
            p_values={2**n - 1: 0.005},
            rest_correlations=rest_correlations(predictions) if n > 1 else None,
        ),
        fusion=FusionFacts(
            singles,
            np.triu(np.full((n, n), singles[0]), 1),
            True,
            0.004,
            0.01,
            12,
            40,
            np.full(n, 0.9),
            "all rows",
        ),
        selection=SelectionFacts(SetErrors.of_rows(errors, groups), "valid"),
        training=TrainingFacts(Counted.of(target)),
    )


def drawn(names: tuple[str, ...], mixing: Floats, rows: int = 900, seed: int = 0) -> Evidence:
    """A linear system: modality i is ``mixing[i] @ latent``, the target the last row of it."""
    latent = np.random.default_rng(seed).standard_normal((rows, mixing.shape[1]))
    values = latent @ mixing.T
    return evidence_of(names, values[:, :-1], values[:, -1])


@pytest.fixture(scope="session")
def two() -> Evidence:
    """a: shared and its own part; b: the shared part, noisy."""
    return drawn(("a", "b"), np.array([[1.0, 0.0, 0, 1], [1, 0, 1.5, 0], [1, 0.5, 0, 0.7]]))


@pytest.fixture(scope="session")
def one() -> Evidence:
    return drawn(("only",), np.array([[1.0, 0.3], [1.0, 0.9]]))


@pytest.fixture(scope="session")
def three() -> Evidence:
    """Two noisy views of one quantity and an independent one."""
    return drawn(
        ("mri", "fmri", "age"),
        np.array([[1.0, 1, 0, 0, 0], [1, 0, 1, 0, 0], [0, 0, 0, 1, 0], [1, 0, 0, 1, 0.5]]),
    )


@pytest.fixture(scope="session")
def eight() -> Evidence:
    mixing = np.vstack([np.eye(8, 9), np.arange(9.0)])
    return drawn(tuple("abcdefgh"), mixing)


@pytest.fixture(scope="session")
def nothing() -> Evidence:
    """Two modalities that have nothing to do with the target, and a test that says so."""
    rng = np.random.default_rng(3)
    evidence = evidence_of(("a", "b"), rng.standard_normal((400, 2)), rng.standard_normal(400))
    assert evidence.information is not None
    return replace(evidence, information=replace(evidence.information, p_values={3: 0.4}))


def traces_of(names: tuple[str, ...], rows: int = 200, epochs: int = 4) -> Traces:
    """A course of training, half of it stage 1, and held-out rows."""
    rng = np.random.default_rng(0)
    y = rng.standard_normal(rows)
    course = [
        Epoch(
            stage=1 if number < epochs // 2 else 2,
            atoms={}
            if number >= epochs // 2
            else {**{f"unique.{name}": 0.1 * number for name in names}, "redundant": 0.2},
            weights={name: 1 / len(names) for name in names},
        )
        for number in range(epochs)
    ]
    return Traces(tuple(course), HeldOut(y, y + rng.standard_normal(rows)))
