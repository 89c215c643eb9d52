"""What docs/check.md shows is what the command does."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
import yaml

from pidreg_cli.decisions.requirements.rules import read_rules
from tests.docs.commands import install, run

PAGE = (Path(__file__).parents[2] / "docs" / "check.md").read_text(encoding="utf-8")


def block(kind: str, holding: str) -> str:
    return next(text for text in re.findall(rf"```{kind}\n(.*?)```", PAGE, re.DOTALL) if holding in text)


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, a quick run of it, its report as baseline, the rules, and ``pidreg`` on the path."""
    folder = tmp_path_factory.mktemp("check")
    install(folder)
    (folder / "rules.yaml").write_text(block("yaml", "baseline:"))
    run(folder, "pidreg synth unique -o data.parquet --rows 400")
    quick = "--preset fast --folds 2 --threads 1 --set stage1.max_epochs=2 --set stage2.max_epochs=4"
    assert run(folder, f"pidreg fit data.parquet -q {quick}").returncode == 0
    for name in ("report.json", "baseline.json"):
        shutil.copy(folder / "data.pidreg" / "report.json", folder / name)
    return folder


def test_the_rules_shown_are_rules(tmp_path: Path) -> None:
    file = tmp_path / "rules.yaml"
    file.write_text(block("yaml", "baseline:"))
    rules = read_rules(file)
    assert (rules.use, rules.max_drift, len(rules.rules)) == ("ci", 0.3, 3)
    assert rules.baseline == tmp_path / "baseline.json"


def test_the_hook_lets_good_reports_pass_and_stops_others(workplace: Path) -> None:
    hook = block("bash", "pre-commit")
    passed = run(workplace, hook)
    assert (passed.returncode, passed.stdout) == (0, ""), passed.stderr
    report, baseline = workplace / "report.json", workplace / "baseline.json"
    kept = report.read_text()
    moved = json.loads(kept)
    moved["pid"]["summary"]["total"] += 1
    changes = {
        1: lambda: baseline.write_text(json.dumps(moved)),
        2: lambda: report.write_text(kept.replace('"target": "target"', '"target": "other"')),
        4: lambda: report.write_text(kept[:100]),
    }
    for status, change in changes.items():
        change()
        try:
            stopped = run(workplace, hook)
        finally:
            report.write_text(kept)
            baseline.write_text(kept)
        assert (stopped.returncode, stopped.stdout) == (status, "")
        assert ("accepts the change" in stopped.stderr) == (status == 1)
        assert ("drift of total" in stopped.stderr) == (status == 1)


@pytest.mark.slow
def test_the_steps_of_the_workflow_run(workplace: Path) -> None:
    workflow = yaml.safe_load(block("yaml", "runs-on"))
    steps = [step["run"] for step in workflow["jobs"]["modalities"]["steps"] if "run" in step]
    assert len(steps) == 3
    for step in steps[1:]:
        done = run(workplace, step)
        assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("::notice")
