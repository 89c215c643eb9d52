"""Sums of the quick look in single precision: as good as in double where they are made, and made only there."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtri

from pidreg_cli.data import kept_columns
from pidreg_cli.data.preparation.findings import SilentRows
from pidreg_cli.data.roles import RoleRequest
from pidreg_cli.data.row_marks import spread_rows
from pidreg_cli.data.tables import open_table
from pidreg_cli.decomposing import readers
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


def report(write: Write, columns: Columns, group: str | None = None, **asked: Any) -> Report:
    request = DecomposeRequest(threads=1, **asked)
    table = open_table([write(columns)])
    return decompose_features(table, RoleRequest(group=group), request, (), SilentRows()).report


def both(
    write: Write, columns: Columns, monkeypatch: pytest.MonkeyPatch, **asked: Any
) -> tuple[Report, Report]:
    """As it is, and in double precision."""
    mine = report(write, columns, **asked)
    monkeypatch.setattr(readers, "MANY_ROWS", ROWS + 1)
    return mine, report(write, columns, **asked)


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


def check_summed_again(
    write: Write, columns: Columns, passes: list[str], monkeypatch: pytest.MonkeyPatch, **asked: Any
) -> Report:
    """First in single precision and then in double, with its numbers; cells are counted once."""
    mine, exact = both(write, columns, monkeypatch, **asked)
    assert passes == ["single", "double", "double"]
    assert numbers(mine) == numbers(exact)
    assert mine.modalities == exact.modalities
    return mine


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
    """The rows of the sample, one in forty, have two features apart that are large elsewhere."""
    monkeypatch.setattr(readers, "SAMPLE_ROWS", ROWS // 40)
    monkeypatch.setattr(readers, "SCORES", {2: 1})
    columns = system()
    other = columns["b__0"].copy()
    seen = spread_rows(ROWS, ROWS // 40)
    other[seen] = np.random.default_rng(3).normal(size=len(seen))
    shown = np.isin(np.arange(ROWS), seen)
    columns |= {
        "b__0": np.where(shown, 0.05, 1.0) * columns["b__0"],
        "b__other": np.where(shown, 0.05, 1.0) * other,
    }
    check_summed_again(write, columns, passes, monkeypatch)


def test_small_errors_are_measured_in_double(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = system()
    ranks = np.argsort(np.argsort(columns["b__0"])) + 1
    columns["b__0"] = np.asarray(ndtri((ranks - 0.375) / (ROWS + 0.25)))
    columns["target"] = columns["b__0"] + 1e-4 * columns["target"]
    check_summed_again(write, columns, passes, monkeypatch)


def test_features_that_differ_in_one_fold_alone_are_summed_again(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Readouts for that fold are fitted on rows in which they are the same: of all rows they are well apart."""
    columns = system()
    site = np.arange(ROWS) % 8
    twin = np.where(site == 3, np.random.default_rng(3).normal(size=ROWS), columns["a__3"])
    check_summed_again(
        write, columns | {"b__3": twin, "site": site.astype(float)}, passes, monkeypatch, group="site"
    )


def test_large_slopes_on_close_features_are_found_in_double(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The target is the difference of two features, as of prices: rounding of these is large beside it."""
    columns = system()
    other = columns["b__0"] + 0.08 * np.random.default_rng(3).normal(size=ROWS)
    target = 12 * (other - columns["b__0"]) + 0.1 * np.random.default_rng(4).normal(size=ROWS)
    check_summed_again(write, columns | {"b__other": other, "target": target}, passes, monkeypatch)


@pytest.mark.parametrize(("gap", "named"), [(0.0, True), (0.05, False)])
def test_a_copy_of_a_skewed_target_in_another_unit_is_named_in_one_pass(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch, gap: float, named: bool
) -> None:
    columns = system()
    target = np.exp(columns["target"])
    other = 3.0 * target + 1 + gap * target.std() * np.random.default_rng(3).normal(size=ROWS)
    mine, exact = both(write, columns | {"target": target, "b__other": other}, monkeypatch)
    assert passes == ["single", "double"]
    assert numbers(mine) == pytest.approx(numbers(exact), abs=1e-5)
    for found in (mine, exact):
        assert ("data.leaked_target" in {one.code for one in found.diagnostics}) == named


@pytest.mark.parametrize("estimator", ["heldout", "debiased", "plugin"])
@pytest.mark.parametrize("interactions", ["products", "none"])
def test_flags_counts_and_ties_say_the_same(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch, estimator: str, interactions: str
) -> None:
    """Products of tied values are rounded alike. Flags are their own squares: with products they are read in double."""
    rng = np.random.default_rng(5)
    counts, flags = rng.poisson(2.0, (ROWS, 4)), rng.random((ROWS, 4)) < 0.3
    first = counts if interactions == "products" else flags
    columns: Columns = {f"a__{i}": first[:, i].astype(float) for i in range(4)}
    columns |= {f"b__{i}": rng.poisson(2.0, ROWS).astype(float) for i in range(4)}
    columns["target"] = np.maximum(columns["a__0"] + columns["b__1"] - 1 + rng.normal(size=ROWS), 0.0)
    mine, exact = both(write, columns, monkeypatch, estimator=estimator, interactions=interactions)
    assert passes == ["single", "double"]
    assert numbers(mine) == pytest.approx(numbers(exact), abs=1e-4)


def test_tables_that_are_not_kept_and_columns_far_from_zero_are_summed_in_double(
    write: Write, passes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    columns = system()
    report(write, columns | {"b__time": 1.7e9 + columns["b__0"]})
    monkeypatch.setattr(kept_columns, "MOST_BYTES", 0)
    report(write, columns)
    assert passes == ["double", "double"]


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


def test_columns_are_apart_by_the_least_eigenvalue_of_those_that_vary() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 500))
    mixed = 0.6 * one + 0.8 * other
    rows = np.column_stack([one, np.zeros(500), mixed, np.full(500, 7.0), one])
    moments, sizes = Moments.of(rows), np.sqrt(np.square(rows).mean(axis=0))
    scaled = np.cov(rows[:, [0, 2]].T, bias=True) / np.outer(sizes[[0, 2]], sizes[[0, 2]])
    least = np.linalg.eigvalsh(scaled)[0]
    assert moments.apart(sizes[:3], least - 1e-9)
    assert not moments.apart(sizes[:3], least + 1e-9)
    # A constant that is not zero was rounded as others are; and two columns that are one.
    assert not moments.apart(sizes[:4], 1e-9)
    assert not moments.apart(sizes * [1, 1, 1, 0, 1], 1e-9)
