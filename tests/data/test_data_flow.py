"""From a file to transformed rows: nothing outside the training rows leaks into a transform, seeds decide splits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.data.loading import load_arrays
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.data.splits import assign_split, choose_protocol, fold_assignment
from pidreg_cli.data.tables import open_table
from pidreg_cli.data.transforms import FeatureTransform, TargetTransform

REAL = Path(__file__).parents[3] / "shared" / "data"


def read(path, **request):
    table = open_table([path])
    return load_arrays(table, resolve_roles(table.schema, table.metadata, RoleRequest(**request))).arrays


def awkward(seed, rows=60):
    """A fifth of the rows lack b, two fifths of the cells of a are missing, one column is constant."""
    rng = np.random.default_rng(seed)
    a, b = rng.lognormal(size=(rows, 3)), rng.normal(size=(rows, 2))
    a[rng.random(a.shape) < 0.4] = np.nan
    b[rng.random(rows) < 0.2] = np.nan
    columns = {f"a__{i}": a[:, i] for i in range(3)} | {f"b__{i}": b[:, i] for i in range(2)}
    return pa.table({**columns, "a__constant": [7.0] * rows, "target": rng.normal(size=rows)})


@pytest.mark.parametrize("kind", ["quantile", "standard", "both"])
def test_a_small_awkward_table_becomes_finite_numbers(tmp_path, kind):
    pq.write_table(awkward(0), tmp_path / "x.parquet")
    arrays = read(tmp_path / "x.parquet")
    assert choose_protocol(arrays.rows, "auto", arrays.split).folds == 5
    folds = fold_assignment(arrays.rows, 5, np.random.default_rng(0))
    for fold in range(5):
        training, held = arrays.take(folds != fold), arrays.take(folds == fold)
        for name in arrays.names:
            transform = FeatureTransform.fit(training.features[name], training.columns[name], kind)
            values, indicators, _ = transform.apply(held.features[name])
            assert np.isfinite(values).all()
            assert indicators.shape == (12, transform.indicators)
        scores = TargetTransform.fit(training.required_target).forward(held.required_target)
        assert np.isfinite(scores).all()


def test_changing_rows_outside_training_changes_no_transform_and_no_split(tmp_path):
    first = awkward(1, 200)
    pq.write_table(first, tmp_path / "first.parquet")
    arrays = read(tmp_path / "first.parquet")
    training = assign_split(arrays, np.random.default_rng(5)) == "train"
    mixed = [np.where(training, a, b) for a, b in zip(first.columns, awkward(2, 200).columns, strict=True)]
    pq.write_table(pa.table(mixed, names=first.column_names), tmp_path / "mixed.parquet")
    changed = read(tmp_path / "mixed.parquet")
    np.testing.assert_array_equal(assign_split(changed, np.random.default_rng(5)) == "train", training)
    for name in arrays.names:
        before, after = (
            FeatureTransform.fit(rows.features[name][training], rows.columns[name], "quantile").to_dict()
            for rows in (arrays, changed)
        )
        assert before == after
    before, after = (TargetTransform.fit(r.required_target[training]).to_dict() for r in (arrays, changed))
    assert before == after
    everything = TargetTransform.fit(arrays.required_target).to_dict()
    assert everything != before, "the check must be able to fail"


@pytest.mark.skipif(not REAL.is_dir(), reason="the real tables are not here")
@pytest.mark.parametrize(
    ("name", "target", "modalities"),
    [
        ("superconductivity", "critical_temp", {"physical": 81, "elements": 86}),
        ("nhanes", "age", {"body": 7, "chemistry": 11, "bloodcount": 11}),
        ("gas_turbine", "nox", {"ambient": 3, "process": 6}),
        ("beijing", "pm25", {"gases": 4, "weather": 7, "calendar": 4}),
    ],
)
def test_real_tables_are_read_whole(name, target, modalities):
    path = REAL / f"{name}.parquet"
    arrays = read(path, target=target)
    assert {n: block.shape[1] for n, block in arrays.features.items()} == modalities
    table = pq.read_table(path)
    missing = sum(table[c].null_count for columns in arrays.columns.values() for c in columns)
    assert sum(int(np.isnan(block).sum()) for block in arrays.features.values()) >= missing
    np.testing.assert_array_equal(arrays.required_target, table[target].to_numpy().astype(float))
    assert arrays.split is not None
    assert arrays.split.tolist() == table["split"].to_pylist()
