"""``pidreg check`` through the command: statuses, formats, streams, files."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pidreg_cli.decisions.requirements.judging import Verdict
from pidreg_cli.harmless import STEERING
from pidreg_cli.reports.checks.github import to_github
from pidreg_cli.reports.checks.junit import to_junit
from pidreg_cli.reports.checks.outcome import Outcome, to_json, to_text

EPOCHS = ["--set", "stage1.max_epochs=2", "--set", "stage2.max_epochs=4"]
QUICK = ["--preset", "fast", "--folds", "2", "--threads", "1", *EPOCHS]


@pytest.fixture(scope="module")
def run(tmp_path_factory, pidreg) -> Path:
    folder = tmp_path_factory.mktemp("check")
    pidreg("synth", "unique", "-o", "data.parquet", "--rows", 400, cwd=folder)
    done = pidreg("fit", "data.parquet", "-q", *QUICK, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "data.pidreg"


def report_of(run: Path) -> dict:
    return json.loads((run / "report.json").read_text())


def test_what_holds_exits_0_and_what_does_not_1(pidreg, run):
    total = report_of(run)["pid"]["summary"]["total"]
    held = pidreg("check", run, "--require", f"total >= {total - 0.01}")
    assert (held.returncode, held.stderr) == (0, "")
    assert held.stdout.startswith("holds  total >= ")
    broken = pidreg("check", run / "report.json", "--require", "total > 9", "--require", "total > 0")
    assert (broken.returncode, broken.stderr) == (1, "")
    assert [line[:5] for line in broken.stdout.splitlines()] == ["FAILS", "holds", "1 of "]


def test_a_report_comes_through_a_pipe(run):
    done = subprocess.run(
        [sys.executable, "-m", "pidreg_cli", "check", "-", "--require", "total > 0", "--format", "json"],
        input=(run / "report.json").read_bytes(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0
    found = json.loads(done.stdout)
    assert found["held"] is True
    assert found["source"] == "standard input"
    assert found["checks"][0]["value"] == report_of(run)["pid"]["summary"]["total"]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (["--require", "totl > 0"], 2, "check.unknown_name"),
        (["--require", "total => 0"], 2, "check.syntax"),
        (["--require", 'total == "x"'], 2, "check.type"),
        ([], 2, "check.nothing"),
        (["--baseline", "{run}"], 2, "check.baseline"),
        (["--require", "total > 0", "--max-drift", "1"], 2, "check.baseline"),
        (["--baseline", "{run}", "--max-drift", "-1"], 2, "usage.arguments"),
        (["--baseline", "{run}", "--max-drift", "nan"], 2, "usage.arguments"),
        (["--baseline", "nowhere.json", "--max-drift", "1"], 4, "report.missing"),
        (["--rules", "nowhere.yaml"], 2, "check.rules"),
        (["--require", "total > 0", "--use", "both"], 2, "usage.arguments"),
        (["--require", "total > 0", "-o", __file__], 2, "output.exists"),
        (["--require", "total > 0", "-o", "{run}/report.json"], 2, "output.in_run"),
        (["--require", "total > 0", "-o", "{run}"], 2, "output.is_input"),
        (["--require", "total > 0", "-o", "{run}.no/where.txt"], 6, "output.no_folder"),
    ],
)
def test_mistakes_are_told_apart(pidreg, run, arguments, status, code):
    done = pidreg("check", run, *(part.format(run=run) for part in arguments), "--format", "json")
    assert (done.returncode, done.stdout) == (status, "")
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == code
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("damage", ["{", "[]", '{"schema_version": "9.0"}', "\x00", ""])
def test_damaged_reports_exit_4(pidreg, tmp_path, damage):
    (tmp_path / "report.json").write_text(damage)
    done = pidreg("check", tmp_path, "--require", "total > 0")
    assert (done.returncode, done.stdout) == (4, "")
    assert "Traceback" not in done.stderr


def test_drift_from_a_baseline_is_checked_part_by_part(pidreg, run, tmp_path):
    old = report_of(run)
    old["pid"]["summary"]["total"] += 0.2
    (tmp_path / "old.json").write_text(json.dumps(old))
    same = pidreg("check", run, "--baseline", run, "--max-drift", "0", "--max-drift-widths", "0")
    assert same.returncode == 0, same.stdout
    assert len(same.stdout.splitlines()) == 2 * 5 + 1
    moved = pidreg("check", run, "--baseline", tmp_path / "old.json", "--max-drift", "0.1")
    assert moved.returncode == 1
    assert "FAILS  drift of total <= 0.1 bits: it moved 0.2 bits" in moved.stdout
    assert "drift of total <= 1 bit: " in pidreg("check", run, "--baseline", run, "--max-drift", 1).stdout


def test_rules_in_a_file_give_way_to_options(pidreg, run, tmp_path):
    rules = tmp_path / "rules.yaml"
    rules.write_text(
        "use: ci\nrules:\n- total >= 0\n- {require: 'metrics.test.rmse > 0', name: errs, use: value}\n"
    )
    done = pidreg("check", run, "--rules", rules, "--require", "total < 99", "--format", "json")
    assert done.returncode == 0, done.stdout
    checks = json.loads(done.stdout)["checks"]
    assert [check["title"] for check in checks] == ["total >= 0", "errs", "total < 99"]
    assert checks[0]["judged"] == checks[0]["ci"][0]
    by_value = pidreg("check", run, "--rules", rules, "--use", "value", "--format", "json")
    assert json.loads(by_value.stdout)["checks"][0]["judged"] == checks[0]["value"]


@pytest.mark.parametrize(
    "text",
    [
        "rules: total > 1",
        "- 5",
        "- {name: x}",
        "- {require: total > 1, nme: x}",
        "- total >",
        "ruls: []",
        "use: both",
        "max_drift: -1",
        "max_drift: yes",
        "baseline: 5",
        "a: b: c",
        "- {require: total > 1, use: both}",
        "just text",
    ],
)
def test_broken_rules_name_the_file(pidreg, run, tmp_path, text):
    rules = tmp_path / "rules.yaml"
    rules.write_text(text)
    done = pidreg("check", run, "--rules", rules)
    assert (done.returncode, done.stdout) == (2, "")
    assert str(rules) in done.stderr


def test_a_file_receives_the_verdicts_and_stdout_nothing(pidreg, run, tmp_path):
    out = tmp_path / "checks.xml"
    arguments = ["check", run, "--require", "total > 99", "--format", "junit", "-o", out]
    done = pidreg(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    suite = ElementTree.parse(out).getroot()[0]  # noqa: S314
    assert suite.attrib["failures"] == "1"
    assert pidreg(*arguments).returncode == 2
    assert pidreg(*arguments, "--force").returncode == 1


TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


@given(TEXTS, TEXTS, TEXTS, st.booleans())
@settings(max_examples=200)
def test_hostile_names_stay_within_every_format(title, requirement, source, held):
    reason = "" if held else "because\nof % this"
    verdict = Verdict("requirement", title, requirement, 0.5, (0.4, 0.6), 0.5, held, reason)
    outcome = Outcome(source, "y\r\n::error::z", (verdict,))
    assert json.loads(to_json(outcome))["checks"][0]["title"] == title
    case = ElementTree.fromstring(to_junit(outcome))[0][0]  # noqa: S314
    assert len(case) == 1
    assert not any(STEERING.search(text.replace("\n", "")) for text in (to_json(outcome), to_junit(outcome)))
    assert to_text(outcome).count("\n") == 2
    assert not STEERING.search(to_text(outcome).replace("\n", ""))
    assert not STEERING.search(to_github(outcome).replace("\n", ""))
    lines = to_github(outcome).rstrip("\n").split("\n")
    assert len(lines) == 2 - held
    assert all(line.startswith(("::error title=", "::notice title=")) for line in lines)
    assert all("\r" not in line for line in lines)


def test_names_of_a_strangers_report_neither_steer_the_log_nor_begin_a_line_of_it(pidreg, run, tmp_path):
    content = (run / "report.json").read_text()
    name = json.loads(content)["modalities"][0]["name"]
    hostile = "a\x1b[31m\n::error::pwn\u202e"
    named = tmp_path / "named.json"
    named.write_text(content.replace(json.dumps(name), json.dumps(hostile)))
    for arguments, status in (
        (("--baseline", named, "--max-drift", "1"), 0),
        (("--baseline", run, "--max-drift", "1"), 2),
    ):
        done = pidreg("check", named, *arguments)
        assert done.returncode == status
        lines = (done.stdout + done.stderr).split("\n")
        assert any("pwn" in line for line in lines)
        assert not any(line.startswith("::") or STEERING.search(line) for line in lines)


def test_what_is_compared_with_is_not_overwritten(pidreg, run, tmp_path):
    old, rules = tmp_path / "old.json", tmp_path / "rules.yaml"
    old.write_text((run / "report.json").read_text())
    rules.write_text(f"rules: ['total >= 0']\nbaseline: {old}\nmax_drift: 1\n")
    before = old.read_text(), rules.read_text()
    for arguments in (
        ("--baseline", old, "--max-drift", "1", "-o", old),
        ("--rules", rules, "-o", rules),
        ("--rules", rules, "-o", old),
    ):
        done = pidreg("check", run, *arguments, "--force")
        assert done.returncode == 2
        assert "is an input" in done.stderr
    assert (old.read_text(), rules.read_text()) == before
