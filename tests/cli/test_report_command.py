"""``pidreg report`` through the command: formats, places, files, streams, what is damaged."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from tests.cli import in_process
from tests.reports.page_checks import check_page

FIGURE = re.compile(r'aria-labelledby="(\w+)-title"')


class Ended(in_process.Ended):
    """``pidreg report`` that ran within this process, named like a finished process."""

    def __init__(self, *arguments: object) -> None:
        super().__init__("report", *arguments)
        self.returncode, self.stdout, self.stderr = self.status, self.out, self.err


@pytest.fixture
def copy(quick_run: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(quick_run, tmp_path / "copy.pidreg"))


def test_the_run_keeps_the_page_that_report_makes(pidreg, quick_run):
    done = pidreg("report", quick_run, "--format", "html")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (quick_run / "report.html").read_text(encoding="utf-8")
    check_page(done.stdout)
    assert FIGURE.findall(done.stdout) == [
        "amounts",
        "parts",
        "subsets",
        "heldout",
        "sensitivity",
        "training",
    ]


@pytest.mark.parametrize(("page_format", "kept"), [("json", "report.json"), ("markdown", "report.md")])
def test_other_formats_are_those_of_the_run(pidreg, quick_run, page_format, kept):
    done = pidreg("report", quick_run / "report.json", "--format", page_format)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (quick_run / kept).read_text(encoding="utf-8")


def test_text_is_the_default_and_the_suffix_of_a_file_chooses(quick_run, tmp_path):
    text = Ended(quick_run).stdout
    assert text.startswith("What a and b tell about target\n====")
    assert text == Ended(quick_run, "--format", "text").stdout
    for name, kept in (("x.html", "report.html"), ("x.md", "report.md"), ("x.json", "report.json")):
        done = Ended(quick_run, "-o", tmp_path / name)
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == f"note: wrote {tmp_path / name}\n"
        assert (tmp_path / name).read_bytes() == (quick_run / kept).read_bytes()
    assert Ended(quick_run, "-o", tmp_path / "x.page", "--format", "text").returncode == 0
    assert (tmp_path / "x.page").read_text() == text


def test_standard_input_and_a_report_alone_lack_the_figures_of_the_run(quick_run, environment, pidreg):
    command = [sys.executable, "-m", "pidreg_cli", "report", "-", "--format", "html"]
    content = (quick_run / "report.json").read_bytes()
    done = subprocess.run(command, input=content, capture_output=True, env=environment, check=True)
    page = done.stdout.decode()
    assert FIGURE.findall(page) == ["amounts", "parts", "subsets", "sensitivity"]
    assert "Left out: the figures of the course of training (history.jsonl) and of held-out" in page
    assert page == pidreg("report", quick_run / "report.json", "--format", "html").stdout


def test_a_run_without_held_out_rows_shows_none(copy):
    (copy / "heldout.parquet").unlink()
    page = Ended(copy, "--format", "html").stdout
    assert "heldout" not in FIGURE.findall(page)
    assert "Left out: the figure of held-out predictions (heldout.parquet)." in page


def test_two_are_compared(quick_run, copy, tmp_path):
    content = json.loads((copy / "report.json").read_text())
    content["information"]["values"][-1]["value"] += 1.0
    content["information"]["values"][-1]["ci"] = [v + 1.0 for v in content["information"]["values"][-1]["ci"]]
    (copy / "report.json").write_text(json.dumps(content))
    done = Ended(quick_run, copy)
    assert (done.returncode, done.stderr) == (0, "")
    assert "B tells 1.00 bits more than A in total" in done.stdout
    assert "Changed beyond their intervals: total (+1.00)." in " ".join(done.stdout.split())
    page = tmp_path / "both.html"
    assert Ended(quick_run, copy, "-o", page).returncode == 0
    check_page(page.read_text(encoding="utf-8"))


def damaged(copy: Path, name: str, content: bytes) -> Path:
    (copy / name).write_bytes(content)
    return copy


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("report.json", b"{", "not valid JSON"),
        ("report.json", b'{"schema_version": "2.0"}', "report format 2.0"),
        ("report.json", b'{"schema_version": "1.0"}', "Field required"),
        ("history.jsonl", b'{"model": 1}\n', "history.jsonl is damaged"),
        ("history.jsonl", b"\xff\n", "history.jsonl is damaged"),
        ("history.jsonl", b"[]\n", "history.jsonl is damaged"),
        ("heldout.parquet", b"PAR1", "heldout.parquet is damaged"),
    ],
)
def test_damage_exits_4_and_names_the_file(copy, tmp_path, name, content, said):
    done = Ended(damaged(copy, name, content), "-o", tmp_path / "x.html")
    assert done.returncode == 4
    assert said in done.stderr
    assert str(copy / name) in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "x.html").exists()


def test_held_out_rows_of_another_kind_exit_4(copy):
    table = pq.read_table(copy / "heldout.parquet").drop_columns(["prediction"])
    pq.write_table(table, copy / "heldout.parquet")
    done = Ended(copy, "--format", "html")
    assert done.returncode == 4
    assert "heldout.parquet is damaged" in done.stderr


def test_what_cannot_be_written_is_refused(quick_run, tmp_path):
    there = tmp_path / "there.html"
    there.write_text("kept")
    done = Ended(quick_run, "-o", there)
    assert (done.returncode, there.read_text()) == (2, "kept")
    assert "already exists" in done.stderr
    assert Ended(quick_run, "-o", there, "--force").returncode == 0
    assert there.read_text().startswith("<!DOCTYPE html>")
    assert Ended(quick_run, "-o", tmp_path / "no" / "x.md").returncode == 6


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["absent.pidreg"], 4, "absent.pidreg cannot be read"),
        ([], 2, "Missing argument"),
        (["a", "b", "c"], 2, "at most two"),
        (["-", "-"], 2, "both reports cannot be standard input"),
        (["a", "b", "--format", "json"], 2, "a comparison has no JSON form"),
        (["a", "-o", "x.pdf"], 2, "names no format"),
        (["a", "--format", "pdf"], 2, "pdf"),
    ],
)
def test_misuse_says_what_to_do(tmp_path, monkeypatch, arguments, status, said):
    monkeypatch.chdir(tmp_path)
    done = Ended(*arguments)
    assert (done.returncode, done.stdout) == (status, "")
    assert said in done.stderr
    assert "hint: " in done.stderr


def test_errors_are_objects_too_where_json_is_asked_for(pidreg, tmp_path):
    done = pidreg("report", "absent", "--format", "json", cwd=tmp_path)
    assert json.loads(done.stderr.splitlines()[-1])["error"]["code"] == "report.missing"


def test_the_users_matplotlib_changes_nothing(pidreg, quick_run, tmp_path):
    (tmp_path / "matplotlibrc").write_text("font.size: 40\nlines.linewidth: 9\nno.such.key: 3\n")
    done = pidreg(
        "report", quick_run, "--format", "html", cwd=tmp_path, MPLBACKEND="none", MPLCONFIGDIR="/proc/none"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (quick_run / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_ends_it_quietly(quick_run, environment, unbuffered):
    command = f'"{sys.executable}" -m pidreg_cli report "{quick_run}" --format html; echo $? >&2'
    done = subprocess.run(
        ["bash", "-c", f"({command}) | head -c 20 > /dev/null"],
        env={**environment, "PYTHONUNBUFFERED": unbuffered},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "141\n"


def test_a_full_disk_is_told(quick_run, environment):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "pidreg_cli", "report", str(quick_run)]
        done = subprocess.run(
            command, stdout=full, stderr=subprocess.PIPE, text=True, env=environment, check=False
        )
    assert done.returncode == 6
    assert "could not be written" in done.stderr
