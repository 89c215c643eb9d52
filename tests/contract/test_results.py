"""Contract, sections "Report", "The commands" and "Python": what the commands say, option by option."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from tests.contract.conftest import ROWS, Fitted, Run, table
from tests.contract.test_roles_and_rows import report_of


def several(modalities: int, rows: int = 400) -> pa.Table:
    """Modalities m0, m1, ... of one column each, of which the target is the sum, and noise."""
    rng = np.random.default_rng(0)
    columns = {f"m{i}__0": rng.standard_normal(rows) for i in range(modalities)}
    return pa.table({**columns, "target": sum(columns.values()) + rng.standard_normal(rows)})


def test_a_line_an_epoch(fitted: Fitted) -> None:
    """Losses, atoms, weights and lambda of each epoch."""
    lines = [json.loads(line) for line in (fitted.folder / "history.jsonl").read_text().splitlines()]
    assert {line["stage"] for line in lines} == {1, 2}
    first = lines[0]
    assert {"model", "epoch", "train_loss", "valid_loss"} <= set(first)
    assert set(first["atoms"]) == {"unique.a", "unique.b", "redundant", "synergistic"}
    assert set(first["weights"]) == {"a", "b", "a*b"}
    assert set(first["bottleneck"]) == {"a", "b"}


def test_models_are_plain_tensors_and_json(fitted: Fitted) -> None:
    """No pickle anywhere."""
    assert safetensors.numpy.load((fitted.folder / "model.safetensors").read_bytes())
    model = json.loads((fitted.folder / "model.json").read_text())
    assert model["roles"]["modalities"] == {"a": ["a__0", "a__1"], "b": ["b__0", "b__1"]}
    assert [one["name"] for one in model["modalities"]] == ["a", "b"]
    for path in fitted.folder.iterdir():
        assert not path.read_bytes().startswith((b"\x80\x02", b"\x80\x04", b"\x80\x05", b"PK"))


def test_parts_of_the_report(fitted: Fitted) -> None:
    """Metrics in original units, one versus rest, the other measures, Shapley values, fusion, selection."""
    report = fitted.report
    assert set(report["metrics"]["test"]) >= {"rmse", "mae", "r2", "corr", "n"}
    assert "ridge" in report["metrics"]["baselines"]
    total = report["pid"]["summary"]["total"]
    assert sum(report["shapley"].values()) == pytest.approx(total)
    assert report["information"]["units"] == "bits"
    assert {one["measure"] for one in report["sensitivity"]} == {"mmi", "dep", "ig"}
    assert set(report["fusion"]["weights"]) == {"a", "b", "a*b"}
    assert sum(report["fusion"]["weights"].values()) == pytest.approx(1)
    assert set(report["fusion"]["lambda"]) == {"a", "b"}
    subsets = report["selection"]["subsets"]
    assert [one["modalities"] for one in subsets] == [["a"], ["b"], ["a", "b"]]
    assert set(report["selection"]["recommended"]) <= {"a", "b"}
    for one in report["diagnostics"]:
        assert one["severity"] in ("info", "warning", "error")
        assert set(one) >= {"code", "message", "hint", "value"}
    for one in report["information"]["values"]:
        low, high = one["ci"]
        assert low <= one["value"] <= high
        assert 0 <= one["p_value"] <= 1


def test_more_than_two_modalities(run: Run, place: Path) -> None:
    """Mixed atoms from three on, the bivariate measures against the rest, non-zero atoms alone beyond five."""
    pq.write_table(several(3), place / "3.parquet")
    pq.write_table(several(6), place / "6.parquet")
    three, six = (report_of(run, "decompose", f"{n}.parquet", "--no-model", "--format", "json") for n in "36")
    assert len(three["pid"]["atoms"]) == 18
    kinds = {atom["id"]: atom["kind"] for atom in three["pid"]["atoms"]}
    assert kinds["{m0}{m1,m2}"] == "mixed"
    assert kinds["{m0}{m1}{m2}"] == "redundant"
    assert kinds["{m0,m1,m2}"] == "synergistic"
    assert [one["modality"] for one in three["one_versus_rest"][:3]] == ["m0", "m1", "m2"]
    assert all(atom["value"] != 0 for atom in six["pid"]["atoms"])
    assert sum(atom["value"] for atom in six["pid"]["atoms"]) == pytest.approx(six["pid"]["summary"]["total"])


def test_new_labelled_rows_are_decomposed_and_told_row_by_row(fitted: Fitted, run: Run, place: Path) -> None:
    """``decompose RUN DATA --per-row FILE``, by another measure and estimator."""
    pq.write_table(table(seed=1), place / "new.parquet")
    line = ("decompose", fitted.folder, "new.parquet", "--format", "json")
    told = report_of(run, *line, "--per-row", "rows.csv")
    report = report_of(run, *line, "--measure", "mmi", "--estimator", "debiased")
    assert report["pid"]["measure"] == "mmi"
    assert report["information"]["estimator"] == "debiased"
    assert report["information"]["rows"] == told["information"]["rows"] == ROWS
    assert len((place / "rows.csv").read_text().splitlines()) == ROWS + 1


def test_selection_by_tolerance_cost_and_budget(fitted: Fitted, run: Run) -> None:
    """What is recommended is within the tolerance, or within the budget, and says why."""
    free = report_of(run, "select-modalities", fitted.folder, "--tolerance", "0.9", "--format", "json")
    line = ("--cost", "a=10", "--cost", "b=3", "--budget", "5", "--format", "json")
    bound = report_of(run, "select-modalities", fitted.folder, *line)
    assert len(free["selection"]["recommended"]) <= 1
    assert free["selection"]["tolerance"] == 0.9
    assert "a" not in bound["selection"]["recommended"]
    costs = {tuple(one["modalities"]): one["cost"] for one in bound["selection"]["subsets"]}
    assert costs == {("a",): 10, ("b",): 3, ("a", "b"): 13}
    assert bound["selection"]["reason"]


def test_selection_is_verified_by_retraining(run: Run, place: Path) -> None:
    """``--verify`` scores the recommended set and all on rows that chose nothing: test rows."""
    parts = pa.array(np.resize(["train"] * 6 + ["valid"] * 2 + ["test"] * 2, 2000))
    pq.write_table(table(2000).append_column("split", parts), place / "x.parquet")
    (place / "auto.yaml").write_text((place / "tiny.yaml").read_text().replace("folds: 2", "folds: auto"))
    line = ("--modalities", "a,b", "--config", "auto.yaml", "--verify", "--format", "json")
    found = report_of(run, "select-modalities", "x.parquet", *line)["selection"]["verification"]
    assert (found["protocol"], found["rows"]) == ("split", 400)
    assert isinstance(found["confirmed"], bool)


def test_predictions_without_modalities_on_purpose_or_by_row(fitted: Fitted, run: Run, place: Path) -> None:
    """``--use``; rows that are null in a modality; CSV by suffix; the order is kept."""
    content = table()
    for name in ("a__0", "a__1"):
        values = content[name].to_pylist()
        values[5] = None
        content = content.set_column(content.schema.get_field_index(name), name, pa.array(values))
    pq.write_table(content, place / "x.parquet")
    for out, more in (("p.csv", ()), ("q.csv", ("--use", "b"))):
        ended = run("predict", fitted.folder, "x.parquet", "-o", out, *more)
        assert ended.status == 0, ended.err
    p, q = (list(csv.reader((place / name).read_text().splitlines())) for name in ("p.csv", "q.csv"))
    assert p[0] == ["id", "prediction", "lower", "upper"]
    assert [line[0] for line in p[1:]] == [f"p{i:03}" for i in range(ROWS)]
    assert p[6] == q[6]
    assert p[7] != q[7]


def test_rules_intervals_and_nulls_of_check(fitted: Fitted, run: Run, place: Path) -> None:
    """Rules in a file; ``--use ci`` judges the near end of the interval; a null fails; a report file does, too."""
    summary = fitted.report["pid"]["summary"]
    (place / "rules.yaml").write_text("rules:\n- total >= -1\n- metrics.test.rmse <= 1e9\n")
    assert run("check", fitted.folder / "report.json", "--rules", "rules.yaml").status == 0
    total = next(one for one in fitted.report["information"]["values"] if one["modalities"] == ["a", "b"])
    between = (total["ci"][0] + summary["total"]) / 2
    require = ("check", fitted.folder, "--require", f"total >= {between}")
    assert run(*require).status == 0
    assert run(*require, "--use", "ci").status == 1
    report = fitted.report
    report["metrics"]["test"]["corr"] = None
    (place / "null.json").write_text(json.dumps(report))
    assert run("check", "null.json", "--require", "metrics.test.corr >= -9").status == 1


def test_prepare_joins_encodes_drops_and_keeps(run: Run, place: Path) -> None:
    """Keys, unmatched rows, categories, dates by request, constants dropped with a note, duplicates refused."""
    rows = range(1, 61)
    (place / "a.csv").write_text(
        "key,target,one,word,day\n"
        + "".join(f"{i},{i % 7 + i / 100},1,{'uvw'[i % 3]},2024-01-{i % 28 + 1:02}\n" for i in rows)
    )
    (place / "b.csv").write_text("key,size\n" + "".join(f"{i},{i * i % 11}\n" for i in range(5, 71)))
    (place / "twice.csv").write_text("key,size\n1,2\n1,3\n")
    joined = ("a.csv", "m=b.csv", "--key", "key", "--modality", "n=word,one,day", "--date", "day")
    ended = run("prepare", *joined, "-o", "left.parquet", "--join", "left")
    assert ended.status == 0, ended.err
    left = pq.read_table(place / "left.parquet")
    assert left.num_rows == len(rows)
    assert any(name.startswith("n__word") for name in left.column_names)
    assert not any(name.startswith("n__one") for name in left.column_names)
    assert any(name.startswith("n__day") for name in left.column_names)
    assert "one" in ended.err
    for join, count in (("inner", 56), ("outer", 70)):
        out = f"{join}.parquet"
        assert run("prepare", *joined, "-o", out, "--join", join).status == 0
        assert pq.read_metadata(place / out).num_rows == count
    refused = run("prepare", "a.csv", "m=twice.csv", "--key", "key", "-o", "x.parquet", "--modality", "n=one")
    assert refused.status == 3
    assert "--duplicates" in refused.err


def test_the_truth_of_a_synthetic_table(run: Run, place: Path) -> None:
    """In the metadata of the table and beside it; equal seeds give equal bytes."""
    for name in ("x", "y"):
        assert run("synth", "three", "-o", f"{name}.parquet", "--rows", 60, "--seed", 4).status == 0
    assert (place / "x.parquet").read_bytes() == (place / "y.parquet").read_bytes()
    truth = json.loads((place / "x.truth.json").read_text())
    assert json.loads(pq.read_schema(place / "x.parquet").metadata[b"pidreg_truth"]) == truth


def test_the_library(tmp_path: Path) -> None:
    """Estimator, report, save and load; any number of sources for the scalar measures, nats on request."""
    from pidreg_cli import PIDRegressor, gaussian_pid, load_model

    rng = np.random.default_rng(0)
    rows = rng.normal(size=(200, 4))
    target = rows[:, 0] + rows[:, 2] + 0.3 * rng.normal(size=200)
    modalities = {"x": [0, 1], "y": [2, 3]}
    few = {f"stage{n}.{bound}": 1 for n in (1, 2) for bound in ("min_epochs", "max_epochs")}
    model = PIDRegressor(modalities=modalities, preset="fast", random_state=0, settings=few)
    predicted = model.fit(rows, target).predict(rows)
    assert predicted.shape == (200,)
    assert set(model.report_.shapley) == {"x", "y"}
    model.save(tmp_path / "RUN")
    np.testing.assert_allclose(load_model(tmp_path / "RUN").predict(rows), predicted, rtol=1e-6)
    covariance = np.cov(rng.normal(size=(300, 4)).T)
    sources = {name: [i + 1] for i, name in enumerate("xyz")}
    bits, nats = (
        gaussian_pid(covariance, target=[0], sources=sources, measure="mmi", units=units)
        for units in ("bits", "nats")
    )
    assert len(bits.information) == 7
    assert bits.total * math.log(2) == pytest.approx(nats.total)
    assert bits.summary.total == pytest.approx(bits.total)
