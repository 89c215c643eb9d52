"""``pidreg select-modalities`` as a user types it: of a run, of a table, verified; what goes wrong and how it ends."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.reports.serialise import report_schema
from tests.cli import in_process

ROWS = 200
TINY = in_process.TINY.replace("kind: mlp", "kind: linear").replace(
    "stage2: {min_epochs: 1, max_epochs: 2}", "stage2: {min_epochs: 1, max_epochs: 4}"
)


def columns(rows: int, seed: int = 0) -> dict[str, object]:
    """Modality mri tells most, lab less and gait nothing; age tells something of its own."""
    rng = np.random.default_rng(seed)
    a, b, c, age, noise = rng.standard_normal((5, rows))
    return {
        "age": 50 + 10 * age,
        "mri__0": a,
        "mri__1": rng.standard_normal(rows),
        "lab__0": b,
        "gait__0": c,
        "target": a + 0.6 * b + 0.4 * age + 0.5 * noise,
    }


class Ended(in_process.Ended):
    """``pidreg select-modalities`` that ran within this process."""

    def __init__(self, *arguments: object) -> None:
        super().__init__("select-modalities", *arguments)

    @property
    def report(self) -> dict[str, Any]:
        found = super().report
        jsonschema.Draft202012Validator(report_schema()).validate(found)
        assert found["command"] == "select-modalities"
        return found

    @property
    def selection(self) -> dict[str, Any]:
        chosen: dict[str, Any] = self.report["selection"]
        return chosen


ROLES = ("--modalities", "mri,lab,gait")


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, the run that verifying it left, and the report of that."""
    folder = tmp_path_factory.mktemp("select")
    pq.write_table(pa.table(columns(ROWS)), folder / "data.parquet")
    (folder / "tiny.yaml").write_text(TINY)
    given = (folder / "data.parquet", *ROLES, "--config", folder / "tiny.yaml")
    ended = Ended(*given, "--run", folder / "r.pidreg", "--verify", "--format", "json")
    assert ended.status == 0, ended.err
    assert "verification: retraining" in ended.err
    (folder / "verified.json").write_text(ended.out)
    return folder


@pytest.fixture
def place(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(home)
    return home


def run_selection(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "r.pidreg" / "report.json").read_text())["selection"]
    return found


def test_a_run_asked_nothing_new_says_what_its_report_says(place: Path) -> None:
    chosen = Ended("r.pidreg", "--format", "json").selection
    assert chosen == run_selection(place)
    assert chosen["verification"] is None
    assert chosen["search"] == {"method": "exhaustive", "tried": 7, "sets": 7}
    assert "gait" not in chosen["recommended"]
    for subset in chosen["subsets"]:
        low, high = subset["rmse_ci"]
        assert low < subset["expected_rmse"] < high


def test_a_fit_of_the_table_and_its_run_say_the_same_and_verify_the_same(place: Path) -> None:
    verified = json.loads((place / "verified.json").read_text())["selection"]
    assert verified | {"verification": None} == run_selection(place)
    again = Ended("r.pidreg", "data.parquet", "--verify", "--format", "json")
    assert again.selection["verification"] == verified["verification"]
    part = verified["verification"]
    assert (part["protocol"], part["rows"]) == ("folds", ROWS)
    assert part["modalities"] == verified["recommended"]
    assert part["confirmed"]
    assert part["sentence"].startswith("confirmed: retrained without gait on the same splits, RMSE is ")
    low, high = part["rmse_loss_ci"]
    assert low < part["rmse_loss"] < high
    assert part["rmse_loss"] == pytest.approx(part["rmse"] / part["rmse_all"] - 1)


def test_the_retrained_set_is_what_a_fit_of_it_alone_gives(place: Path, tmp_path: Path) -> None:
    part = json.loads((place / "verified.json").read_text())["selection"]["verification"]
    given = ["data.parquet", "--modalities", ",".join(part["modalities"]), "--config", "tiny.yaml"]
    alone = Ended(*given, "--run", tmp_path / "alone.pidreg", "--format", "json").report
    assert alone["metrics"]["test"]["rmse"] == pytest.approx(part["rmse"], rel=1e-9)
    whole = json.loads((place / "r.pidreg" / "report.json").read_text())
    assert whole["metrics"]["test"]["rmse"] == pytest.approx(part["rmse_all"], rel=1e-9)


