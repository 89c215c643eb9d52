from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import replace

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.information.errors import DeterministicTargetError
from pidreg_cli.reports.serialise import report_schema
from pidreg_cli.training.protocol import ProtocolRun
from tests.cli.in_process import TINY, Ended

ROWS = 160


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(5)
    shared, own = rng.standard_normal((2, ROWS))
    noise = rng.standard_normal((5, ROWS))
    columns = {
        "mri__0": shared + 0.3 * noise[0],
        "mri__1": own + 0.3 * noise[1],
        "fmri__0": shared + 0.3 * noise[2],
        "fmri__1": noise[3],
        "target": shared + own + 0.3 * noise[4],
        "id": np.arange(ROWS) + 1000,
    }
    return pa.table(columns)


@pytest.fixture
def place(tmp_path, monkeypatch, table):
    monkeypatch.chdir(tmp_path)
    pq.write_table(table, tmp_path / "data.parquet")
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, table, pidreg):
    """The line that must simply work, in a fresh process and folder."""
    folder = tmp_path_factory.mktemp("fit")
    pq.write_table(table, folder / "data.parquet")
    (folder / "tiny.yaml").write_text(TINY)
    done = pidreg("fit", "data.parquet", "--modalities", "mri,fmri", "--config", "tiny.yaml", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder, done


def comparable(report: str) -> dict[str, object]:
    return {**json.loads(report), "created_at": None}


def test_the_run_folder_is_complete_and_alone(fitted):
    folder, _ = fitted
    assert sorted(path.name for path in folder.iterdir()) == ["data.parquet", "data.pidreg", "tiny.yaml"]
    assert {path.name for path in (folder / "data.pidreg").iterdir()} == {
        "config.yaml",
        "evidence.safetensors",
        "heldout.parquet",
        "history.jsonl",
        "model.json",
        "model.safetensors",
        "prediction.safetensors",
        "report.html",
        "report.json",
        "report.md",
    }


def test_stdout_has_the_report_and_no_escape_codes(fitted):
    _, done = fitted
    for name in ("mri", "fmri", "target", "bits"):
        assert name in done.stdout
    assert "\x1b" not in done.stdout + done.stderr
    assert "wrote data.pidreg" in done.stderr
    assert "wrote data.pidreg" not in done.stdout


def test_the_report_follows_its_schema(fitted):
    folder, _ = fitted
    report = json.loads((folder / "data.pidreg" / "report.json").read_text())
    jsonschema.Draft202012Validator(report_schema()).validate(report)
    assert [modality["name"] for modality in report["modalities"]] == ["mri", "fmri"]
    assert report["data"]["files"] == ["data.parquet"]
    assert (report["data"]["folds"], report["threads"], report["seed"]) == (2, 1, 0)


def test_heldout_rows_carry_their_ids(fitted):
    folder, _ = fitted
    heldout = pq.read_table(folder / "data.pidreg" / "heldout.parquet")
    assert heldout.column_names == ["id", "split", "y", "prediction"]
    assert heldout["id"].to_pylist() == list(range(1000, 1000 + ROWS))


def test_the_history_has_a_line_per_epoch(fitted):
    folder, _ = fitted
    lines = [json.loads(line) for line in (folder / "data.pidreg" / "history.jsonl").read_text().splitlines()]
    assert len(lines) == 3 * (2 + 2)
    assert {(line["stage"], line["epoch"]) for line in lines} == {(1, 1), (1, 2), (2, 1), (2, 2)}


def test_quiet_without_heldout_says_and_keeps_less(place):
    pq.write_table(
        pq.read_table("data.parquet").rename_columns(["p", "q", "r", "s", "y", "who"]), "data.parquet"
    )
    roles = ["--modality", "one=[pq]", "--modality", "two=r,s", "--target", "y", "--id", "who"]
    ended = Ended("fit", "data.parquet", *roles, "--config", "tiny.yaml", "-q", "--no-heldout", "--seed", "7")
    assert (ended.status, ended.out) == (0, "")
    assert "note:" not in ended.err
    assert not (place / "data.pidreg" / "heldout.parquet").exists()
    assert not (place / "data.pidreg" / "evidence.safetensors").exists()
    report = json.loads((place / "data.pidreg" / "report.json").read_text())
    assert [(one["name"], one["features"]) for one in report["modalities"]] == [("one", 2), ("two", 2)]
    assert (report["seed"], report["data"]["target"]) == (7, "y")


def test_markdown_is_the_report_of_the_folder_and_force_replaces_a_run(place):
    (place / "data.pidreg").mkdir()
    (place / "data.pidreg" / "config.yaml").write_text("seed: 1\n")
    (place / "data.pidreg" / "report.json").write_text("old")
    refused = Ended("fit", "data.parquet", "--config", "tiny.yaml")
    assert refused.status == 2
    assert "--force" in refused.err
    assert (place / "data.pidreg" / "report.json").read_text() == "old"
    ended = Ended("fit", "data.parquet", "--config", "tiny.yaml", "--force", "--format", "markdown")
    assert ended.status == 0, ended.err
    assert ended.out == (place / "data.pidreg" / "report.md").read_text()
    assert sorted(path.name for path in place.iterdir()) == ["data.parquet", "data.pidreg", "tiny.yaml"]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["absent.parquet"], 3, None),
        (["data.parquet", "--target", "tarGet"], 3, "tarGet"),
        (["data.parquet", "--modalities", "mri,pet"], 3, "pet"),
        (["data.parquet", "--modality", "a{b}=mri__0"], 2, "a{b}"),
        (["data.parquet", "--id", "nobody"], 3, "nobody"),
        (["data.parquet", "--set", "selection.cost.pet=2"], 2, "pet"),
    ],
)
def test_what_the_data_do_not_have_leaves_no_run(place, arguments, status, code):
    ended = Ended("fit", *arguments, "--config", "tiny.yaml", "--format", "json")
    assert ended.status == status
    assert ended.out == ""
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (code or "absent.parquet") in error["message"]
    assert error["hint"]
    assert sorted(path.name for path in place.iterdir()) == ["data.parquet", "tiny.yaml"]


