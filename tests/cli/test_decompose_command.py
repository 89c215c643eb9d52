"""``pidreg decompose`` as a user types it: of a run, of new rows, of a table; what goes wrong and how it ends."""

from __future__ import annotations

import io
import json
import math
import re
import shutil
from pathlib import Path

import jsonschema
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.cli.app import main
from pidreg_cli.cli.console import Console
from pidreg_cli.reports.serialise import report_schema
from tests.cli import in_process

ROWS = 200


def columns(rows: int, seed: int) -> dict[str, object]:
    rng = np.random.default_rng(seed)
    a, b, c, noise = rng.standard_normal((4, rows))
    return {
        "who": [f"p{i:04d}" for i in range(rows)],
        "ward": np.arange(rows) // 2,
        "age": rng.uniform(20, 90, rows),
        "site": np.array(["north", "south", "east"])[rng.integers(0, 3, rows)],
        "mri__0": a,
        "mri__1": rng.standard_normal(rows),
        "lab__0": b,
        "gait__0": c,
        "target": a + 0.6 * b + 0.5 * noise,
    }


class Ended(in_process.Ended):
    """``pidreg decompose`` that ran within this process."""

    def __init__(self, *arguments: object) -> None:
        super().__init__("decompose", *arguments)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table, later rows, and a run of the table."""
    folder = tmp_path_factory.mktemp("decompose")
    pq.write_table(pa.table(columns(ROWS, 0)), folder / "data.parquet")
    pq.write_table(pa.table(columns(300, 1) | {"extra": np.arange(300)}), folder / "later.parquet")
    (folder / "tiny.yaml").write_text(in_process.TINY)
    console = Console(io.StringIO(), io.StringIO())
    fitted = ["fit", folder / "data.parquet", "--config", folder / "tiny.yaml", "-o", folder / "run"]
    roles = ["--modalities", "mri,lab,gait", "--id", "who", "--group", "ward", "-q"]
    assert main([str(one) for one in (*fitted, *roles)], console) == 0, console.stderr.getvalue()
    return folder


@pytest.fixture
def place(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with these files, to be spoilt freely."""
    for path in made.iterdir():
        shutil.copytree(path, tmp_path / path.name) if path.is_dir() else shutil.copy(path, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


NO_MODEL = ("data.parquet", "--no-model", "--modalities", "mri,lab,gait", "--id", "who")


def moved(place: Path, add: float) -> Path:
    later = pq.read_table(place / "later.parquet")
    at = later.schema.get_field_index("target")
    path = place / f"moved{add:g}.parquet"
    pq.write_table(later.set_column(at, "target", [later["target"].to_numpy() + add]), path)
    return path


def test_targets_beyond_those_of_the_fit_are_warned_of_or_refused(place: Path) -> None:
    def codes(add: float) -> dict[str, str]:
        report = Ended("run", moved(place, add), "--format", "json").report
        return {one["code"]: one["message"] for one in report["diagnostics"]}

    assert "data.target_outside" not in codes(0.0)
    assert "beyond the range of the training rows" in codes(2.0)["data.target_outside"]
    for command, more in (("decompose", ()), ("select-modalities", ("--covariates", "age"))):
        ended = in_process.Ended(command, "run", moved(place, 1000.0), *more)
        assert (ended.status, ended.out) == (3, "")
        assert re.search(r"beyond the range of the training rows.*\n.*unit", ended.err)


def test_the_measure_is_by_default_that_of_the_run(place: Path) -> None:
    config = place / "run" / "config.yaml"
    config.write_text(config.read_text().replace("measure: broja", "measure: ig"))
    for more, measure in (((), "ig"), (("later.parquet",), "ig"), (("--measure", "dep"), "dep")):
        report = Ended("run", *more, "--format", "json").report
        assert report["one_versus_rest"][0]["measure"] == measure


def test_a_run_says_exactly_what_its_fit_said(place: Path) -> None:
    found = Ended("run", "--format", "json").report
    fitted = json.loads((place / "run" / "report.json").read_text())
    differing = {key for key in fitted if found[key] != fitted[key]}
    assert differing <= {"command", "created_at", "selection"}
    assert found["command"] == "decompose"
    assert found["selection"] is None


def test_the_report_keeps_to_the_schema_and_comes_in_every_format(place: Path) -> None:
    jsonschema.validate(Ended("run", "--format", "json", "--measure", "ig").report, report_schema())
    jsonschema.validate(Ended(*NO_MODEL, "--format", "json", "--units", "nats").report, report_schema())
    assert Ended("run", "--format", "markdown").out.startswith("# What mri, lab and gait tell about target")
    assert Ended("run").out.startswith("What mri, lab and gait tell about target\n===")


@pytest.mark.parametrize("measure", ["broja", "mmi", "dep", "ig", "ccs"])
def test_every_measure_is_the_headline_when_asked(place: Path, measure: str) -> None:
    report = Ended("run", "--measure", measure, "--format", "json").report
    assert {row["measure"] for row in report["one_versus_rest"]} == {measure}
    others = [one["measure"] for one in report["sensitivity"]]
    assert others == [one for one in ("broja", "mmi", "dep", "ig") if one != measure]
    codes = {one["code"] for one in report["diagnostics"]}
    if measure in ("broja", "mmi"):
        assert report["pid"]["measure"] == measure
    else:
        assert report["pid"] is None
        assert "information.two_sources_only" in codes
    assert ("information.drawn" in codes) == (measure == "ccs")
    total = report["information"]["values"][-1]["value"]
    for row in report["one_versus_rest"]:
        parts = (row["unique"], row["unique_rest"], row["redundant"], row["synergistic"])
        assert sum(parts) == pytest.approx(total)


@pytest.mark.parametrize("measure", ["dep", "ig", "ccs"])
def test_two_modalities_are_decomposed_by_any_measure(place: Path, measure: str) -> None:
    two = ("data.parquet", "--no-model", "--modalities", "mri,lab", "--measure", measure)
    pid = Ended(*two, "--format", "json").report["pid"]
    assert pid["measure"] == measure
    assert sum(atom["value"] for atom in pid["atoms"]) == pytest.approx(pid["summary"]["total"])
    # No interval is claimed for parts whose jackknife would not hold its coverage.
    assert pid["summary_ci"]["redundant"] is None
    assert pid["summary_ci"]["total"] is not None


def test_confidence_units_and_interactions_are_followed(place: Path) -> None:
    wide = Ended("run", "--ci", "0.99", "--format", "json").report["information"]
    narrow = Ended("run", "--ci", "0.5", "--format", "json").report["information"]
    spans = [one["values"][-1]["ci"] for one in (wide, narrow)]
    assert spans[0][1] - spans[0][0] > spans[1][1] - spans[1][0]
    assert (wide["confidence"], narrow["confidence"]) == (0.99, 0.5)
    nats = Ended("run", "--units", "nats", "--format", "json").report["information"]
    assert nats["units"] == "nats"
    assert nats["values"][-1]["value"] == pytest.approx(wide["values"][-1]["value"] * math.log(2))
    assert " bits" not in Ended("run", "--units", "nats").out
    plain = Ended("run", "--interactions", "none", "--format", "json").report["information"]
    assert plain["interactions"] == "none"
    assert plain["values"][-1]["value"] != wide["values"][-1]["value"]


def test_the_covariance_estimates_of_a_run(place: Path) -> None:
    asked = ("run", "--interactions", "none", "--format", "json", "--estimator")
    for estimator in ("debiased", "plugin"):
        information = Ended(*asked, estimator).report["information"]
        assert (information["estimator"], information["interval_of"]) == (estimator, "information")
    debiased, plugin = (
        Ended(*asked, one).report["information"]["values"][-1] for one in ("debiased", "plugin")
    )
    assert debiased["value"] < plugin["value"]
    assert debiased["value_raw"] == debiased["debiased"]


def test_a_plug_in_estimate_that_is_too_high_says_so_and_predicts_nothing(place: Path) -> None:
    plain = ("--interactions", "none", "--estimator", "plugin")
    for inputs, each in ((("run",), True), (("run", "later.parquet"), False), (NO_MODEL, False)):
        ended = Ended(*inputs, *plain, "--format", "json")
        found = [d for d in ended.report["diagnostics"] if d["code"] == "information.plugin"]
        if inputs == NO_MODEL:  # four features on 200 rows: by less than a fiftieth of a bit
            assert found == []
            assert "can be predicted" in " ".join(Ended(*inputs, *plain).out.split())
            continue
        (warned,) = found
        assert warned["severity"] == "warning"
        assert warned["value"] > 0.02
        assert f"too high by about {warned['value']:.2f} bits" in warned["message"]
        assert ("rows of each model" in warned["message"]) == each
        text = " ".join(Ended(*inputs, *plain).out.split())
        assert "too high with so few rows" in text
        assert "can be predicted" not in text
        assert "lower bounds" not in text
        nats = Ended(*inputs, *plain, "--units", "nats", "--format", "json").report["diagnostics"]
        values = [d["value"] for d in nats if d["code"] == "information.plugin"]
        assert values == pytest.approx([warned["value"] * math.log(2)])
    codes = {d["code"] for d in Ended("run", "--format", "json").report["diagnostics"]}
    assert "information.plugin" not in codes


def test_too_few_rows_for_an_estimate_are_told_with_what_it_needs_and_what_helps(place: Path) -> None:
    """100 held-out rows of each of two models: codes alone are 79 features, with products 223."""
    wide = ("--config", "tiny.yaml", "--set", "network.code_dim=24", "-o", "wide", "-q")
    roles = ("--modalities", "mri,lab,gait", "--id", "who", "--group", "ward")
    assert in_process.Ended("fit", "data.parquet", *wide, *roles).status == 0

    def refused(*asked: str) -> tuple[str, str]:
        ended = Ended("wide", *asked, "--format", "json")
        error = json.loads(ended.err.splitlines()[-1])["error"]
        assert (ended.status, error["code"]) == (3, "information.too_few_rows")
        return error["message"], error["hint"]

    message, hint = refused("--estimator", "plugin")
    assert re.fullmatch(
        r"The plug-in estimate needs (\d+) held-out rows of each of the 2 models, for 2\d\d features of the readout "
        r"of all modalities; the smallest has 100\.",
        message,
    )
    assert "--interactions none" in hint
    assert Ended("wide", "--estimator", "plugin", "--interactions", "none").status == 0
    for asked in ((), ("--interactions", "none")):
        message, hint = refused("--estimator", "debiased", *asked)
        assert "The debiased estimate needs" in message
        assert "--estimator heldout" in hint
        assert "--interactions" not in hint


def test_new_rows_are_read_by_the_model(place: Path) -> None:
    ended = Ended("run", "later.parquet", "--group", "ward", "--format", "json")
    report = ended.report
    assert report["information"]["protocol"] == "new-data"
    assert report["information"]["rows"] == report["metrics"]["test"]["n"] == 300
    assert report["data"]["files"] == ["later.parquet"]
    assert report["fusion"] is None
    from pidreg_cli import load_model

    model = load_model("run")
    frame = pd.read_parquet("later.parquet")
    error = frame["target"] - model.predict(frame)
    assert report["metrics"]["test"]["rmse"] == pytest.approx(float(np.sqrt(np.mean(error**2))), rel=1e-6)
    text = Ended("run", "later.parquet")
    assert "the 300 labelled rows given after the fit" in " ".join(text.out.split())
    assert "300 new rows" in text.out


def test_rows_that_trained_the_model_are_no_news(place: Path) -> None:
    def codes(data: str) -> set[str]:
        report = Ended("run", data, "--group", "ward", "--format", "json").report
        return {found["code"] for found in report["diagnostics"]}

    assert "data.fitted_rows" in codes("data.parquet")
    assert "data.fitted_rows" not in codes("later.parquet")
    assert "pidreg decompose run" in Ended("run", "data.parquet").out


def test_new_rows_say_what_readouts_of_all_rows_at_once_say(place: Path) -> None:
    """One pass by batches against the readouts of the fit, on the same folds."""
    from pidreg_cli.config.loading import parse_settings
    from pidreg_cli.data.frames import as_frame, frame_arrays
    from pidreg_cli.data.tables import open_table
    from pidreg_cli.data.targets import see_target
    from pidreg_cli.decomposing.streamed import LabelledTable
    from pidreg_cli.information.intervals import jackknife_of_errors
    from pidreg_cli.information.readouts import (
        cross_fitted_predictions,
        squared_errors,
        subset_informations,
        training_influences,
    )
    from pidreg_cli.model_files import read_model
    from pidreg_cli.training.device import resolve_device
    from pidreg_cli.training.evaluation import ReadoutRows

    found = Ended("run", "later.parquet", "--format", "json").report["information"]
    settings = parse_settings(Path("run/config.yaml").read_text(), "config.yaml")
    model, roles = read_model(Path("run"), resolve_device("cpu"))
    frame = pd.read_parquet("later.parquet")
    arrays = frame_arrays(as_frame(frame), dict(roles.modalities), frame["target"].to_numpy())
    rows = ReadoutRows.of(model, arrays, np.arange(300), settings)
    table = open_table(["later.parquet"])
    wards = frame["ward"].to_numpy()
    seen = see_target(table, "target")
    dealt = LabelledTable.of(table, seen, model.transforms.target, wards, settings.seed, threads=1)
    fitted = cross_fitted_predictions(
        rows.blocks, rows.targets[:, 0], dealt.folds[dealt.groups], range(1, 8), influences=True
    )
    errors = squared_errors(rows.targets[:, 0], fitted, 3)
    raw = subset_informations(errors)
    assert found["values"][-1]["value_raw"] == pytest.approx(raw[7], abs=1e-6)
    spans = jackknife_of_errors(errors, dealt.groups, training_influences(fitted)).interval(7, 0, 0.95)
    if found["interval_of"] == "readout":
        assert found["values"][-1]["ci"] == pytest.approx(spans.tolist(), abs=1e-5)


@pytest.mark.parametrize("kind", ["run", "later", "table"])
@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_are_written_and_average_to_the_report(place: Path, kind: str, suffix: str) -> None:
    inputs = {"run": ("run",), "later": ("run", "later.parquet"), "table": NO_MODEL}[kind]
    ended = Ended(*inputs, "--per-row", f"rows.{suffix}", "--format", "json")
    values = {"+".join(v["modalities"]): v["value"] for v in ended.report["information"]["values"]}
    frame = pd.read_csv("rows.csv") if suffix == "csv" else pd.read_parquet("rows.parquet")
    source = "later.parquet" if kind == "later" else "data.parquet"
    table = pd.read_parquet(source)
    assert frame["id"].tolist() == table["who"].tolist()
    assert frame["y"].to_numpy() == pytest.approx(table["target"].to_numpy())
    for name in ("mri", "lab", "gait"):
        assert frame[f"information.{name}"].mean() == pytest.approx(values[name], abs=1e-9)
    assert frame["information.total"].mean() == pytest.approx(values["mri+lab+gait"], abs=1e-9)
    assert f"note: wrote rows.{suffix}" in ended.err


def test_rows_of_other_measures_have_no_atoms(place: Path) -> None:
    assert Ended("run", "--per-row", "rows.csv", "--measure", "ig", "-q").status == 0
    assert not any(name.startswith("atom.") for name in pd.read_csv("rows.csv").columns)


def test_covariates_may_have_commas_in_their_names(place: Path) -> None:
    table = pq.read_table("data.parquet")
    names = ["my lab.b,c" if name == "age" else name for name in table.column_names]
    pq.write_table(table.rename_columns(names), "comma.parquet")
    comma = ("comma.parquet", *NO_MODEL[1:], "--format", "json", "--covariates", '"my lab.b,c",site')
    assert Ended(*comma).report["information"]["covariates"] == ["my lab.b,c", "site"]


def test_covariates_of_new_rows_and_of_a_table(place: Path) -> None:
    for inputs in (("run", "later.parquet"), NO_MODEL):
        report = Ended(*inputs, "--covariates", "age,site", "--format", "json").report
        assert report["information"]["covariates"] == ["age", "site"]
        assert report["information"]["covariate_information"] < 0.1
    text = Ended(*NO_MODEL, "--covariates", "age, site").out
    assert text.startswith("What mri, lab and gait tell about target beyond age and site\n")
    assert "the variance that age and site leave" in " ".join(text.split())


def test_a_report_goes_to_a_file_and_then_not_to_stdout(place: Path) -> None:
    ended = Ended(*NO_MODEL, "-o", "out.json", "--format", "json")
    assert (ended.status, ended.out) == (0, "")
    assert json.loads(Path("out.json").read_text())["command"] == "decompose"
    assert Ended(*NO_MODEL, "-o", "out.json").status == 2
    assert Ended(*NO_MODEL, "-o", "out.json", "--format", "text", "--force").status == 0
    assert Path("out.json").read_text().startswith("What mri")
    assert list(place.glob(".out*")) == []


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("out.json", '{\n  "schema_version"'),
        ("OUT.JSON", '{\n  "schema_version"'),
        ("out.md", "# What mri"),
        ("out.markdown", "# What mri"),
        ("out.txt", "What mri"),
        ("out.report", "What mri"),
        ("out", "What mri"),
    ],
)
def test_the_suffix_chooses_the_format_that_is_not_given(place: Path, name: str, start: str) -> None:
    ended = Ended("run", "-o", name)
    assert (ended.status, ended.out) == (0, "")
    assert Path(name).read_text().startswith(start)