def test_rules_costs_and_budgets_are_those_given_now(place: Path) -> None:
    strict = Ended("r.pidreg", "--tolerance", "0", "--format", "json").selection
    assert strict["tolerance"] == 0
    assert set(strict["recommended"]) >= {"mri", "lab"}
    costs = ["--cost", "mri=5", "--cost", "lab=2"]
    poor = Ended("r.pidreg", *costs, "--budget", "4", "--format", "json").selection
    assert poor["budget"] == 4
    assert "mri" not in poor["recommended"]
    assert [subset["cost"] for subset in poor["subsets"]] == [5, 2, 1, 7, 6, 3, 8]
    assert "within the budget of 4" in poor["reason"]
    one_se = Ended("r.pidreg", "--rule", "one-se", "--format", "json").selection
    assert one_se["rule"] == "one-se"


def test_text_and_markdown_say_the_recommendation_and_how_firm_it_is(place: Path) -> None:
    text = Ended("r.pidreg", "--cost", "gait=1200").out
    assert "Recommended: drop gait: keeping it adds" in text
    assert "1200" in text
    assert "How firm this is: the same set in " in text
    markdown = Ended("r.pidreg", "--format", "markdown")
    assert "## Which modalities to keep" in markdown.out
    assert "\x1b" not in text + markdown.out


