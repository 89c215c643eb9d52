"""Sums of the quick look in single precision: as good as in double where they are made, and made only there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtri

from pidreg_cli.data.preparation.findings import SilentRows
from pidreg_cli.data.roles import RoleRequest
from pidreg_cli.data.tables import open_table
from pidreg_cli.decomposing import readers, streamed
from pidreg_cli.decomposing.of_features import decompose_features
from pidreg_cli.decomposing.request import DecomposeRequest
from pidreg_cli.decomposing.streamed import LabelledRows, LabelledTable
from pidreg_cli.information.grouped_readouts import GroupedSums
from pidreg_cli.information.moments import Moments, merged
from pidreg_cli.reports.model import Report
from tests.decomposing.conftest import Write

Columns = dict[str, NDArray[np.float64]]
ROWS = 4000


@pytest.fixture
def passes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every table counts as large; the precision of each pass over the rows."""
    monkeypatch.setattr(readers, "MANY_ROWS", ROWS)
    real, found = LabelledTable.batches, []

    def noted(table: LabelledTable, *given: Any, single: bool = False, **more: Any) -> Iterator[LabelledRows]:
        found.append("single" if single else "double")
        for batch in real(table, *given, single=single, **more):
            assert batch.rows.dtype == (np.float32 if single else np.float64)
            yield batch

    monkeypatch.setattr(LabelledTable, "batches", noted)
    return found


def report(write: Write, columns: Columns) -> Report:
    request = DecomposeRequest(threads=1)
    table = open_table([write(columns)])
    return decompose_features(table, RoleRequest(), request, (), SilentRows()).report


def both(write: Write, columns: Columns, monkeypatch: pytest.MonkeyPatch) -> tuple[Report, Report]:
    """As it is, and in double precision."""
    mine = report(write, columns)
    monkeypatch.setattr(readers, "MANY_ROWS", ROWS + 1)
    return mine, report(write, columns)


def system(noise: float = 0.5) -> Columns:
    """Two modalities, with cells missing, of which the product and one feature show in the target."""
    rng = np.random.default_rng(2)
    a, b = rng.normal(size=(2, ROWS, 5))
    target = a[:, 0] + a[:, 1] * b[:, 1] + noise * rng.normal(size=ROWS)
    a[rng.random(ROWS) < 0.1, 4] = np.nan
    named = {f"{name}__{i}": block[:, i] for name, block in (("a", a), ("b", b)) for i in range(5)}
    return named | {"target": target}


def numbers(found: Report) -> list[float]:
    assert found.information is not None
    return [x for v in found.information.values for x in (v.value, v.value_raw, *(v.ci or ()))]


def test_sums_in_single_precision_say_the_same(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    mine, exact = both(write, system(), monkeypatch)
    assert passes == ["single", "double"]
    assert numbers(mine) == pytest.approx(numbers(exact), abs=2e-6)
    assert mine.modalities == exact.modalities


@pytest.mark.parametrize("gap", [0.0, 1e-2])
def test_features_that_almost_say_each_other_are_summed_in_double(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch, gap: float
) -> None:
    """What they tell may be in their difference, as of two prices."""
    columns = system()
    other = columns["b__0"] + gap * np.random.default_rng(3).normal(size=ROWS)
    mine, exact = both(write, columns | {"b__other": other}, monkeypatch)
    assert passes == ["double", "double"]
    assert numbers(mine) == numbers(exact)


def test_features_that_do_so_unlike_those_of_the_sample_are_summed_again(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """None are below this bound, as if the sample had shown others."""
    monkeypatch.setattr(streamed, "WELL_APART", 1.1)
    mine, exact = both(write, system(), monkeypatch)
    assert passes == ["single", "double", "double"]
    assert numbers(mine) == numbers(exact)
    # Cells are counted once.
    assert mine.modalities == exact.modalities


def test_small_errors_are_measured_in_double(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = system()
    ranks = np.argsort(np.argsort(columns["b__0"])) + 1
    columns["b__0"] = np.asarray(ndtri((ranks - 0.375) / (ROWS + 0.25)))
    columns["target"] = columns["b__0"] + 1e-4 * columns["target"]
    mine, exact = both(write, columns, monkeypatch)
    assert passes == ["single", "double", "double"]
    assert numbers(mine) == numbers(exact)


def test_sums_of_batches_in_single_precision_err_by_less_than_a_millionth() -> None:
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30_000, 12))
    rows[:, :6] = rows[:, :6] ** 2
    labels = np.arange(30_000) % 6
    found = []
    for kind in (np.float32, np.float64):
        for shift in (0.0, 6.0):  # about zero, and about a point near the rows
            sums = GroupedSums(6, 12)
            for start in range(0, 30_000, 3000):
                sums.add((rows[start : start + 3000] + shift).astype(kind), labels[start : start + 3000])
            found.append(merged(sums.parts))
    for single, double in zip(found[:2], found[2:], strict=True):
        size = np.sqrt(np.diag(double.scatter))
        assert np.abs((single.scatter - double.scatter) / np.outer(size, size)).max() < 1e-6
        assert single.mean == pytest.approx(double.mean, abs=1e-6)
    assert not np.array_equal(found[0].scatter, found[2].scatter)


def test_the_least_eigenvalue_is_that_of_columns_that_vary() -> None:
    rng = np.random.default_rng(1)
    one, other, third = np.linalg.qr(rng.normal(size=(500, 3)))[0].T
    one, other, third = (x - x.mean() for x in (one, other, third))
    flat = np.full(500, 7.0)
    assert Moments.of(np.column_stack([flat, flat])).least_eigenvalue(2) == 1.0
    half = Moments.of(np.column_stack([one, flat, 0.6 * one + 0.8 * other, one]))
    correlation = np.corrcoef(one, 0.6 * one + 0.8 * other)[0, 1]
    assert half.least_eigenvalue(3) == pytest.approx(1 - correlation, abs=1e-12)
    assert half.least_eigenvalue(4) == pytest.approx(0.0, abs=1e-12)
    assert Moments.of(third[:, None]).least_eigenvalue(1) == pytest.approx(1.0)