def test_a_leaked_copy_of_the_target_is_named_and_leaves_no_run(tmp_path, table, pidreg):
    leaked = table.append_column("fmri__sum", pa.array(3 * table["target"].to_numpy() - 1))
    pq.write_table(leaked, tmp_path / "data.parquet")
    done = pidreg("fit", "data.parquet", "--modalities", "mri,fmri", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (3, "")
    error, hint = done.stderr.splitlines()[-2:]
    assert "Traceback" not in done.stderr
    assert error.startswith("error: 'target' is determined by 'fmri__sum' of 'fmri': ")
    assert "leaked copy" in hint
    assert [path.name for path in tmp_path.iterdir()] == ["data.parquet"]


@pytest.mark.parametrize("culprit", ["fmri", None])
def test_codes_that_predict_without_error_end_like_other_data_and_leave_no_run(place, monkeypatch, culprit):
    held = ProtocolRun._held_out

    def exact(*arguments: object, **options: object) -> object:
        if culprit is None:
            raise DeterministicTargetError("infinite")
        found = held(*arguments, **options)
        predictions = found.readouts.score_predictions.copy()
        predictions[:, 2:] = found.readouts.score[:, None]
        return replace(found, readouts=replace(found.readouts, score_predictions=predictions))

    monkeypatch.setattr(ProtocolRun, "_held_out", exact)
    ended = Ended(
        "fit", "data.parquet", "--modalities", "mri,fmri", "--config", "tiny.yaml", "--format", "json"
    )
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, error["code"]) == (3, "data.determined_target")
    assert ("the features of 'fmri':" if culprit else "among those of 'mri', 'fmri':") in error["message"]
    assert "--resume" not in error["hint"]
    assert sorted(path.name for path in place.iterdir()) == ["data.parquet", "tiny.yaml"]