def test_a_suffix_that_promises_another_format_is_refused_unless_one_is_given(place: Path) -> None:
    for name, remedy in (("out.html", "write out.json, "), ("out.csv", "add --format"), ("out.json.gz", "")):
        ended = Ended("run", "-o", name)
        assert (ended.status, ended.out) == (2, "")
        assert f"error: -o {name}: without --format" in ended.err
        assert f"hint: {remedy}" in ended.err
        assert not Path(name).exists()
    assert Ended("run", "-o", "out.html", "--format", "markdown").status == 0
    assert Path("out.html").read_text().startswith("# What mri")


def test_equal_commands_give_equal_bytes(place: Path) -> None:
    for inputs in (("run", "later.parquet"), NO_MODEL):
        first, again = (Ended(*inputs, "--format", "json", "--threads", "1").report for _ in "ab")
        assert {**first, "created_at": 0} == {**again, "created_at": 0}
        other = Ended(*inputs, "--format", "json", "--seed", "3").report
        assert other["seed"] == 3
        assert other["information"]["values"] != first["information"]["values"]


REFUSALS: dict[str, tuple[tuple[str, ...], int, str, str]] = {
    "unknown measure": (
        ("run", "--measure", "mib"),
        2,
        "usage.arguments",
        "'broja', 'mmi', 'dep', 'ig', 'ccs'",
    ),
    "confidence": (("run", "--ci", "1"), 2, "usage.ci", "between 0 and 1"),
    "no run": (("runn",), 4, "run.missing", "runn"),
    "a table": (("data.parquet",), 4, "run.not_a_run", "data.parquet"),
    "a run without model": (("run", "--no-model"), 2, "usage.no_model", "run"),
    "roles of a run": (("run", "later.parquet", "--target", "age"), 2, "usage.option", "--target"),
    "group of nothing": (("run", "--group", "ward"), 2, "usage.option", "--group"),
    "covariates of nothing": (("run", "--covariates", "age"), 2, "usage.option", "--covariates"),
    "empty covariate": ((*NO_MODEL, "--covariates", "age,,site"), 2, "usage.covariates", "empty"),
    "covariate of the model": (
        ("run", "later.parquet", "--covariates", "lab__0"),
        2,
        "usage.covariates",
        "lab",
    ),
    "every column": ((*NO_MODEL, "--covariates", "lab__0"), 2, "usage.covariates", "lab"),
    "unknown covariate": ((*NO_MODEL, "--covariates", "agee"), 3, "data.unknown_column", "agee"),
    "absent rows": (("run", "gone.parquet"), 3, "data.missing_input", "gone.parquet"),
    "rows without target": (("run", "bare.parquet"), 3, "data.missing_target", "'target'"),
    "rows without features": (("run", "thin.parquet"), 3, "data.missing_features", "gait__0"),
    "device without model": ((*NO_MODEL, "--device", "cpu"), 2, "usage.option", "--device"),
    "device that is not there": (("run", "later.parquet", "--device", "cuda:9"), 2, "usage.device", "cuda:9"),
    "no device": (("run", "later.parquet", "--device", "gpu"), 2, "usage.arguments", "'gpu' is no device"),
    "no threads": ((*NO_MODEL, "--threads", "0"), 2, "usage.arguments", "at least 1"),
    "rows by suffix": (("run", "--per-row", "rows.txt"), 2, "usage.per_row", ".parquet or .csv"),
    "rows of plugin": (("run", "--per-row", "r.csv", "--estimator", "plugin"), 2, "usage.per_row", "plugin"),
    "outputs alike": (("run", "--per-row", "r.csv", "-o", "./r.csv"), 2, "output.twice", "r.csv"),
    "output is input": ((*NO_MODEL, "-o", "data.parquet", "--force"), 2, "output.is_input", "data.parquet"),
    "existing rows": (("run", "--per-row", "old.csv"), 2, "output.exists", "old.csv"),
    "output a folder": (("run", "-o", "run", "--force"), 2, "output.is_input", "run"),
    "no folder": (("run", "-o", "gone/out.json"), 6, "output.no_folder", "gone"),
}


