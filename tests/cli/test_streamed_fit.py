"""``fit`` of a table that is larger than the memory it may take."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli import streaming
from pidreg_cli.config.loading import load_settings
from pidreg_cli.data.roles import Roles
from pidreg_cli.data.streaming import plan
from pidreg_cli.data.streaming.buckets import Buckets
from pidreg_cli.data.tables import open_table
from pidreg_cli.run_evidence import read_evidence
from pidreg_cli.runs import RunBuilder
from pidreg_cli.training import encoder_choice
from pidreg_cli.training.model_fit import ModelFit
from tests.cli.in_process import TINY, Ended

ROWS = 2600
FIT = ("fit", "data.parquet", "--modalities", "a,b", "--config", "tiny.yaml", "--folds", "auto")
STREAMED = (*FIT, "--memory", "300MB", "--set", "features.boosted=auto")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A table sorted by its target, and settings with rounds shorter than a pass."""
    place = tmp_path_factory.mktemp("streamed")
    rng = np.random.default_rng(0)
    a, b, noise = rng.standard_normal((3, ROWS))
    target = a + b + 0.5 * noise
    order = np.argsort(target)
    columns = {"a__0": a, "a__1": noise**2, "b__0": b, "target": target}
    table = pa.table({name: values[order] for name, values in columns.items()})
    ids = pa.array([f"s{i}" for i in range(ROWS)])
    pq.write_table(table.append_column("id", ids), place / "data.parquet", row_group_size=500)
    (place / "tiny.yaml").write_text(TINY + "training: {round_rows: 1000, batch_size: 64}\n")
    return place