def test_the_report_goes_to_a_file_that_is_not_overwritten(place: Path, tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    first = Ended("r.pidreg", "-o", file, "--format", "json")
    assert (first.status, first.out) == (0, "")
    assert f"wrote {file}" in first.err
    saved = file.read_bytes()
    refused = Ended("r.pidreg", "-o", file)
    assert refused.status == 2
    assert file.read_bytes() == saved
    assert Ended("r.pidreg", "-o", file, "--force", "-q", "--format", "text").status == 0
    assert file.read_text().startswith("What mri, lab and gait tell")
    assert Ended("r.pidreg", "-o", file, "--force", "-q").status == 0
    assert json.loads(file.read_text())["command"] == "select-modalities"
    refused = Ended("r.pidreg", "-o", tmp_path / "report.html")
    assert (refused.status, refused.out) == (2, "")
    assert ".html is none of .json, .md, .markdown, .txt" in refused.err


def test_a_run_of_a_gpu_is_verified_on_the_device_and_threads_given(place: Path, tmp_path: Path) -> None:
    shutil.copytree("r.pidreg", tmp_path / "gpu.pidreg")
    path = tmp_path / "gpu.pidreg" / "config.yaml"
    path.write_text(path.read_text().replace("device: auto", "device: cuda:7"))
    given = [tmp_path / "gpu.pidreg", "data.parquet", "--verify", "--format", "json"]
    refused = Ended(*given)
    assert (refused.status, refused.out) == (2, "")
    assert "'cuda:7' is not available" in refused.err
    part = Ended(*given, "--device", "cpu", "--threads", "1").selection["verification"]
    assert part == json.loads((place / "verified.json").read_text())["selection"]["verification"]


ERRORS = {
    "unknown modality": (["r.pidreg", "--cost", "mir=2"], 2, "'mir'", "mri"),
    "budget too small": (["r.pidreg", "--budget", "0.5"], 2, "the cheapest costs 1", "--budget 1"),
    "verify without table": (["r.pidreg", "--verify"], 2, "does not hold its table", "DATA --verify"),
    "table without verify": (["r.pidreg", "data.parquet"], 2, "not needed", "--verify"),
    "roles of a run": (["r.pidreg", "--modalities", "mri"], 2, "--modalities does not apply", "leave it out"),
    "seed of a run": (["r.pidreg", "--seed", "3"], 2, "--seed does not apply", "leave it out"),
    "threads of a run": (["r.pidreg", "--threads", "1"], 2, "--threads does not apply", "leave it out"),
    "group of a verification": (
        ["r.pidreg", "data.parquet", "--verify", "--group", "age"],
        2,
        "--group does not apply",
        "leave it out",
    ),
    "a run without a model": (["r.pidreg", "--no-model"], 2, "--no-model does not apply", "leave it out"),
    "no such run": (["absent.pidreg"], 4, "no run folder absent.pidreg", "pidreg fit"),
    "no such table": (["absent.parquet"], 3, "absent.parquet", ""),
    "folds without a model": (["data.parquet", "--no-model", "--folds", "3"], 2, "--folds", "leave it out"),
    "empty covariate": (
        ["data.parquet", "--no-model", "--covariates", "age,"],
        2,
        "name is empty",
        "age,sex",
    ),
    "unknown cost of a table": (["data.parquet", "--no-model", *ROLES, "--cost", "pet=1"], 2, "'pet'", "mri"),
    "unknown cost of a fit": (["data.parquet", *ROLES, "--cost", "pet=1"], 2, "pet", "mri"),
    "budget before training": (
        ["data.parquet", *ROLES, "--budget", "0.5"],
        2,
        "cheapest costs 1",
        "--budget",
    ),
    "a cost twice": (["r.pidreg", "--cost", "mri=1", "--cost", "mri=2"], 2, "twice", "one cost"),
}


@pytest.mark.parametrize("case", ERRORS)
def test_what_goes_wrong_is_said_and_leaves_stdout_empty(place: Path, case: str) -> None:
    arguments, status, message, hint = ERRORS[case]
    ended = Ended(*arguments, "--format", "json")
    assert (ended.status, ended.out) == (status, "")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert message in error["message"]
    assert hint in error["hint"]


def test_a_run_without_its_rows_cannot_be_decided_again(place: Path, tmp_path: Path) -> None:
    shutil.copytree("r.pidreg", tmp_path / "bare.pidreg")
    (tmp_path / "bare.pidreg" / "evidence.safetensors").unlink()
    ended = Ended(tmp_path / "bare.pidreg")
    assert (ended.status, ended.out) == (4, "")
    assert "--no-heldout" in ended.err


def test_another_table_verifies_nothing(place: Path, tmp_path: Path) -> None:
    pq.write_table(pa.table(columns(ROWS, seed=1)), tmp_path / "data.parquet")
    ended = Ended("r.pidreg", tmp_path / "data.parquet", "--verify")
    assert (ended.status, ended.out) == (3, "")
    assert "is not the table" in ended.err


def test_a_run_without_predictions_cannot_be_verified(place: Path, tmp_path: Path) -> None:
    shutil.copytree("r.pidreg", tmp_path / "bare.pidreg")
    (tmp_path / "bare.pidreg" / "heldout.parquet").unlink()
    ended = Ended(tmp_path / "bare.pidreg", "data.parquet", "--verify")
    assert (ended.status, ended.out) == (4, "")
    assert "select-modalities DATA --verify" in ended.err


def test_a_table_without_a_model(place: Path) -> None:
    first = Ended("data.parquet", "--no-model", *ROLES, "--format", "json").report
    chosen = first["selection"]
    assert chosen["recommended"] == ["mri", "lab"]
    assert (chosen["protocol"], chosen["rows"]) == ("features", ROWS)
    assert first["metrics"] is first["fusion"] is None
    again = Ended("data.parquet", "--no-model", *ROLES, "--format", "json").report
    assert again | {"created_at": None} == first | {"created_at": None}
    other = Ended("data.parquet", "--no-model", *ROLES, "--format", "json", "--seed", "1").report
    assert other["seed"] == 1
    assert other["selection"]["stability"] != chosen["stability"]


def test_a_copy_of_the_target_in_another_unit_is_warned_of(place: Path, tmp_path: Path) -> None:
    table = columns(400)
    table["gait__0"] = 2 * np.asarray(table["target"]) + 1
    pq.write_table(pa.table(table), tmp_path / "leak.parquet")
    found = Ended(tmp_path / "leak.parquet", "--no-model", *ROLES, "--format", "json").report["diagnostics"]
    (leaked,) = (one for one in found if one["code"] == "data.leaked_target")
    assert leaked["message"].startswith("'gait__0' of 'gait' alone determines 'target'")
    clean = Ended("data.parquet", "--no-model", *ROLES, "--format", "json").report["diagnostics"]
    assert "data.leaked_target" not in {one["code"] for one in clean}


def test_covariates_are_always_there_and_cost_nothing(place: Path) -> None:
    plain = Ended("data.parquet", "--no-model", *ROLES, "--format", "json").selection
    given = ["data.parquet", "--no-model", *ROLES, "--covariates", "age", "--budget", "3"]
    beyond = Ended(*given, "--format", "json").report
    chosen = beyond["selection"]
    assert beyond["information"]["covariates"] == ["age"]
    assert chosen["recommended"] == ["mri", "lab"]
    assert [subset["cost"] for subset in chosen["subsets"]] == [1, 1, 1, 2, 2, 2, 3]
    assert chosen["mean_rmse"] < plain["mean_rmse"]
    for with_age, without in zip(chosen["subsets"], plain["subsets"], strict=True):
        assert with_age["expected_rmse"] < without["expected_rmse"]
    assert "age alone has RMSE" in " ".join(Ended(*given).out.split())


def test_a_modality_that_tells_only_what_covariates_tell_goes(place: Path, tmp_path: Path) -> None:
    table = columns(400)
    table["gait__0"] = np.asarray(table["age"]) + np.random.default_rng(9).standard_normal(400)
    pq.write_table(pa.table(table), tmp_path / "aged.parquet")
    given = [tmp_path / "aged.parquet", "--no-model", *ROLES, "--format", "json"]
    assert Ended(*given).selection["recommended"] == ["mri", "lab", "gait"]
    assert Ended(*given, "--covariates", "age").selection["recommended"] == ["mri", "lab"]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fourteen modalities: two of them matter together only, one alone, and another is its copy."""
    rng = np.random.default_rng(0)
    values = rng.standard_normal((600, 14))
    target = values[:, 3] * values[:, 11] + values[:, 5] + 0.4 * rng.standard_normal(600)
    values[:, 8] = values[:, 5] + 0.001 * rng.standard_normal(600)
    table = {f"m{i:02d}": values[:, i] for i in range(14)} | {"target": target}
    path = tmp_path_factory.mktemp("many") / "many.parquet"
    pq.write_table(pa.table(table), path)
    return path


MANY = [part for i in range(14) for part in ("--modality", f"m{i:02d}=m{i:02d}")]


def test_beyond_twelve_a_search_finds_the_pair_and_drops_the_copy(many: Path) -> None:
    given = [many, "--no-model", "--threads", 1, *MANY, "--cost", "m05=2"]
    report = Ended(*given, "--format", "json").report
    chosen = report["selection"]
    assert chosen["recommended"] == ["m03", "m08", "m11"]
    assert chosen["search"]["method"] == "greedy"
    assert 100 < chosen["search"]["tried"] == len(chosen["subsets"]) < chosen["search"]["sets"] == 2**14 - 1
    assert report["pid"] is None
    assert len(report["information"]["values"]) == chosen["search"]["tried"]
    assert len(report["information"]["values"][-1]["modalities"]) == 14
    assert "A greedy search, forward, backward and by exchanges, tried" in " ".join(Ended(*given).out.split())


def test_beyond_twelve_too_nothing_is_told_from_noise(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    table = {f"m{i:02d}": rng.standard_normal(150) for i in range(13)} | {"target": rng.standard_normal(150)}
    pq.write_table(pa.table(table), tmp_path / "noise.parquet")
    named = [part for i in range(13) for part in ("--modality", f"m{i:02d}=m{i:02d}")]
    given = [tmp_path / "noise.parquet", "--no-model", "--threads", 1, *named]
    found = {one["code"]: one["severity"] for one in Ended(*given, "--format", "json").report["diagnostics"]}
    assert found["information.indistinguishable_from_zero"] == "warning"
    assert {"information.few_rows", "information.repaired"} <= set(found)
    assert "cannot be told from zero" in " ".join(Ended(*given).out.split())


def test_a_tolerance_does_not_go_with_one_standard_error(place: Path) -> None:
    ended = Ended("data.parquet", "--no-model", *ROLES, "--rule", "one-se", "--tolerance", "0.1")
    assert (ended.status, ended.out) == (2, "")
    assert "does not apply" in ended.err


def test_a_fit_takes_no_more_than_twelve(many: Path) -> None:
    ended = Ended(many, *MANY)
    assert (ended.status, ended.out) == (2, "")
    assert "at most 12" in ended.err
    assert "select-modalities DATA --no-model" in ended.err
