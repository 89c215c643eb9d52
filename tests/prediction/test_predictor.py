"""Predictions by whatever modalities rows have, from Python."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from decimal import Decimal
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from pidreg_cli import load_model
from pidreg_cli.data.frames import frame_arrays
from pidreg_cli.decisions.prediction.rows import Predictor, Request
from pidreg_cli.errors import ArrayError, DataError
from pidreg_cli.prediction_files import PREDICTION, prediction_bytes, read_predictor
from pidreg_cli.training.calibration_rows import served_sets
from tests.prediction.conftest import Fitted

NAMES = ("a", "b", "c")


def rmse(target: pd.Series, prediction: np.ndarray) -> float:
    return float(np.sqrt(np.mean(np.square(target - prediction))))


def without(table: pd.DataFrame, *names: str) -> pd.DataFrame:
    """The rows with null cells in these modalities."""
    lost = [column for column in table.columns if column.partition("__")[0] in names]
    return table.assign(**dict.fromkeys(lost, np.nan))


def test_a_loaded_run_predicts_and_explains_what_the_estimator_does(fitted: Fitted) -> None:
    loaded = load_model(fitted.folder)
    rows = without(fitted.new[:50], "b")
    np.testing.assert_array_equal(loaded.predict(fitted.new), fitted.model.predict(fitted.new))
    np.testing.assert_array_equal(loaded.predict_interval(rows), fitted.model.predict_interval(rows))
    pd.testing.assert_frame_equal(loaded.explain(rows), fitted.model.explain(rows))


def test_the_full_set_predicts_as_the_model_itself(fitted: Fitted) -> None:
    predictor = fitted.model.predictor_
    rows = fitted.new[:100]
    arrays = frame_arrays(rows, fitted.model.columns_, None)
    np.testing.assert_allclose(fitted.model.predict(rows), predictor.model.predict(arrays), rtol=1e-12)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
@pytest.mark.parametrize("left_out", [c for k in range(4) for c in combinations(NAMES, k)])
def test_intervals_cover_by_any_set(fitted: Fitted, level: float, left_out: tuple[str, ...]) -> None:
    rows = without(fitted.new, *left_out)
    low, high = fitted.model.predict_interval(rows, level).T
    covered = ((low <= rows["target"]) & (rows["target"] <= high)).mean()
    # 500 rows calibrate and 900 judge: three standard errors are 5 points at 80 %.
    assert covered == pytest.approx(level, abs=3.2 * np.sqrt(level * (1 - level) * (1 / 500 + 1 / 900)))


def test_intervals_are_wider_where_noise_is_and_where_less_is_known(fitted: Fitted) -> None:
    width = np.diff(fitted.model.predict_interval(fitted.new))[:, 0]
    noisy = fitted.new["a__2"] > 1
    assert width[~noisy].mean() < width.mean()
    wider = np.diff(fitted.model.predict_interval(without(fitted.new, "a")))[:, 0]
    assert wider.mean() > 1.2 * width.mean()


def test_a_lost_modality_costs_less_than_its_mean_in_its_place(fitted: Fitted) -> None:
    lost = without(fitted.new, "a")
    filled = fitted.new.assign(**{c: 0.0 for c in fitted.new if c.startswith("a__")})
    found, mean, full = (
        rmse(fitted.new["target"], fitted.model.predict(t)) for t in (lost, filled, fitted.new)
    )
    assert full < found < 0.9 * mean


def test_rows_without_anything_get_the_mean(fitted: Fitted) -> None:
    found = fitted.model.predict(without(fitted.new[:20], *NAMES))
    assert np.ptp(found) == 0
    assert found[0] == pytest.approx(10, abs=1)
    low, high = fitted.model.predict_interval(without(fitted.new[:20], *NAMES), 0.9).T
    assert (high - low > 12).all()
    assert fitted.model.explain(without(fitted.new[:3], *NAMES)).isna().all().all()


def test_a_row_does_not_depend_on_those_beside_it(fitted: Fitted) -> None:
    mixed = fitted.new[:60].copy()
    mixed.loc[mixed.index[::3], ["a__0", "a__1", "a__2"]] = np.nan
    together = fitted.model.predict(mixed)
    apart = np.concatenate([fitted.model.predict(mixed[i : i + 7]) for i in range(0, 60, 7)])
    np.testing.assert_allclose(together, apart, rtol=1e-5)
    absent = fitted.new[["b__0", "b__1", "c__0", "c__1"]]
    np.testing.assert_allclose(
        fitted.model.predict(absent), fitted.model.predict(without(fitted.new, "a")), rtol=1e-6
    )


def test_chunks_make_no_difference(fitted: Fitted, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted.model.predict(fitted.new)
    monkeypatch.setattr(Predictor, "chunk", property(lambda self: 64))
    np.testing.assert_allclose(fitted.model.predict(fitted.new), whole, rtol=1e-5)


def test_explanations_add_up_to_differences_of_predictions(fitted: Fitted) -> None:
    rows = without(fitted.new[:40], "c")
    found = fitted.model.explain(rows)
    gone = fitted.model.predict(without(rows, "a"))
    np.testing.assert_allclose(found["shift.a"], fitted.model.predict(rows) - gone, rtol=1e-4, atol=1e-4)
    assert found[["bits.c", "shift.c"]].isna().all().all()
    assert (found[["bits.a", "bits.b"]] >= 0).all().all()


def test_a_gap_counts_as_a_rows_own_only_where_no_modality_is_kept_from_all_rows(fitted: Fitted) -> None:
    predictor = fitted.model.predictor_
    sets = dict(predictor.calibrated.sets)
    sets[0b011] = replace(sets[0b011], own=10 * sets[0b011].nonconformity)
    model = copy(fitted.model)
    model.predictor_ = Predictor(predictor.model, replace(predictor.calibrated, sets=sets))
    table = fitted.new.drop(columns=["c__0", "c__1"])

    def width(rows: pd.DataFrame) -> np.ndarray:
        return np.diff(model.predict_interval(rows))[:, 0]

    as_all = width(table)
    np.testing.assert_allclose(width(without(fitted.new, "c")), 10 * as_all)
    np.testing.assert_allclose(np.diff(fitted.model.predict_interval(table))[:, 0], as_all)
    # Rows that have more than the set are not among those with the gap.
    np.testing.assert_array_equal(width(fitted.new), np.diff(fitted.model.predict_interval(fitted.new))[:, 0])


def test_numbers_do_not_depend_on_the_threads(fitted: Fitted) -> None:
    predictor = fitted.model.predictor_
    arrays = frame_arrays(pd.concat([fitted.new] * 12), fitted.model.columns_, None)
    assert arrays.rows > 2 * predictor.chunk
    one, three = (predictor.predict(arrays, Request(explain=True), workers) for workers in (1, 3))
    np.testing.assert_array_equal(one.upper, three.upper)
    assert one.explanation is not None
    assert three.explanation is not None
    np.testing.assert_array_equal(one.explanation.bits, three.explanation.bits)


def test_information_of_rows_averages_to_the_report(fitted: Fitted) -> None:
    predictor, target = fitted.model.predictor_, fitted.new["target"].to_numpy()
    arrays = frame_arrays(fitted.new, fitted.model.columns_, target)
    found = predictor.predict(arrays, Request(explain=True))
    assert found.explanation is not None
    score = predictor.model.transforms.target.forward(target)
    total, added = found.explanation.information(found, score)
    report = fitted.model.report_.information.values
    full = next(v.value for v in report if len(v.modalities) == 3)
    assert total.mean() == pytest.approx(full, abs=0.2)
    for i, name in enumerate(NAMES):
        rest = next(v.value for v in report if set(v.modalities) == set(NAMES) - {name})
        assert added[:, i].mean() == pytest.approx(full - rest, abs=0.2)
        # The divergence without a target has the mean that the identity of the method gives it.
        m1, m0 = found.score, found.explanation.without[:, i]
        v0 = found.explanation.without_errors[0, i]
        identity = added[:, i].mean() - np.mean((score - m1) * (m1 - m0)) / (v0 * np.log(2))
        excess = _excess(score, (m1, m0), (found.score_errors[0, 1], v0))
        assert found.explanation.bits[:, i].mean() == pytest.approx(identity + excess, abs=1e-9)


def _excess(score: np.ndarray, means: tuple[np.ndarray, np.ndarray], variances: tuple[float, float]) -> float:
    """What the identity lacks where variances are not those of the rows themselves."""
    m1, v1, v0 = means[0], *variances
    own = np.mean(np.square(score - m1))
    return float((0.5 * (v1 - own) / v0 + 0.5 * (own / v1 - 1)) / np.log(2))


def test_some_columns_of_a_modality_are_not_enough(fitted: Fitted) -> None:
    with pytest.raises(DataError, match="a__1"):
        fitted.model.predict(fitted.new.drop(columns="a__1"))


def test_sets_beyond_five_modalities_are_small_or_lack_little() -> None:
    assert served_sets(3) == tuple(range(1, 8))
    assert len(served_sets(5)) == 31
    sizes = {mask.bit_count() for mask in served_sets(9)}
    assert sizes == {1, 2, 7, 8, 9}


def test_a_run_keeps_what_it_predicts_by_to_the_byte(fitted: Fitted) -> None:
    predictor, _ = read_predictor(fitted.folder, torch.device("cpu"))
    weights = (fitted.folder / "model.safetensors").read_bytes()
    assert prediction_bytes(predictor.calibrated, weights) == (fitted.folder / PREDICTION).read_bytes()


def test_lists_in_frames_are_embeddings() -> None:
    rows = pd.DataFrame({"emb": [[1.0, 2.0, 3.0], None, np.array([4.0, 5.0, 6.0])]})
    arrays = frame_arrays(rows, {"emb": ["emb"]}, None)
    np.testing.assert_array_equal(arrays.features["emb"][[0, 2]], [[1, 2, 3], [4, 5, 6]])
    assert np.isnan(arrays.features["emb"][1]).all()
    assert arrays.columns["emb"] == ("emb[0]", "emb[1]", "emb[2]")


CELLS = {
    "uneven": ([[1.0, 2.0], [1.0]], "unequal length: 2 elements, 1 in row 1"),
    "mixed": ([[1.0, 2.0], [1.0, {}]], "not numeric: it holds"),
    "null element": ([[1.0, 2.0], [1.0, None]], "null element"),
    "text in lists": ([["1", "2"]], "not numeric"),
    "numbers among lists": ([[1.0, 2.0], 3.0], "unequal length"),
    "digits": (["1.5", "2"], "not numeric: it holds '1.5'"),
    "dates": (pd.to_datetime(["2020-01-01"]), "not numeric: it holds datetime64"),
    "categories": (pd.Categorical(["1", "2"]), "not numeric: it holds '1'"),
    "infinite": ([1.0, np.inf], "infinite"),
    "too large": ([1.0, 1e300], "beyond single precision"),
}


@pytest.mark.parametrize("case", CELLS)
def test_cells_that_a_file_could_not_have_are_refused_in_frames(case: str) -> None:
    cells, message = CELLS[case]
    with pytest.raises(DataError, match=message):
        frame_arrays(pd.DataFrame({"emb": cells}), {"emb": ["emb"]}, None)


@pytest.mark.parametrize(
    "cells",
    [[1, 2, None], [True, False, None], [Decimal(1), Decimal(2), None], pd.array([1, 2, pd.NA])],
    ids=["object", "bool", "decimal", "nullable"],
)
def test_cells_of_any_kind_of_number_are_read(cells: Any) -> None:
    found = frame_arrays(pd.DataFrame({"a": pd.Series(cells)}), {"a": ["a"]}, None).features["a"][:, 0]
    np.testing.assert_array_equal(found[:2], np.asarray([float(cell) for cell in cells[:2]]))
    assert np.isnan(found[2])


def test_new_lists_are_of_the_width_of_the_fit() -> None:
    known = {"emb": ("emb[0]", "emb[1]")}
    empty = frame_arrays(pd.DataFrame({"emb": [None, None]}), {"emb": ["emb"]}, None, known=known)
    assert empty.features["emb"].shape == (2, 2)
    assert np.isnan(empty.features["emb"]).all()
    with pytest.raises(DataError, match="2 elements, 3 in row 0"):
        frame_arrays(pd.DataFrame({"emb": [[1.0, 2.0, 3.0]]}), {"emb": ["emb"]}, None, known=known)
    # One element is a list too.
    assert frame_arrays(pd.DataFrame({"emb": [[1.0]]}), {"emb": ["emb"]}, None).columns["emb"] == ("emb[0]",)


def test_no_rows_are_an_error_of_the_data(fitted: Fitted) -> None:
    with pytest.raises(ArrayError, match="X is empty"):
        fitted.model.predict(fitted.new.head(0))
