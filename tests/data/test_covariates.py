"""Covariates as numbers: which columns are categories, what is missing, what is kept of a new table."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.data.covariates import Categories, Covariates, Number, fit_covariates
from pidreg_cli.data.tables import open_table


@pytest.fixture
def fitted(tmp_path) -> Callable[..., tuple[Covariates, np.ndarray]]:
    def fit(**columns: object) -> tuple[Covariates, np.ndarray]:
        pq.write_table(pa.table(columns), tmp_path / "t.parquet")
        table = open_table([tmp_path / "t.parquet"])
        covariates = fit_covariates(table, list(columns))
        return covariates, covariates.apply(table.read(list(columns)).to_batches()[0], 0)

    return fit


def test_numbers_are_standardised_with_their_square(fitted) -> None:
    covariates, values = fitted(age=[20.5, 40.5, 60.5, 80.5])
    assert values.shape == (4, covariates.width) == (4, 2)
    assert values.mean(axis=0) == pytest.approx([0.0, 1.0])
    assert values[:, 1] == pytest.approx(values[:, 0] ** 2)


def test_two_values_have_no_square_and_missing_cells_a_flag(fitted) -> None:
    covariates, values = fitted(sex=[0, 1, None, 1])
    assert isinstance(covariates.parts[0], Number)
    assert values.shape == (4, 2)
    assert values[2].tolist() == [0.0, 1.0]
    assert values[[0, 1, 3], 1].tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    "column",
    [
        pa.array(["n", "s", "s", "e", None]),
        pa.array(["n", "s", "s", "e", None]).dictionary_encode(),
        pa.array([1, 2, 2, 3, None]),
        pa.array([1.0, 2.0, 2.0, 3.0, None]),
        np.array([1.0, 2.0, 2.0, 3.0, np.nan]),
    ],
)
def test_texts_and_codes_are_categories_without_the_most_frequent(fitted, column: pa.Array) -> None:
    covariates, values = fitted(site=column)
    assert isinstance(covariates.parts[0], Categories)
    assert values.shape == (5, 3)
    assert values.sum(axis=1).tolist() == [1, 0, 0, 1, 1]
    assert values.sum(axis=0).tolist() == [1, 1, 1]


def test_codes_are_the_same_categories_whether_pandas_made_doubles_of_them(fitted) -> None:
    codes = [3, 1, 1, 2, 10**9]
    whole, of_whole = fitted(site=codes)
    doubles, of_doubles = fitted(site=np.array(codes, float))
    assert doubles == whole
    assert of_doubles.tolist() == of_whole.tolist()


@pytest.mark.parametrize(
    "column", [[1.0, 2.0, 2.5, 3.0], [1.0, 2.0, 3.0, 2.0**60], list(range(11)), [0.0, 1.0, 1.0]]
)
def test_other_doubles_are_numbers(fitted, column: list[float]) -> None:
    assert isinstance(fitted(dose=np.array(column, float))[0].parts[0], Number)


def test_missing_alone_can_be_what_varies(fitted) -> None:
    _, values = fitted(dose=[1.0, None, 1.0, None])
    assert values[:, 1].tolist() == [0, 1, 0, 1]


def test_several_stand_side_by_side(fitted) -> None:
    covariates, values = fitted(age=[1.5, 2.5, 4.5], site=["a", "b", "b"])
    assert covariates.columns == ("age", "site")
    assert values.shape == (3, covariates.width) == (3, 3)
