"""Choosing beyond covariates with a model: of a run and its table, of a run and new rows, and of a table to fit."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.cli.in_process import TINY, Ended

ROLES = ["--modalities", "mri,gait"]
BEYOND = ["--covariates", "age", "--format", "json"]


def write(path: Path, seed: int, rows: int = 500) -> Path:
    """A table whose ``gait`` repeats age with noise, and whose ``mri`` tells what age does not."""
    rng = np.random.default_rng(seed)
    age, mri = rng.normal(size=(2, rows))
    columns = {
        "age": age,
        "mri__0": mri,
        "gait__0": age + 0.5 * rng.normal(size=rows),
        "target": age + mri + 0.5 * rng.normal(size=rows),
    }
    pq.write_table(pa.table(columns), path)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, later rows, a configuration, and a run that never saw age."""
    place = tmp_path_factory.mktemp("beyond")
    (place / "tiny.yaml").write_text(TINY, encoding="utf-8")
    data = write(place / "data.parquet", 0)
    write(place / "later.parquet", 1)
    fit = ["fit", data, *ROLES, "--config", place / "tiny.yaml", "-o", place / "run.pidreg", "-q"]
    assert Ended(*fit).status == 0
    return place


def of_run(folder: Path) -> list[object]:
    return [folder / "run.pidreg", folder / "data.parquet"]


def of_new_rows(folder: Path) -> list[object]:
    return [folder / "run.pidreg", folder / "later.parquet"]


def of_table(folder: Path) -> list[object]:
    return [folder / "data.parquet", *ROLES, "--config", folder / "tiny.yaml"]


@pytest.mark.parametrize(
    ("given", "protocol"), [(of_run, "folds"), (of_new_rows, "new-data"), (of_table, "folds")]
)
def test_what_repeats_a_covariate_goes_and_what_tells_beyond_it_stays(
    folder: Path, given: Callable[[Path], list[object]], protocol: str
) -> None:
    report = Ended("select-modalities", *given(folder), *BEYOND).report
    assert report["command"] == "select-modalities"
    assert report["selection"]["recommended"] == ["mri"]
    assert report["selection"]["protocol"] == report["information"]["protocol"] == protocol
    assert report["selection"]["rows"] == report["information"]["rows"] == 500
    assert report["information"]["covariates"] == ["age"]
    # Age alone explains 1 of 2.25 of the variance.
    assert report["information"]["covariate_information"] == pytest.approx(0.42, abs=0.12)
    values = {tuple(one["modalities"]): one["value"] for one in report["information"]["values"]}
    assert values["mri",] > 0.5
    assert values["gait",] < 0.05
    assert report["pid"]["summary"]["unique"]["gait"] < 0.05


def test_without_the_covariate_it_stays(folder: Path) -> None:
    chosen = Ended("select-modalities", folder / "run.pidreg", "--format", "json").report["selection"]
    assert chosen["recommended"] == ["mri", "gait"]


def test_the_mean_is_replaced_by_the_covariates(folder: Path) -> None:
    plain = Ended("select-modalities", folder / "run.pidreg", "--format", "json").report["selection"]
    beyond = Ended("select-modalities", *of_run(folder), *BEYOND).report["selection"]
    assert beyond["mean_rmse"] < 0.85 * plain["mean_rmse"]
    assert all(subset["cost"] == len(subset["modalities"]) for subset in beyond["subsets"])


def test_a_covariate_in_a_modality_is_no_feature_of_the_fit(folder: Path) -> None:
    given = ["--modality", "mri=mri__0,age", "--modality", "gait=gait__0", "--config", folder / "tiny.yaml"]
    report: dict[str, Any] = Ended("select-modalities", folder / "data.parquet", *given, *BEYOND).report
    assert {one["name"]: one["features"] for one in report["modalities"]} == {"mri": 1, "gait": 1}
    assert report["selection"]["recommended"] == ["mri"]


