from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

import pidreg_cli
from pidreg_cli.cli.app import main

HEAVY = {"torch", "pandas", "scipy", "pyarrow", "sklearn", "numpy", "rich", "lightgbm", "matplotlib"}
COMMANDS = [
    "prepare",
    "fit",
    "decompose",
    "select-modalities",
    "predict",
    "check",
    "report",
    "synth",
    "schema",
]


def python(code: str, *arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, **options)


@pytest.mark.parametrize(
    "program", [[sys.executable, "-m", "pidreg_cli"], [Path(sys.executable).parent / "pidreg"]]
)
def test_both_ways_to_start_it_print_the_version_and_nothing_else(program, environment):
    done = subprocess.run(
        [*program, "--version"], capture_output=True, text=True, env=environment, check=True
    )
    assert done.stdout == f"pidreg {pidreg_cli.__version__}\n"
    assert done.stderr == ""


@pytest.mark.parametrize("arguments", [["--help"], ["-h"], *([name, "--help"] for name in COMMANDS)])
def test_help_is_plain_text_on_stdout(pidreg, arguments):
    done = pidreg(*arguments)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("Usage: pidreg")
    assert "\x1b" not in done.stdout


def test_help_lists_the_commands_there_are(pidreg):
    text = pidreg("--help").stdout
    listed = [line.split()[0] for line in text.partition("Commands:\n")[2].splitlines()]
    assert listed == COMMANDS


USAGE_ERRORS = {
    "no command": [],
    "unknown command": ["fitt"],
    "unknown option": ["fit", "x.parquet", "--presett", "fast"],
    "missing data": ["fit"],
    "missing value": ["fit", "x.parquet", "--seed"],
    "wrong number": ["fit", "x.parquet", "--seed", "one"],
    "wrong choice": ["fit", "x.parquet", "--format", "xml"],
    "wrong rows": ["synth", "null", "-o", "x.parquet", "--rows", "1e3"],
    "negative cost": ["select-modalities", "x.parquet", "--cost", "a=-1"],
    "cost without value": ["select-modalities", "x.parquet", "--cost", "a"],
    "wrong rule": ["select-modalities", "x.parquet", "--rule", "two-se"],
    "tolerance in per cent": ["select-modalities", "x.parquet", "--tolerance", "5"],
    "verify without training": ["select-modalities", "x.parquet", "--no-model", "--verify"],
    "nothing to resume": ["select-modalities", "x.parquet", "--resume"],
    "wrong measure": ["decompose", "x.pidreg", "--measure", "mib"],
    "wrong confidence": ["decompose", "x.parquet", "--no-model", "--ci", "95"],
    "no number": ["decompose", "x.parquet", "--no-model", "--ci", "most"],
    "an option of models": ["decompose", "x.parquet", "--no-model", "--device", "cpu"],
    "one output twice": ["decompose", "x.parquet", "--no-model", "--per-row", "a.csv", "-o", "a.csv"],
    "wrong preset": ["fit", "x.parquet", "--preset", "quick"],
    "wrong folds": ["fit", "x.parquet", "--folds", "few"],
    "wrong device": ["fit", "x.parquet", "--device", "gpu"],
    "unknown key": ["fit", "x.parquet", "--set", "stage1.max_epoch=3"],
    "wrong value": ["fit", "x.parquet", "--set", "stage1.max_epochs=many"],
    "absent configuration": ["fit", "x.parquet", "--config", "absent.yaml"],
    "empty modality": ["fit", "x.parquet", "--modalities", "a,,b"],
    "modality without columns": ["fit", "x.parquet", "--modality", "a="],
    "existing run": ["fit", "x.parquet", "-o", "."],
    "no system": ["synth"],
    "unknown document": ["schema", "table"],
    "roles of a schema": ["schema", "report", "--target", "y"],
    "nowhere to prepare to": ["prepare", "x.csv"],
    "prepared as CSV": ["prepare", "x.csv", "-o", "x.csv"],
    "wrong split": ["prepare", "x.csv", "-o", "x.parquet", "--split", "half"],
    "join without key": ["prepare", "x.csv", "-o", "x.parquet", "--join", "outer"],
    "duplicates without key": ["prepare", "x.csv", "-o", "x.parquet", "--duplicates", "first"],
    "empty key": ["prepare", "x.csv", "-o", "x.parquet", "--key", "a,,b"],
    "empty input name": ["prepare", "=x.csv", "-o", "x.parquet"],
    "order twice": ["prepare", "x.csv", "-o", "x.parquet", "--ordinal", "a=1,1"],
    "date twice": ["prepare", "x.csv", "-o", "x.parquet", "--date", "a", "--date", "a=%Y"],
    "delimiter of two": ["prepare", "x.csv", "-o", "x.parquet", "--delimiter", ";;"],
    "decimal letter": ["prepare", "x.csv", "-o", "x.parquet", "--decimal", "x"],
    "unknown encoding": ["prepare", "x.csv", "-o", "x.parquet", "--encoding", "latin-99"],
    "one category": ["prepare", "x.csv", "-o", "x.parquet", "--category-limit", "1"],
    "target of a recipe": ["prepare", "x.csv", "-o", "x.parquet", "--like", "y.parquet", "--target", "z"],
}


