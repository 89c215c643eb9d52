"""``pidreg predict``: what a user types, what comes back, and what is refused."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli import load_model
from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console
from pidreg_cli.errors import DataError
from pidreg_cli.predicting.raw_rows import hinting_at_prepare
from tests.earlier_runs import edit_json, without_digests
from tests.prediction.conftest import Fitted


@dataclass(frozen=True)
class Done:
    status: int
    out: str
    err: str


def predict(*arguments: object) -> Done:
    """The command in this process: torch is imported already."""
    out, err = io.StringIO(), io.StringIO()
    status = main(["predict", *map(str, arguments)], Console(out, err))
    return Done(status, out.getvalue(), err.getvalue())


def test_a_table_becomes_predictions_in_its_order_with_its_ids(fitted: Fitted, tmp_path: Path) -> None:
    done = predict(fitted.folder, fitted.file, "-o", tmp_path / "p.parquet", "--id", "id", "--threads", 1)
    assert (done.status, done.out) == (0, "")
    found = pd.read_parquet(tmp_path / "p.parquet")
    assert list(found.columns) == ["id", "prediction", "lower", "upper"]
    assert found["id"].tolist() == fitted.new["id"].tolist()
    loaded = load_model(fitted.folder)
    np.testing.assert_array_equal(found["prediction"], loaded.predict(fitted.new))
    np.testing.assert_array_equal(found[["lower", "upper"]], loaded.predict_interval(fitted.new))
    assert "900 rows with a target" in done.err
    assert "warning" not in done.err


@pytest.mark.parametrize("form", ["csv", "csv.gz", "tsv", "folder", "shuffled columns", "doubles"])
def test_every_format_says_the_same(fitted: Fitted, tmp_path: Path, form: str) -> None:
    rows = fitted.new[:200].drop(columns="id")
    path = tmp_path / f"new.{form.split()[0]}"
    if form == "folder":
        path.mkdir()
        for part in range(2):
            rows[part * 100 : part * 100 + 100].to_parquet(path / f"{part}.parquet")
    elif form in ("csv", "tsv", "csv.gz"):
        text = rows.to_csv(index=False, sep="\t" if form == "tsv" else ",")
        path.write_bytes(gzip.compress(text.encode()) if form.endswith("gz") else text.encode())
    else:
        path = path.with_suffix(".parquet")
        rows = rows[rows.columns[::-1]].assign(extra="text") if form != "doubles" else rows.astype("float64")
        rows.to_parquet(path)
    done = predict(fitted.folder, path, "-o", tmp_path / "p.parquet")
    assert done.status == 0, done.err
    found = pd.read_parquet(tmp_path / "p.parquet")
    np.testing.assert_allclose(found["prediction"], fitted.model.predict(rows[:200]), rtol=1e-5)
    assert found["id"].tolist() == list(range(200))


def test_csv_on_stdout_is_the_result_alone(fitted: Fitted, tmp_path: Path) -> None:
    done = predict(fitted.folder, fitted.file, "-o", "-", "-q", "--explain")
    found = pd.read_csv(io.StringIO(done.out))
    predict(fitted.folder, fitted.file, "-o", tmp_path / "p.csv", "--explain")
    pd.testing.assert_frame_equal(found, pd.read_csv(tmp_path / "p.csv"))
    assert list(found.columns[4:10]) == [f"{kind}.{name}" for kind in ("bits", "shift") for name in "abc"]
    assert list(found.columns[10:]) == ["information.total", "added.a", "added.b", "added.c"]
    assert done.err == ""


def test_no_target_is_needed(fitted: Fitted, tmp_path: Path) -> None:
    fitted.new.drop(columns="target").to_parquet(tmp_path / "new.parquet")
    done = predict(
        fitted.folder, tmp_path / "new.parquet", "-o", "-", "--explain", "--report", tmp_path / "r.json"
    )
    assert done.status == 0
    assert "information.total" not in done.out
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["metrics"] is None
    assert report["coverage"] is None
    assert report["rows"] == 900


def test_absent_modalities_are_told_counted_and_expected_to_cost(fitted: Fitted, tmp_path: Path) -> None:
    rows = fitted.new.drop(columns=["c__0", "c__1"])
    rows.loc[:299, ["a__0", "a__1", "a__2"]] = np.nan
    rows.to_parquet(tmp_path / "new.parquet")
    done = predict(fitted.folder, tmp_path / "new.parquet", "-o", "-", "--report", tmp_path / "r.json")
    assert done.status == 0
    assert "warning: the table has no column of 'c'" in done.err
    assert "warning: 300 of 900 rows lack modalities" in done.err
    assert "300 rows from b, expected RMSE" in done.err
    sets = json.loads((tmp_path / "r.json").read_text())["sets"]
    assert {tuple(s["modalities"]): s["rows"] for s in sets} == {("b",): 300, ("a", "b"): 600}
    assert sets[0]["expected_rmse"] > sets[1]["expected_rmse"]


def test_leaving_out_on_purpose_is_no_warning(fitted: Fitted) -> None:
    done = predict(fitted.folder, fitted.file, "-o", "-", "--use", "a,b")
    assert "note: without 'c', as asked: expected RMSE" in done.err
    assert "warning" not in done.err
    found = pd.read_csv(io.StringIO(done.out))
    expected = fitted.model.predict(fitted.new.drop(columns=["c__0", "c__1"]))
    np.testing.assert_allclose(found["prediction"], expected, rtol=1e-6)


def test_drift_is_told_and_rows_like_the_training_rows_are_not(fitted: Fitted, tmp_path: Path) -> None:
    away = fitted.new.assign(a__0=fitted.new["a__0"] * 3 + 6)
    away.to_parquet(tmp_path / "new.parquet")
    done = predict(fitted.folder, tmp_path / "new.parquet", "-o", "-")
    assert "warning: modality 'a' has drifted" in done.err
    assert "'b' has drifted" not in done.err


def test_too_high_a_level_for_the_rows_is_infinite_and_said(fitted: Fitted, tmp_path: Path) -> None:
    done = predict(
        fitted.folder,
        fitted.file,
        "-o",
        tmp_path / "p.parquet",
        "--interval",
        0.999,
        "--report",
        tmp_path / "r.json",
    )
    assert "500 rows calibrate some intervals, too few for 0.999" in done.err
    assert np.isinf(pd.read_parquet(tmp_path / "p.parquet")[["lower", "upper"]]).all().all()
    assert json.loads((tmp_path / "r.json").read_text())["mean_width"] is None


REFUSED = {
    "no output": ([], 2, "predict needs -o FILE"),
    "suffix": (["-o", "p.xlsx"], 2, "must end in"),
    "level": (["-o", "-", "--interval", "90"], 2, "between 0 and 1"),
    "use": (["-o", "-", "--use", "a,d"], 2, "no modality of the run"),
    "empty use": (["-o", "-", "--use", "a,,b"], 2, "empty"),
    "folder": (["-o", "nowhere/p.csv"], 6, "no folder"),
    "id": (["-o", "-", "--id", "idd"], 3, "Did you mean 'id'"),
    "device": (["-o", "-", "--device", "cuda:99"], 2, "not available"),
    "report on stdout": (["-o", "-", "--report", "-"], 2, "'-' is no name for a file"),
    "no device": (["-o", "-", "--device", "gpu"], 2, "'gpu' is no device; it must be auto, cpu, cuda"),
    "empty device": (["-o", "-", "--device", ""], 2, "'' is no device"),
    "no threads": (["-o", "-", "--threads", "0"], 2, "0 is not a number of threads"),
    "fewer threads": (["-o", "-", "--threads", "-1"], 2, "must be at least 1"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_wrong_options_are_refused(
    fitted: Fitted, case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, status, message = REFUSED[case]
    done = predict(fitted.folder, fitted.file, *arguments)
    assert done.status == status
    assert message in done.err
    assert done.out == ""


def test_existing_files_stay_without_force(fitted: Fitted, tmp_path: Path) -> None:
    path = tmp_path / "p.csv"
    path.write_text("mine")
    assert predict(fitted.folder, fitted.file, "-o", path).status == 2
    assert path.read_text() == "mine"
    assert predict(fitted.folder, fitted.file, "-o", path, "--force").status == 0
    assert predict(fitted.folder, path, "-o", path, "--force").status == 2


def test_no_output_is_laid_among_what_is_read(
    fitted: Fitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("rows")
    folder.mkdir()
    shutil.copy(fitted.file, folder / "p1.parquet")
    shutil.copytree(fitted.folder, "run")
    for data, output, what in (
        ("rows/*.parquet", "rows/p1.parquet", "is an input"),
        ("rows", "rows/p1.parquet", "is an input"),
        ("rows", "rows/new.csv", "would be an input the next time"),
        (fitted.file, "run/heldout.parquet", "is within the run run"),
        (fitted.file, "run/new.parquet", "is within the run run"),
    ):
        before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
        done = predict("run", data, "-o", output, "--force")
        assert (done.status, what in done.err) == (2, True), done.err
        assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    done = predict("run", fitted.file, "-o", "-", "--report", "run/report.json", "--force")
    assert (done.status, "is within the run" in done.err) == (2, True)


BAD_TABLES = {
    "another table": (lambda t: t[[]].assign(other=1.0), "has no column of any modality ('a', 'b', 'c')"),
    "some columns": (
        lambda t: t.rename(columns={"a__1": "a__01"}),
        "lacks 1 of its 3 columns: 'a__1'. Did you mean 'a__01'",
    ),
    "text": (lambda t: t.assign(a__1="x"), "must be numbers"),
    "infinite": (
        lambda t: t.assign(b__0=np.where(t.index == 70, np.inf, t.b__0)),
        "'b__0' holds an infinite value in row 70",
    ),
    "lists": (lambda t: t.assign(b__0=[[1.0, 2.0]] * len(t)), "the run was fitted on numbers"),
    "no rows": (lambda t: t[:0], "no rows"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_tables_that_do_not_fit_are_refused_and_leave_nothing(
    fitted: Fitted, case: str, tmp_path: Path
) -> None:
    change, message = BAD_TABLES[case]
    change(fitted.new.drop(columns="id")).to_parquet(tmp_path / "new.parquet")
    done = predict(fitted.folder, tmp_path / "new.parquet", "-o", tmp_path / "p.parquet")
    assert done.status == 3
    assert message in done.err
    assert [path.name for path in tmp_path.iterdir()] == ["new.parquet"]


def test_words_among_numbers_are_named_with_their_row(fitted: Fitted, tmp_path: Path) -> None:
    rows = fitted.new.astype(object)
    rows.loc[5, "a__0"] = "low"
    rows.to_csv(tmp_path / "new.csv", index=False)
    done = predict(fitted.folder, tmp_path / "new.csv", "-o", "-")
    assert done.status == 3
    assert "'a__0' of modality 'a' holds 899 numbers and 1 text, first 'low' in row 5" in done.err
    assert "leave cells empty" in done.err


def test_hints_name_no_option_that_predict_lacks(fitted: Fitted, tmp_path: Path) -> None:
    rows = fitted.new[:50].drop(columns="id")
    rows.to_csv(tmp_path / "p1.csv", index=False, sep=";")
    done = predict(fitted.folder, tmp_path / "p1.csv", "-o", "-")
    assert "with the delimiter ';' (pidreg prepare --delimiter says otherwise)" in done.err
    rows.drop(columns="target").to_csv(tmp_path / "p2.csv", index=False, sep=";")
    done = predict(fitted.folder, tmp_path / "p1.csv", tmp_path / "p2.csv", "-o", "-")
    assert (done.status, "give pidreg prepare --key COLUMN" in done.err) == (3, True)
    (tmp_path / "p1.csv").write_text((tmp_path / "p1.csv").read_text() + "1;2\n")
    done = predict(fitted.folder, tmp_path / "p1.csv", "-o", "-")
    assert (done.status, "as in pidreg prepare --delimiter ';'" in done.err) == (3, True)


def test_ids_and_targets_that_are_not_used_are_said(fitted: Fitted, tmp_path: Path) -> None:
    rows = fitted.new[:50].assign(target="low")
    rows.loc[:4, "id"] = None
    rows.to_parquet(tmp_path / "new.parquet")
    done = predict(fitted.folder, tmp_path / "new.parquet", "-o", "-", "--id", "id")
    assert (done.status, "on 50 rows with a target" in done.err) == (0, False)
    assert "column 'target', the target of the run, is not numeric here: there are no metrics" in done.err
    assert "5 of 50 rows have no id" in done.err
    run = Path(shutil.copytree(fitted.folder, tmp_path / "run"))
    edit_json(without_digests(run), lambda document: document["roles"].update(id="patient"))
    done = predict(run, tmp_path / "new.parquet", "-o", "-")
    assert "no column 'patient', the id of the run: ids are row numbers" in done.err


def test_raw_rows_of_a_prepared_table_are_told_what_to_type(tmp_path: Path, fitted: Fitted) -> None:
    raw = tmp_path / "new rows.csv"
    pd.DataFrame({"colour": ["red", "blue"] * 20, "size": range(40)}).to_csv(raw, index=False)
    done = predict(fitted.folder, raw, "-o", "-")
    assert done.status == 3
    assert f"pidreg prepare '{raw}' --like TABLE.pidreg.json -o new.parquet" in done.err


def test_the_recipe_is_named_after_the_table_of_the_fit_and_not_where_there_was_none(tmp_path: Path) -> None:
    (tmp_path / "report.json").write_text('{"data": {"files": ["visits.parquet"]}}')
    error = DataError("data.missing_columns", "none", "Give others.")
    told = hinting_at_prepare(error, tmp_path, ["later.csv"], {"a": ["a__x=red", "a__y"]})
    assert told.hint == (
        "Give others. If 'pidreg prepare' made the table of the fit, make this one the same way: "
        "pidreg prepare later.csv --like visits.pidreg.json -o new.parquet"
    )
    assert hinting_at_prepare(error, tmp_path, ["later.csv"], {"a": ["a__x", "y"]}) is error


def damaged(folder: Path, to: Path, name: str, content: bytes | None) -> Path:
    shutil.copytree(folder, to)
    if content is None:
        (to / name).unlink()
    else:
        (to / name).write_bytes(content)
    return to


@pytest.mark.parametrize("name", ["prediction.safetensors", "model.safetensors", "model.json"])
@pytest.mark.parametrize("how", ["missing", "truncated", "bytes changed"])
def test_damaged_runs_are_refused(fitted: Fitted, name: str, how: str, tmp_path: Path) -> None:
    whole = (fitted.folder / name).read_bytes()
    changed = whole[:-9] + bytes([whole[-9] ^ 0xFF]) + whole[-8:]
    content = {"missing": None, "truncated": whole[: len(whole) // 2], "bytes changed": changed}[how]
    run = damaged(fitted.folder, tmp_path / "run", name, content)
    done = predict(run, fitted.file, "-o", "-")
    assert done.status == 4
    assert done.out == ""
    assert name.split(".")[0] in done.err


def test_what_is_no_run_is_said(fitted: Fitted, tmp_path: Path) -> None:
    assert "there is no run folder" in predict(tmp_path / "nothing", fitted.file, "-o", "-").err
    done = predict(tmp_path, fitted.file, "-o", "-")
    assert (done.status, "is no run folder" in done.err) == (4, True)


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


IMPORTS = """
import os, sys
from pidreg_cli.cli.app import main
status = main(sys.argv[1:])
sys.stderr.write(str(sorted({"torch", "sklearn", "scipy", "pandas"} & set(sys.modules))))
sys.exit(status)
"""


@pytest.mark.parametrize("command", ["predict", "fit"])
@pytest.mark.parametrize("data", ["gone.parquet", "gone*.parquet"])
def test_a_wrong_name_is_told_before_the_libraries_are_imported(
    fitted: Fitted, command: str, data: str, tmp_path: Path
) -> None:
    arguments = [fitted.folder, data, "-o", "-"] if command == "predict" else [data, "-o", "new"]
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS, command, *arguments],
        env={**environment(), "PYTHONPATH": str(Path.cwd())},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 3
    assert data in done.stderr
    assert done.stderr.endswith("[]")
    assert [*tmp_path.iterdir()] == []


def test_predictions_are_not_lost_in_a_stdout_that_is_closed(fitted: Fitted) -> None:
    line = f"'{sys.executable}' -m pidreg_cli predict '{fitted.folder}' '{fitted.file}' -o - >&-"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, env=environment(), check=False)  # noqa: S602
    assert (done.returncode, "stdout, which is closed" in done.stderr) == (6, True)


def test_a_closed_pipe_ends_quietly(fitted: Fitted, tmp_path: Path) -> None:
    many = pd.concat([fitted.new] * 20)
    many.to_parquet(tmp_path / "new.parquet")
    command = [
        sys.executable,
        "-m",
        "pidreg_cli",
        "predict",
        fitted.folder,
        tmp_path / "new.parquet",
        "-o",
        "-",
    ]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment()
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith(b"id,prediction")
        process.stdout.close()
        assert b"Traceback" not in process.stderr.read()
        assert process.wait(60) == 141


INTERRUPTED = """
import signal, sys
# Whoever runs the tests in the background of a script passes on that interrupts are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
from pidreg_cli.__main__ import run
sys.exit(run())
"""


@pytest.mark.parametrize(
    ("number", "status", "text", "name", "threads"),
    [
        (signal.SIGINT, 130, "interrupted", "p.parquet", 1),
        (signal.SIGINT, 130, "interrupted", "p.csv", 2),
        (signal.SIGTERM, 143, "terminated", "p.parquet", 2),
    ],
)
def test_a_signal_among_the_batches_leaves_the_folder_as_it_was(
    fitted: Fitted, tmp_path: Path, number: signal.Signals, status: int, text: str, name: str, threads: int
) -> None:
    rows = pq.read_table(fitted.file)
    pq.write_table(pa.concat_tables([rows] * 1500), tmp_path / "new.parquet")
    out = tmp_path / "out" / name
    out.parent.mkdir()
    out.write_text("of an earlier day")
    arguments = [
        "predict",
        fitted.folder,
        tmp_path / "new.parquet",
        "-o",
        out,
        "--force",
        "--threads",
        threads,
    ]
    command = [sys.executable, "-c", INTERRUPTED, *map(str, arguments)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment()) as process:
        # The first batches are on the disk, under another name, and most are still to come.
        while not any(path.stat().st_size for path in out.parent.glob(".*")):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(number)
        assert process.stderr is not None
        last = process.stderr.read().decode().splitlines()[-1]
    assert (process.returncode, last) == (status, f"error: {text}")
    assert [path.name for path in out.parent.iterdir()] == [name]
    assert out.read_text() == "of an earlier day"


@pytest.mark.slow
def test_memory_does_not_grow_with_the_rows(fitted: Fitted, tmp_path: Path) -> None:
    table = pa.Table.from_pandas(pd.concat([fitted.new] * 20))
    peaks = []
    for times in (4, 16):
        path = tmp_path / f"{times}.parquet"
        with pq.ParquetWriter(path, table.schema) as writer:
            for _ in range(times):
                writer.write_table(table)
        code = (
            "import resource, sys; from pidreg_cli.cli.app import main; "
            "assert main(sys.argv[1:]) == 0; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
        )
        arguments = ["predict", fitted.folder, path, "-o", tmp_path / f"{times}.out.parquet"]
        done = subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            check=True,
            env=environment(),
        )
        peaks.append(int(done.stdout))
    # 72,000 rows, then 288,000, in KB.
    assert peaks[1] < peaks[0] + 50_000
