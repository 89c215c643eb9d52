"""Features of a quick look that almost determine the target: named in any unit, and honest ones are not."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from pidreg_cli.data.roles import RoleRequest
from pidreg_cli.decomposing import readers
from tests.decomposing.conftest import Write, decomposed, values

TARGETS = {
    "normal": lambda z: z,
    "skewed": lambda z: np.exp(z),
    "heavy": lambda z: np.sign(z) * np.abs(z) ** 3,
    "even": lambda z: np.argsort(np.argsort(z)) / len(z),
}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_feature_that_almost_determines_the_target_is_named(write: Write, kind: str) -> None:
    rng = np.random.default_rng(0)
    noise, signal = rng.normal(size=(2, 1000))
    target = TARGETS[kind](rng.normal(size=1000) + signal)
    columns = {"a__0": noise, "a__1": 2 * target + 1, "b__0": signal, "c__0": np.full(1000, 3.0)}
    report = decomposed(write(columns | {"target": target})).report
    (found,) = (d for d in report.diagnostics if d.code == "data.leaked_target")
    assert found.severity == "warning"
    assert found.message.startswith("'a__1' of 'a' alone determines 'target' almost wholly")
    assert "b__0" not in found.message
    honest = decomposed(write(columns | {"a__1": signal, "target": target})).report
    assert "data.leaked_target" not in {d.code for d in honest.diagnostics}


@pytest.mark.parametrize("kind", TARGETS)
def test_a_copy_is_named_in_a_table_of_which_a_part_is_looked_at_first(write: Write, kind: str) -> None:
    """Its mean, deviation and largest values are then not those of all rows."""
    rng = np.random.default_rng(2)
    noise, signal = rng.normal(size=(2, 50_000))
    target = TARGETS[kind](2 * rng.normal(size=50_000) + signal)
    copy = np.where(rng.random(50_000) < 0.4, np.nan, 3 - 2 * target)
    report = decomposed(write({"a__0": noise, "a__1": copy, "b__0": signal, "target": target})).report
    (found,) = (d for d in report.diagnostics if d.code == "data.leaked_target")
    assert found.message.startswith("'a__1' of 'a' alone determines")
    assert found.value == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("noise", [1e-12, 1e-4])
@pytest.mark.parametrize("kind", ["counts", "mostly zero", "normal"])
def test_copies_with_a_trace_of_noise_are_named_where_values_are_tied(
    write: Write, kind: str, noise: float
) -> None:
    rng = np.random.default_rng(3)
    signal, other = rng.normal(size=(2, 2000))
    target = {
        "counts": rng.poisson(2 * np.exp(signal / 2)).astype(float),
        "mostly zero": np.where(other > 0.5, np.exp(signal), 0.0),
        "normal": signal + other,
    }[kind]
    columns = {"a__0": 1.1 * target + 1000 + noise * rng.normal(size=2000), "b__0": signal}
    report = decomposed(write(columns | {"target": target})).report
    (found,) = (d for d in report.diagnostics if d.code == "data.leaked_target")
    assert found.message.startswith("'a__0' of 'a' alone determines")


def leaked(write: Write, feature: NDArray[np.float64], target: NDArray[np.float64]) -> bool:
    noise = np.random.default_rng(9).normal(size=target.size)
    report = decomposed(write({"a__0": feature, "b__0": noise, "target": target})).report
    return "data.leaked_target" in {d.code for d in report.diagnostics}


def test_rows_looked_at_first_do_not_fall_in_with_a_period_of_the_rows(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(readers, "SAMPLE_ROWS", 1000)
    rng = np.random.default_rng(5)
    rain = rng.gamma(0.2, size=(1000, 4))
    # The first of every four hours is all there was since they began.
    assert not leaked(write, rain.ravel(), rain.cumsum(axis=1).ravel())
    some = np.where(np.arange(4000) % 4 == 1, np.exp(2 * rng.normal(size=4000)), np.nan)
    assert leaked(write, 3 * some + 1, some)
    # Nothing but at one hour of four: what the first rows show sets its unit, and where it is cut.
    some = np.where(np.arange(4000) % 4 == 2, 50 * rng.normal(size=4000), 0.0)
    path = write({"a__0": some, "b__0": rain.ravel(), "target": some / 20 + rng.normal(size=4000)})
    found = values(decomposed(path))
    monkeypatch.setattr(readers, "SAMPLE_ROWS", 4000)
    assert found == pytest.approx(values(decomposed(path)), abs=0.02)


def test_few_rows_or_values_in_common_are_no_copy(write: Write) -> None:
    rng = np.random.default_rng(6)
    target = rng.normal(size=2000)
    assert leaked(write, np.where(np.arange(2000) < 200, 2 * target, np.nan), target)
    assert not leaked(write, np.where(np.arange(2000) < 199, 2 * target, np.nan), target)
    # Of patients with one outcome each two, whom any line meets, have the feature.
    person = np.arange(2000) // 200
    outcome, score = rng.normal(size=(2, 10))
    assert not leaked(write, np.where(person < 2, score[person], np.nan), outcome[person])


@pytest.mark.parametrize("kind", ["integer", "dictionary", "decimal"])
def test_copies_in_list_columns_and_beside_covariates_are_named(write: Write, kind: str) -> None:
    rng = np.random.default_rng(8)
    counts = rng.poisson(3.0, 600)
    plain = pa.array(counts)
    target = {
        "integer": plain,
        "dictionary": plain.dictionary_encode(),
        "decimal": plain.cast(pa.decimal128(24, 2)),
    }[kind]
    lists = np.column_stack([rng.normal(size=600), 5 - 2 * counts]).tolist()
    age = rng.normal(size=600)
    columns = {"a": lists, "b__0": rng.normal(size=600), "age": age, "target": target}
    report = decomposed(write(columns), ("age",), RoleRequest({"a": (), "b": ()})).report
    (found,) = (d for d in report.diagnostics if d.code == "data.leaked_target")
    assert found.message.startswith("'a[1]' of 'a' alone determines")
