"""Contract, section "Command line". What starts a process of its own is in tests/cli/test_program.py: no heavy imports
and under 0.4 s for help and usage errors, both ways to start, signals, closed pipes, full disks, escape codes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from tests.contract.conftest import Fitted, Run, table

CLOCK = re.compile(r"\d{4}-\d\d-\d\dT[\d:]+Z")
COMMANDS = (
    *("prepare", "fit", "decompose", "select-modalities", "predict", "check", "report", "synth", "schema"),
)


def test_the_commands(run: Run) -> None:
    """The nine commands, each with -h and --help; --version."""
    listed = run("--help").out.partition("Commands:\n")[2].splitlines()
    assert [line.split()[0] for line in listed] == list(COMMANDS)
    assert all(run(command, "-h").out.startswith("Usage: pidreg") for command in COMMANDS)
    assert run("--version").out.startswith("pidreg ")


def test_the_line_that_must_simply_work(fitted: Fitted) -> None:
    """A table and its modalities are enough: the target is ``target``, the run ``<stem>.pidreg`` in this folder."""
    assert fitted.report["data"]["target"] == "target"
    assert fitted.folder.is_dir()


def test_without_a_target_numeric_candidates_are_listed(run: Run, place: Path) -> None:
    """No target: exit 3 with the columns that could be one."""
    pq.write_table(
        table().rename_columns(["a__0", "a__1", "b__0", "b__1", "outcome", "id"]), place / "x.parquet"
    )
    ended = run("fit", "x.parquet", "--modalities", "a,b")
    assert ended.status == 3
    assert "outcome" in ended.err


def test_without_modalities_prefixes_count_and_are_printed(run: Run, place: Path) -> None:
    """Columns ``NAME__feature`` name the modalities where nothing else does."""
    ended = run("fit", "data.parquet", "--config", "tiny.yaml")
    assert ended.status == 0, ended.err
    assert [line for line in ended.err.splitlines() if "a" in line and "b" in line and "note" in line]
    report = json.loads((place / "data.pidreg" / "report.json").read_text())
    assert [one["name"] for one in report["modalities"]] == ["a", "b"]


def test_without_modalities_and_prefixes_it_is_a_usage_error(run: Run, place: Path) -> None:
    """Nothing names the modalities: exit 2."""
    pq.write_table(table().rename_columns(["p", "q", "r", "s", "target", "id"]), place / "x.parquet")
    assert run("fit", "x.parquet").status == 2


def test_stdout_has_the_result_alone(fitted: Fitted) -> None:
    """The report as text on stdout, everything else on stderr, no escape codes."""
    assert "bits" in fitted.result.out
    assert "note:" not in fitted.result.out
    assert "wrote data.pidreg" in fitted.result.err
    assert "\x1b" not in fitted.result.out + fitted.result.err


@pytest.mark.parametrize("command", ["decompose", "select-modalities"])
def test_stdout_is_empty_where_a_file_receives_the_result(
    fitted: Fitted, run: Run, place: Path, command: str
) -> None:
    """``-o FILE`` leaves stdout empty."""
    ended = run(command, fitted.folder, "-o", "out.md", "--format", "markdown")
    assert (ended.status, ended.out) == (0, ""), ended.err
    assert (place / "out.md").read_text().startswith("#")


FORMATS = {
    "decompose": ["text", "json", "markdown"],
    "select-modalities": ["text", "json", "markdown"],
    "report": ["html", "markdown", "text", "json"],
}


@pytest.mark.parametrize(("command", "kind"), [(c, k) for c, kinds in FORMATS.items() for k in kinds])
def test_formats(fitted: Fitted, run: Run, command: str, kind: str) -> None:
    """The formats of each command; text where none is asked for."""
    ended = run(command, fitted.folder, "--format", kind)
    starts = {"json": "{", "html": "<!doctype html>", "markdown": "#"}
    assert ended.status == 0, ended.err
    assert ended.out.lower().startswith(starts.get(kind, ""))
    if kind == "text":
        assert CLOCK.sub("", run(command, fitted.folder).out) == CLOCK.sub("", ended.out)


@pytest.mark.parametrize("kind", ["text", "json", "github", "junit"])
def test_formats_of_check(fitted: Fitted, run: Run, kind: str) -> None:
    """``check`` speaks to people, scripts, GitHub and JUnit."""
    ended = run("check", fitted.folder, "--require", "total >= -1", "--format", kind)
    marks = {"json": "{", "github": "::notice", "junit": "<?xml", "text": "total >= -1"}
    assert ended.status == 0, ended.err
    assert marks[kind] in ended.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("fit", "data.parquet", "-o", "there"),
        ("decompose", "{run}", "-o", "there"),
        ("select-modalities", "{run}", "-o", "there"),
        ("predict", "{run}", "data.parquet", "-o", "there.csv"),
        ("prepare", "data.parquet", "-o", "there.parquet"),
        ("synth", "null", "-o", "there.parquet", "--rows", "50"),
        ("report", "{run}", "-o", "there.html"),
        ("check", "{run}", "--require", "total >= 0", "-o", "there.txt"),
    ],
)
def test_existing_outputs_are_refused(
    fitted: Fitted, run: Run, place: Path, arguments: tuple[str, ...]
) -> None:
    """Exit 2 for what exists, which stays as it was; nothing else is written."""
    filled = [argument.format(run=fitted.folder) for argument in arguments]
    output = place / filled[filled.index("-o") + 1]
    output.write_text("mine")
    before = sorted(place.iterdir())
    ended = run(*filled)
    assert (ended.status, ended.out) == (2, ""), ended.err
    assert "--force" in ended.err
    assert output.read_text() == "mine"
    assert sorted(place.iterdir()) == before


def test_a_configuration_is_overridden_by_set_and_set_by_options(run: Run, place: Path) -> None:
    """``--config``, then ``--set``, then options; the resolved one is saved and reproduces the run."""
    (place / "c.yaml").write_text((place / "tiny.yaml").read_text() + "seed: 1\n")
    given = ("--set", "seed=2", "--set", "selection.tolerance=0.05", "--seed", "3")
    ended = run(
        "fit", "data.parquet", "--modalities", "a,b", "--config", "c.yaml", *given, "--format", "json"
    )
    assert ended.status == 0, ended.err
    first = json.loads(ended.out)
    assert (first["seed"], first["selection"]["tolerance"]) == (3, 0.05)
    again = run(
        "fit", "data.parquet", "--config", "data.pidreg/config.yaml", "-o", "again", "--format", "json"
    )
    assert {**json.loads(again.out), "created_at": ""} == {**first, "created_at": ""}
    for name in ("model.safetensors", "model.json", "heldout.parquet", "config.yaml"):
        assert (place / "again" / name).read_bytes() == (place / "data.pidreg" / name).read_bytes()


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("stage1: {max_epoch: 3}", ["stage1.max_epoch", "3", "max_epochs"]),
        ("seed: 1\nseed: 2", ["seed", "twice"]),
        ("stage1: {max_epochs: many}", ["stage1.max_epochs", "many", "whole number"]),
    ],
)
def test_wrong_configurations_name_key_value_and_rule(
    run: Run, place: Path, text: str, parts: list[str]
) -> None:
    """Unknown keys, duplicate keys and wrong types: exit 2."""
    (place / "c.yaml").write_text(text)
    ended = run("fit", "data.parquet", "--config", "c.yaml")
    assert ended.status == 2
    assert all(part in ended.err for part in parts)


ERRORS: dict[str, tuple[int, tuple[str, ...]]] = {
    "usage": (2, ("fit", "data.parquet", "--folds", "few")),
    "configuration": (2, ("fit", "data.parquet", "--set", "nonsense=1")),
    "data": (3, ("fit", "absent.parquet")),
    "no such column": (3, ("fit", "data.parquet", "--modalities", "a,c")),
    "run folder": (4, ("decompose", "absent.pidreg")),
    "model": (4, ("predict", "{broken}", "data.parquet", "-o", "p.csv")),
    "report": (4, ("check", "tiny.yaml", "--require", "total >= 0")),
    "output": (6, ("synth", "null", "-o", "absent/x.parquet", "--rows", "50")),
}


@pytest.mark.parametrize("case", ERRORS)
def test_errors_have_their_exit_code_and_say_what_to_do(
    fitted: Fitted, run: Run, place: Path, case: str
) -> None:
    """Each kind of error has one exit code, a message and a hint, and no traceback."""
    status, arguments = ERRORS[case]
    broken = place / "broken.pidreg"
    broken.mkdir()
    for path in fitted.folder.iterdir():
        (broken / path.name).write_bytes(path.read_bytes())
    (broken / "model.safetensors").write_bytes(b"none")
    ended = run(*(argument.format(broken=broken) for argument in arguments))
    assert (ended.status, ended.out) == (status, ""), ended.err
    assert ended.err.startswith("error: ")
    assert "hint: " in ended.err
    assert "Traceback" not in ended.err


def test_with_format_json_errors_are_objects_too(run: Run) -> None:
    """One JSON object with code, message and hint on stderr."""
    error = run("fit", "data.parquet", "--target", "tarGet", "--modalities", "a,b", "--format", "json").error
    assert error["code"].startswith("data.")
    assert "target" in error["hint"]
    assert "tarGet" in error["message"]


def test_a_check_that_does_not_hold_is_exit_1(fitted: Fitted, run: Run) -> None:
    """Exit 1, and the result on stdout all the same."""
    ended = run("check", fitted.folder, "--require", "total >= 99")
    assert ended.status == 1
    assert "total >= 99" in ended.out


def test_equal_inputs_seed_and_threads_give_equal_bytes(fitted: Fitted, run: Run, place: Path) -> None:
    """Report less the clock, and model, byte for byte; another seed gives others."""
    for name, seed in (("same", 0), ("other", 1)):
        ended = run(
            *("fit", "data.parquet", "--modalities", "a,b", "--config", "tiny.yaml"),
            *("-o", name, "--seed", seed, "-q"),
        )
        assert ended.status == 0, ended.err
    assert _less_the_clock(place / "same") == _less_the_clock(fitted.folder)
    assert _less_the_clock(place / "other") != _less_the_clock(fitted.folder)


def _less_the_clock(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = {path.name: path.read_bytes() for path in folder.iterdir()}
    clock = json.loads(found["report.json"])["created_at"].encode()
    return {name: content.replace(clock, b"") for name, content in found.items()}