def test_new_rows_are_read_by_the_options_of_decompose(folder: Path, tmp_path: Path) -> None:
    given = [folder / "run.pidreg", repeated(folder, tmp_path), *BEYOND, "--threads", "1", "--device", "cpu"]
    report = Ended("select-modalities", *given, "--id", "code").report
    assert (report["threads"], report["device"]) == (1, "cpu")
    (finding,) = [one for one in report["diagnostics"] if one["code"] == "data.repeated_subjects"]
    assert "Column 'code' repeats" in finding["message"]
    grouped = Ended("select-modalities", *given, "--group", "code").report
    assert "data.repeated_subjects" not in {one["code"] for one in grouped["diagnostics"]}
    assert grouped["selection"]["subsets"] != report["selection"]["subsets"]


def repeated(folder: Path, place: Path) -> Path:
    """Later rows, two of a code."""
    table = pq.read_table(folder / "later.parquet")
    path = place / "repeated.parquet"
    pq.write_table(table.append_column("code", pa.array(np.arange(500) // 2)), path)
    return path


def test_new_rows_do_not_need_those_that_the_run_kept(folder: Path, tmp_path: Path) -> None:
    shutil.copytree(folder / "run.pidreg", tmp_path / "bare.pidreg")
    for name in ("evidence.safetensors", "heldout.parquet"):
        (tmp_path / "bare.pidreg" / name).unlink()
    report = Ended("select-modalities", tmp_path / "bare.pidreg", folder / "later.parquet", *BEYOND).report
    assert report["selection"]["recommended"] == ["mri"]
    own = Ended("select-modalities", tmp_path / "bare.pidreg", folder / "data.parquet", *BEYOND)
    assert (own.status, own.out) == (4, "")
    assert "evidence.safetensors" in own.err


def test_threads_are_those_given_for_the_rows_that_the_run_kept(folder: Path) -> None:
    report = Ended("select-modalities", *of_run(folder), *BEYOND, "--threads", "2").report
    assert report["threads"] == 2


REFUSED = {
    "a group of rows that the run kept": (
        ["run.pidreg", "data.parquet", "--covariates", "age", "--group", "gait__0"],
        2,
        "--group does not apply",
        "new to the run",
    ),
    "a device for rows that the run kept": (
        ["run.pidreg", "data.parquet", "--covariates", "age", "--device", "cpu"],
        2,
        "--device does not apply",
        "new to the run",
    ),
    "a seed": (
        ["run.pidreg", "later.parquet", "--covariates", "age", "--seed", "1"],
        2,
        "--seed",
        "leave it",
    ),
    "a bare run": (["run.pidreg", "--covariates", "age"], 2, "keeps no covariates", "its table"),
    "one that the model reads": (
        ["run.pidreg", "data.parquet", "--covariates", "gait__0"],
        2,
        "the model of the run reads it",
        "--no-model",
    ),
    "an unknown one": (["run.pidreg", "data.parquet", "--covariates", "aeg"], 3, "aeg", "age"),
    "an unknown one of a fit": (["data.parquet", *ROLES, "--covariates", "aeg"], 3, "aeg", "age"),
    "verifying": (
        ["data.parquet", *ROLES, "--covariates", "age", "--verify"],
        2,
        "--verify with --covariates",
        "leave one",
    ),
    "verifying a run": (
        ["run.pidreg", "data.parquet", "--covariates", "age", "--verify"],
        2,
        "--verify with --covariates",
        "leave one",
    ),
    "a run to keep": (
        ["data.parquet", *ROLES, "--covariates", "age", "--run", "kept.pidreg"],
        2,
        "--run with --covariates",
        "pidreg fit",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_is_refused_with_a_way_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    arguments, status, message, hint = REFUSED[case]
    monkeypatch.chdir(folder)
    ended = Ended("select-modalities", *arguments)
    assert (ended.status, ended.out) == (status, "")
    assert message in " ".join(ended.err.split())
    assert hint in " ".join(ended.err.split())