@pytest.mark.parametrize("case", USAGE_ERRORS)
def test_usage_errors_exit_2_with_a_clean_stdout(case, tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    assert main(USAGE_ERRORS[case]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert not re.search(r"Traceback|pydantic|Value error|\x1b", err)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["fit", "x", "--presett", "fast"], "--preset"),
        (["fit", "x", "--set", "stage1.max_epoch=3"], "did you mean stage1.max_epochs"),
        (["fit", "x", "--preset", "quick"], "fast, balanced, thorough, paper"),
        (["fit", "x", "--seed", "one"], "'one'"),
    ],
)
def test_usage_errors_name_what_is_allowed(pidreg, arguments, part):
    done = pidreg(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert part in done.stderr
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["fit", "x", "--set", "stage1.max_epoch=3", "--format", "json"], "config.unknown_key"),
        (["fit", "x", "--format=json", "--nonsense"], "usage.arguments"),
    ],
)
def test_with_format_json_the_error_is_also_an_object(pidreg, arguments, code):
    done = pidreg(*arguments)
    text, last = done.stderr.rstrip("\n").rsplit("\n", 1)
    error = json.loads(last)["error"]
    assert text.startswith(f"error: {error['message']}")
    assert error["code"] == code
    assert error["hint"]
    assert set(error) == {"code", "message", "hint"}
    assert done.stdout == ""


IMPORTED = """
import sys
from pidreg_cli.cli.app import main
status = main(sys.argv[1:])
print("imported", *sorted(set(sys.modules) & {heavy}), file=sys.stderr)
"""


@pytest.mark.parametrize(
    "arguments",
    [
        ["--version"],
        ["--help"],
        ["fit", "--help"],
        ["synth", "--help"],
        ["fit", "x", "--nonsense"],
        ["fit", "x", "--set", "nonsense=1"],
        ["fit", "x", "-o", "/"],
        ["fit", "x", "-o", str(Path(__file__).parent)],
        ["schema", "config"],
        ["fit", "nowhere.parquet"],
        ["decompose", "nowhere.parquet", "--no-model"],
    ],
)
def test_quick_answers_load_nothing_heavy(arguments):
    done = python(IMPORTED.replace("{heavy}", repr(HEAVY)), *arguments)
    assert done.stderr.splitlines()[-1] == "imported"
    assert "nowhere.parquet" not in arguments or "no file or folder 'nowhere.parquet'" in done.stderr


def test_the_package_is_imported_without_its_contents():
    code = "import sys, pidreg_cli; print(sorted(set(sys.modules) & {heavy}))"
    assert python(code.replace("{heavy}", repr(HEAVY))).stdout == "[]\n"


def test_the_package_offers_its_public_names_only():
    assert set(pidreg_cli.__all__) <= set(dir(pidreg_cli))
    assert not hasattr(pidreg_cli, "nonsense")
    for name in pidreg_cli.__all__:
        assert getattr(pidreg_cli, name) is not None


def test_a_reader_that_leaves_ends_it_quietly_with_141(environment):
    command = [sys.executable, "-m", "pidreg_cli", "schema", "report"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_under_stdout_is_exit_6(environment):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pidreg_cli", "schema", "config"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            check=False,
        )
    assert done.returncode == 6
    assert done.stderr.startswith("error: the output could not be written: No space left")
    assert "Exception ignored" not in done.stderr


def test_stderr_that_was_closed_before_the_start_does_no_harm(environment):
    line = f"'{sys.executable}' -m pidreg_cli synth --list 2>&-"
    done = subprocess.run(line, shell=True, capture_output=True, text=True, env=environment, check=False)  # noqa: S602
    assert (done.returncode, done.stderr) == (0, "")
    assert "xor" in done.stdout


@pytest.mark.parametrize("command", ["report", "check --require 'total > -1'"])
def test_standard_input_that_was_closed_is_asked_for_by_its_name_only(environment, quick_run, command):
    line = f"'{sys.executable}' -m pidreg_cli {command}"

    def ran(place):
        closed = ["sh", "-c", f"{line} {place} <&-"]
        return subprocess.run(closed, capture_output=True, text=True, env=environment, check=False)

    done = ran(f"'{quick_run}'")
    assert (done.returncode, done.stderr) == (0, "")
    refused = ran("-")
    assert refused.returncode == 4
    assert refused.stderr.startswith("error: standard input cannot be read: it is closed\nhint: ")


WAITING = """
import signal, sys, time
from pidreg_cli.cli import app
# Whoever runs the tests in the background of a script passes on that interrupts are ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
def wait(arguments, console):
    console.detail("never shown")
    print("ready", flush=True)
    time.sleep(30)
app._run = wait
sys.exit(app.main([]))
"""


@pytest.mark.parametrize(
    ("number", "status", "text"), [(signal.SIGINT, 130, "interrupted"), (signal.SIGTERM, 143, "terminated")]
)
def test_signals_end_it_with_their_status(environment, number, status, text):
    command = [sys.executable, "-c", WAITING]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        os.kill(process.pid, number)
        assert process.stderr.read().decode() == f"error: {text}\n"
    assert process.returncode == status


def test_ctrl_c_while_modules_are_read_prints_no_traceback(environment, tmp_path):
    # A module that the program imports first, and that takes its time.
    (tmp_path / "typer.py").write_text("import time\nprint('ready', flush=True)\ntime.sleep(30)\n")
    code = (
        "import sys, signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from pidreg_cli.__main__ import run\nsys.exit(run())"
    )
    command = [sys.executable, "-c", code]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, env=environment) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.stderr.read() == b""
    # What a shell reports as 130.
    assert process.returncode == -signal.SIGINT
