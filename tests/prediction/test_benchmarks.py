"""What the benchmarks of predictions compute."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from benchmarks.prediction import excess
from benchmarks.prediction_speed import bare, forward, generate, plain_boosters
from pidreg_cli.data.frames import frame_arrays
from tests.prediction.conftest import Fitted


def test_excess_is_that_of_the_root_mean_squares_with_its_error_over_rows() -> None:
    rng = np.random.default_rng(0)
    y = np.zeros(4000)
    found, other = rng.normal(size=4000), 1.1 * rng.normal(size=4000)
    text, error = excess(y, found, other).removesuffix("%").split("% ± ")
    ratio = np.sqrt(np.mean(np.square(other)) / np.mean(np.square(found)))
    assert float(text) == np.round(100 * (ratio - 1), 1)
    draws = rng.integers(0, 4000, (2000, 4000))
    again = np.sqrt(np.square(other)[draws].mean(axis=1) / np.square(found)[draws].mean(axis=1))
    np.testing.assert_allclose(float(error), 200 * again.std(), rtol=0.1)


def test_the_bare_forward_is_that_of_the_network(fitted: Fitted) -> None:
    model = fitted.model.predictor_.model
    network = model.networks[0]
    inputs = model.transforms.inputs(frame_arrays(fitted.new, fitted.model.columns_, None), model.device)
    values = [
        flat[:, : encoder.features] for flat, encoder in zip(inputs, network.shape.encoders, strict=True)
    ]
    zeros = [
        torch.cat([block, torch.zeros(len(block), flat.shape[1] - block.shape[1])], 1)
        for block, flat in zip(values, inputs, strict=True)
    ]
    with torch.no_grad():
        expected = network.predict(network.encode(zeros, None))
        found = forward(network, torch.cat(values, 1))
    torch.testing.assert_close(found, expected)


def test_the_bare_process_passes_every_row(fitted: Fitted) -> None:
    assert bare(fitted.folder, fitted.file, 1) == len(fitted.new)


def test_tables_have_the_rows_asked_for_and_empty_cells(tmp_path: Path) -> None:
    generate(tmp_path / "t.parquet", 1000, empty=0.2)
    found = pq.read_table(tmp_path / "t.parquet").to_pandas()
    assert len(found) == 1000
    np.testing.assert_allclose(found.drop(columns="target").isna().to_numpy().mean(), 0.2, atol=0.01)


def test_the_plain_trees_are_those_that_predict(with_trees: Fitted) -> None:
    predictor = with_trees.model.predictor_
    boosters = plain_boosters(predictor)
    boosted, rows = (
        predictor.model.transforms.boosted,
        frame_arrays(with_trees.new, with_trees.model.columns_, None),
    )
    assert boosted is not None
    block = np.hstack(list(rows.features.values()))
    found = np.array([booster.predict(block[:, columns]) for columns, booster in boosters])
    scores = predictor.model.transforms.scores(rows, predicting := [1, 2, 4, 7])
    expected = np.array([scores[mask] for mask in predicting])
    assert len(found) == boosted.folds * len(predicting)
    np.testing.assert_allclose(
        found.reshape(len(predicting), boosted.folds, -1).mean(axis=1), expected, rtol=1e-6
    )
    assert bare(with_trees.folder, with_trees.file, 1, trees=True) == len(with_trees.new)