@pytest.mark.slow
def test_threads_are_those_of_the_option_and_not_of_the_surroundings(tmp_path, table, pidreg):
    # Products small enough are never shared among threads: more rows and wider codes than elsewhere.
    rows = pa.concat_tables([table] * 3)
    noise = np.random.default_rng(0).standard_normal(len(rows))
    pq.write_table(
        rows.set_column(4, "target", pa.array(rows["target"].to_numpy() + noise)), tmp_path / "data.parquet"
    )
    (tmp_path / "tiny.yaml").write_text(TINY.replace("code_dim: 3", "code_dim: 64"))
    reports = []
    for threads in ("1", "2"):
        options = ["--modalities", "mri,fmri", "--config", "tiny.yaml", "--threads", 1, "--format", "json"]
        limits = {"OMP_NUM_THREADS": threads, "OPENBLAS_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        done = pidreg("fit", "data.parquet", *options, "--force", cwd=tmp_path, **limits)
        assert done.returncode == 0, done.stderr
        reports.append(comparable(done.stdout))
    assert reports[0] == reports[1]


@pytest.fixture(scope="module")
def terminated(fitted, tmp_path_factory, environment):
    """A run by the saved configuration of another, terminated in the middle."""
    folder = tmp_path_factory.mktemp("terminated")
    pq.write_table(pq.read_table(fitted[0] / "data.parquet"), folder / "data.parquet")
    arguments = ["fit", "data.parquet", "--config", str(fitted[0] / "data.pidreg" / "config.yaml")]
    command = [sys.executable, "-m", "pidreg_cli", *arguments, "-v"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, stdout=pipe, stderr=pipe, text=True, env=environment, cwd=folder
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("fold 1 of 2, stage 2, epoch 1"):
                process.send_signal(signal.SIGTERM)
                break
        rest = process.stderr.read()
        out = process.stdout.read()
    return folder, arguments, subprocess.CompletedProcess(command, process.returncode, out, rest)


def test_a_terminated_run_says_how_to_go_on(terminated):
    folder, _, done = terminated
    assert done.returncode == 143
    assert done.stdout == ""
    first, second = done.stderr.splitlines()[-2:]
    assert first == "error: terminated"
    assert second.startswith("hint: data.pidreg.partial keeps what was done: --resume continues it")
    assert sorted(path.name for path in folder.iterdir()) == ["data.parquet", "data.pidreg.partial"]


def test_an_unfinished_run_is_continued_only_when_asked_and_as_it_was(terminated, monkeypatch):
    folder, arguments, _ = terminated
    monkeypatch.chdir(folder)
    refused = Ended(*arguments)
    assert refused.status == 2
    assert "--resume" in refused.err
    assert "--force" in refused.err
    other = Ended(*arguments, "--resume", "--seed", "1")
    assert other.status == 2
    assert "seed was 0, now 1" in other.err


def test_a_saved_configuration_and_a_resumed_run_lead_to_the_same_bytes(fitted, terminated, pidreg):
    folder, arguments, _ = terminated
    resumed = pidreg(*arguments, "--resume", "-v", "--format", "json", cwd=folder)
    assert resumed.returncode == 0, resumed.stderr
    assert "continuing data.pidreg.partial" in resumed.stderr
    assert "fold 1 of 2, stage 1, epoch 1" not in resumed.stderr
    assert sorted(path.name for path in folder.iterdir()) == ["data.parquet", "data.pidreg"]
    mine, theirs = folder / "data.pidreg", fitted[0] / "data.pidreg"
    assert resumed.stdout == (mine / "report.json").read_text()
    assert comparable(resumed.stdout) == comparable((theirs / "report.json").read_text())
    assert {path.name for path in mine.iterdir()} == {path.name for path in theirs.iterdir()}
    for name in (
        "config.yaml",
        "model.safetensors",
        "model.json",
        "heldout.parquet",
        "evidence.safetensors",
        "prediction.safetensors",
        "history.jsonl",
    ):
        assert (mine / name).read_bytes() == (theirs / name).read_bytes()