@pytest.mark.parametrize("case", REFUSALS)
def test_what_goes_wrong_is_said(place: Path, case: str) -> None:
    arguments, status, code, part = REFUSALS[case]
    Path("old.csv").write_text("old")
    later = pq.read_table("later.parquet")
    pq.write_table(later.drop_columns(["target"]), "bare.parquet")
    pq.write_table(later.drop_columns(["gait__0"]), "thin.parquet")
    before = sorted(place.rglob("*"))
    ended = Ended(*arguments, "--format", "json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, error["code"], ended.out) == (status, code, "")
    assert part in error["message"]
    assert error["hint"]
    assert sorted(place.rglob("*")) == before
    assert Path("old.csv").read_text() == "old"


DAMAGES: dict[str, tuple[str, bytes | None, str]] = {
    "evidence gone": ("evidence.safetensors", None, "run.no_evidence"),
    "evidence cut": ("evidence.safetensors", b"short", "run.evidence"),
    "report gone": ("report.json", None, "run.unreadable"),
    "report cut": ("report.json", b'{"schema_version": "1.0"', "report.malformed"),
    "settings cut": ("config.yaml", b"preset: [", "run.config"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_run_is_told(place: Path, damage: str) -> None:
    name, content, code = DAMAGES[damage]
    path = place / "run" / name
    path.unlink() if content is None else path.write_bytes(content)
    ended = Ended("run", "--format", "json")
    error = json.loads(ended.err.splitlines()[-1])["error"]
    assert (ended.status, error["code"], ended.out) == (4, code, "")
    assert name in error["message"]


def test_a_run_without_its_rows_can_read_new_ones(place: Path) -> None:
    (place / "run" / "evidence.safetensors").unlink()
    (place / "run" / "heldout.parquet").unlink()
    assert Ended("run", "later.parquet", "-q").status == 0


def test_ids_that_are_not_kept_are_row_numbers(place: Path) -> None:
    (place / "run" / "heldout.parquet").unlink()
    assert Ended("run", "--per-row", "rows.csv", "-q").status == 0
    assert pd.read_csv("rows.csv")["id"].tolist() == list(range(ROWS))


def test_a_damaged_model_cannot_read_new_rows(place: Path) -> None:
    (place / "run" / "model.safetensors").write_bytes(b"short")
    ended = Ended("run", "later.parquet")
    assert (ended.status, ended.out) == (4, "")
    assert Ended("run", "-q").status == 0


def test_quiet_says_nothing_and_verbose_names_the_passes(place: Path) -> None:
    quiet = Ended(*NO_MODEL, "-q")
    assert (quiet.status, quiet.out, quiet.err) == (0, "", "")
    assert "reading rows: 200 rows" in Ended(*NO_MODEL, "-v").err


def test_rows_that_cannot_be_written_leave_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    ended = Ended("run", "--per-row", "rows.parquet", "-o", "out.txt")
    assert (ended.status, ended.out) == (6, "")
    assert "rows.parquet" in ended.err
    assert sorted(path.name for path in place.iterdir()) == [
        "data.parquet",
        "later.parquet",
        "run",
        "tiny.yaml",
    ]