@pytest.fixture
def place(folder, monkeypatch):
    """The folder, on a machine on which small tables need much memory, and files hold few rows."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(plan, "LIBRARIES", 10**7)
    monkeypatch.setattr(plan, "CELL", 10**6)
    monkeypatch.setattr(plan, "SHARE_POOL", 2e-4)
    return folder


@pytest.fixture
def run(place):
    """A run of the streamed table."""
    if not (place / "run").exists():
        ended = Ended(*STREAMED, "-o", "run")
        assert ended.status == 0, ended.err
        (place / "log").write_text(ended.err)
    return place / "run"


def test_a_table_larger_than_the_limit_is_streamed_and_the_report_says_so(run):
    log = (run.parent / "log").read_text()
    assert "the table is streamed: a fit in memory would take about 7.8 GB, and 300 MB are allowed" in log
    assert "boosted trees are left out" in log
    report = json.loads((run / "report.json").read_text())
    data = report["data"]
    assert (data["rows"], data["rows_train"], data["rows_valid"], data["rows_test"]) == (2600, 1820, 260, 520)
    (finding,) = (one for one in report["diagnostics"] if one["code"] == "data.sampled_rows")
    assert "1,820 rows train" in finding["message"]
    assert "260 of 260 validation rows" in finding["message"]
    assert "520 of 520 test rows" in finding["message"]
    assert report["metrics"]["test"]["n"] == 520
    assert "memory: 300MB" in (run / "config.yaml").read_text()
    assert "rows" not in {path.name for path in run.iterdir()}
    epochs = [json.loads(line) for line in (run / "history.jsonl").read_text().splitlines()]
    assert [(one["stage"], one["epoch"]) for one in epochs] == [(1, 1), (1, 2), (2, 1), (2, 2)]


def test_encoders_are_chosen_on_streamed_rows_as_well(place, monkeypatch):
    for bound in ("CLEAR_GAIN", "CHANCE"):  # so that few epochs choose sines
        monkeypatch.setattr(encoder_choice, bound, -9.0)
    # Two rounds of 1,000 rows are more than one pass over 1,820, and less over all 2,600.
    monkeypatch.setattr(encoder_choice, "MANY_PASSES", 1)
    ended = Ended(*STREAMED, "--set", "network.encoder.kind=auto", "-o", "tried")
    assert ended.status == 0, ended.err
    epochs = [json.loads(line) for line in (place / "tried" / "history.jsonl").read_text().splitlines()]
    trials = [f"model, trial of {kind} encoders" for kind in ("mlp", "fourier")]
    assert list(dict.fromkeys(one["model"] for one in epochs)) == [*trials, "model"]
    # Then the model is that of a fit with sines, as if there had been no trials.
    assert "encoders are of kind fourier" in ended.err
    chosen = encoder_choice.with_encoders(load_settings(config=Path("tiny.yaml")), "fourier")
    chosen = encoder_choice.with_dropout(chosen, rows=1820)
    assert chosen.network.encoder.wave_dropout == encoder_choice.WAVE_DROPOUT
    asked = {
        "network.encoder.kind": "fourier",
        "network.head_width": chosen.network.head_width,
        "network.head_dropout": chosen.network.head_dropout,
        "network.encoder.wave_dropout": chosen.network.encoder.wave_dropout,
        "network.fusion_involvement": chosen.network.fusion_involvement,
        "loss.sufficiency": chosen.loss.sufficiency,
        "stage2.criterion": chosen.stage2.criterion,
    }
    sets = [part for name, value in asked.items() for part in ("--set", f"{name}={value}")]
    ended = Ended(*STREAMED, *sets, "-o", "sines")
    assert ended.status == 0, ended.err
    held = [pq.read_table(place / name / "heldout.parquet") for name in ("tried", "sines")]
    assert held[0].equals(held[1])


def test_held_out_rows_are_those_of_the_fit_in_memory(run, place):
    ended = Ended(*FIT, "-o", "whole", "--memory", "1TB")
    assert ended.status == 0, ended.err
    mine, theirs = (pq.read_table(place / name / "heldout.parquet") for name in ("run", "whole"))
    for column in ("id", "split", "y"):
        assert mine[column].equals(theirs[column])


def test_samples_of_the_judging_rows_are_told(place, monkeypatch):
    monkeypatch.setattr(plan, "FEWEST_HELD", 100)
    monkeypatch.setattr(plan, "SHARE_JUDGING", 0.012)
    ended = Ended(*STREAMED, "-o", "sampled")
    assert ended.status == 0, ended.err
    data = json.loads((place / "sampled" / "report.json").read_text())["data"]
    assert 100 <= data["rows_test"] < 520
    assert data["rows_valid"] == data["rows_test"] // 2
    used = data["rows_train"] + data["rows_valid"] + data["rows_test"]
    assert f"2,600 rows read, {used:,} of 2,600 used (1,820 to train" in " ".join(ended.out.split())
    assert f"{data['rows_test']:,} of 520 test rows say" in " ".join(ended.out.split())
    # What is kept of them says where in the table they are.
    held = pq.read_table(place / "sampled" / "heldout.parquet").to_pydict()
    ids = [name for name, part in zip(held["id"], held["split"], strict=True) if part == "test"]
    (rows,) = read_evidence(place / "sampled").models
    assert [f"s{row}" for row in sorted(rows.held.rows)] == ids


def test_the_other_commands_go_on_from_the_run(run, place):
    assert Ended("predict", "run", "data.parquet", "-o", "out.parquet", "--force").status == 0
    predicted = pq.read_table(place / "out.parquet")
    assert predicted.num_rows == ROWS
    held = pq.read_table(run / "heldout.parquet")
    order = dict(zip(predicted["id"].to_pylist(), predicted["prediction"].to_pylist(), strict=True))
    np.testing.assert_allclose([order[i] for i in held["id"].to_pylist()], held["prediction"], rtol=1e-5)
    decomposed = Ended("decompose", "run", "--format", "json").report
    report = json.loads((run / "report.json").read_text())
    assert decomposed["pid"]["summary"] == report["pid"]["summary"]
    assert Ended("select-modalities", "run", "--format", "json").report["selection"]["recommended"]
    beyond = Ended("select-modalities", "run", "data.parquet", "--covariates", "b__0", "--format", "json")
    assert beyond.status == 2
    verify = Ended("select-modalities", "run", "data.parquet", "--verify", "--format", "json")
    assert (verify.status, verify.out) == (2, "")
    error = json.loads(verify.err.splitlines()[-1])["error"]
    assert error["code"] == "usage.verify_streamed"
    assert "was streamed, without boosted trees" in error["message"]
    assert "verification: retraining" not in verify.err
    assert Ended("report", "run", "--format", "text").status == 0


@pytest.mark.parametrize(
    ("more", "status", "said"),
    [
        (("--memory", "20MB"), 2, "usage.memory"),
        (("--memory", "2 GB"), 2, "config"),
        (("--memory", "300MB", "--set", "features.boosted=on"), 2, "usage.boosted_streamed"),
        (("--memory", "300MB", "--folds", "3"), 2, "usage.folds_streamed"),
        (("--memory", "300MB", "--set", "network.encoder.kinds.c=mlp"), 2, "config.unknown_modality"),
    ],
)
def test_what_a_streamed_fit_cannot_do_is_refused(place, more, status, said):
    ended = Ended(*FIT, *more, "-o", "refused", "--format", "json")
    assert ended.status == status
    assert said in json.loads(ended.err.splitlines()[-1])["error"]["code"]
    assert not list(place.glob("refused*"))


def test_a_table_within_the_limit_is_read_into_memory(place, monkeypatch):
    monkeypatch.setattr(plan, "CELL", 56)
    ended = Ended(*FIT, "--memory", "300MB", "-o", "fits")
    assert ended.status == 0
    assert "the table is read into memory: a fit in memory would take about 23 MB" in ended.err
    report = json.loads((place / "fits" / "report.json").read_text())
    assert "data.sampled_rows" not in {one["code"] for one in report["diagnostics"]}


@pytest.mark.parametrize(
    ("spare", "said"),
    [
        (2 * 10**8, "the table is streamed: a fit in memory would take about 7.8 GB"),
        (0, "too little to stream it"),
    ],
)
def test_unasked_it_goes_by_what_the_machine_has(place, monkeypatch, spare, said):
    monkeypatch.setattr(streaming, "resident_bytes", lambda: 10**8)
    monkeypatch.setattr(streaming, "available_bytes", lambda: spare)
    table = open_table(["data.parquet"])
    roles = Roles({"a": ("a__0", "a__1"), "b": ("b__0",)}, "target")
    way = streaming.choose_way(table, roles, load_settings())
    assert said in way.notice
    assert (way.plan is None) == (spare == 0)
    monkeypatch.setattr(streaming, "available_bytes", lambda: 10**11)
    assert streaming.choose_way(table, roles, load_settings()) == streaming.Way(None, None)
    # Each of several processes on a machine would read it.
    shared = streaming.choose_way(table, roles, load_settings(), 16)
    assert "and 5.1 GB are to be had" in str(shared.notice)


@pytest.mark.parametrize("epochs", [1, 3])
def test_an_interrupted_fit_ends_in_the_same_bytes(run, place, monkeypatch, epochs):
    close, closed = ModelFit._close_epoch, []

    def stopping(self, *arguments):
        if len(closed) == epochs:
            raise KeyboardInterrupt
        closed.append(close(self, *arguments))

    monkeypatch.setattr(ModelFit, "_close_epoch", stopping)
    name = f"broken{epochs}"
    assert Ended(*STREAMED, "-o", name).status == 130
    left = {path.name for path in (place / f"{name}.partial").iterdir()}
    assert left == {"config.yaml", "checkpoints", ".lock"}
    monkeypatch.undo()
    monkeypatch.chdir(place)
    # Now there is memory for all: it goes on as it began.
    resumed = Ended(*STREAMED, "-o", name, "--resume", "-v")
    assert resumed.status == 0, resumed.err
    assert "the table is streamed within 300 MB, as before the interruption" in resumed.err
    for file in (
        "model.safetensors",
        "model.json",
        "evidence.safetensors",
        "heldout.parquet",
        "history.jsonl",
    ):
        assert (place / name / file).read_bytes() == (run / file).read_bytes()


def test_an_error_in_the_first_pass_leaves_nothing_behind(place, monkeypatch):
    def failing(self, number):
        raise KeyboardInterrupt

    monkeypatch.setattr(Buckets, "read", failing)
    assert Ended(*STREAMED, "-o", "nothing").status == 130
    assert not list(place.glob("nothing*"))


def test_rows_that_a_killed_process_left_are_dealt_again(place):
    builder = RunBuilder(place / "killed", force=True)
    with builder:
        builder.begin("preset: fast", "sha256:0")
        builder.checkpoints.write("checkpoint-0.safetensors", b"")
        with builder.scratch("rows") as folder:
            (folder / "0.rows").write_bytes(b"12")
            folder.rename(folder.with_name("kept"))
            folder.mkdir()
        (place / "killed.partial" / "kept").rename(place / "killed.partial" / "rows")
        with builder.scratch("rows") as folder:
            assert not list(folder.iterdir())
    assert not (place / "killed.partial" / "rows").exists()


@pytest.mark.slow
def test_a_streamed_fit_predicts_as_well_as_one_in_memory(tmp_path, monkeypatch):
    """The same rows, sorted by the target, and steps; transforms of a fourteenth of them."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 20_000, 4))
    target = a.sum(1) + b[:, 0] + a[:, 0] * b[:, 1] + rng.standard_normal(20_000)
    order = np.argsort(target)
    columns = {f"{name}__{i}": block[order, i] for name, block in (("a", a), ("b", b)) for i in range(4)}
    pq.write_table(pa.table(columns | {"target": target[order]}), "data.parquet")
    monkeypatch.setattr(plan, "CELL", 10**6)
    monkeypatch.setattr(plan, "LIBRARIES", 10**7)
    monkeypatch.setattr(plan, "SHARE_POOL", 2e-3)
    monkeypatch.setattr(plan, "MOST_SAMPLED", 1000)
    monkeypatch.setattr(plan, "FEWEST_SAMPLED", 1000)
    options = ("--modalities", "a,b", "--preset", "fast", "--threads", 1, "--format", "json")
    errors, totals = [], []
    for limit in ("1TB", "300MB"):
        report = Ended("fit", "data.parquet", *options, "--memory", limit, "-o", limit).report
        errors.append(report["metrics"]["test"]["rmse"])
        totals.append(report["pid"]["summary"]["total"])
    assert report["data"]["rows_test"] == 4000
    assert errors[1] < 1.01 * errors[0]
    assert abs(totals[1] - totals[0]) < 0.02
