"""Pages in a real browser, where there is one: part of the full campaign. It comes from the system, not from PyPI."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.comparison.pairing import compared
from pidreg_cli.reports.comparison.rendering import rendered
from pidreg_cli.reports.evidence import Evidence
from pidreg_cli.reports.html import to_html
from tests.cli.in_process import TINY, Ended
from tests.reports.conftest import traces_of

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
OWN = ("google.com", "googleapis.com", "gstatic.com")
"""Hosts that the browser asks for itself, whatever the page."""
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
]

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def browser() -> None:
    """The full campaign is about a real browser: without one it has not been run."""
    assert BROWSER is not None, "no Chromium on this machine (Debian: apt-get install chromium)"


class Visit:
    """A page opened and printed: what the console said, what was asked of the network, the PDF."""

    def __init__(self, page: str, folder: Path) -> None:
        file, log, pdf = folder / "page.html", folder / "net.json", folder / "page.pdf"
        file.write_text(page, encoding="utf-8")
        outputs = [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", f"--print-to-pdf={pdf}"]
        command = [str(BROWSER), *FLAGS, *outputs, file.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
        self.console = re.findall(r"CONSOLE.*", done.stderr)
        self.pdf = pdf.read_bytes()
        asked = {
            urlsplit(url).hostname or "" for url in re.findall(r'"url":"(https?://[^"]+)"', log.read_text())
        }
        self.hosts = {host for host in asked if not host.endswith(OWN)}


def test_the_visit_sees_errors_and_requests(tmp_path: Path) -> None:
    bad = "<!DOCTYPE html><img src='http://pidreg.invalid/x.png'><script>console.error('seen')</script>"
    visit = Visit(bad, tmp_path)
    assert "pidreg.invalid" in visit.hosts
    assert any("seen" in line for line in visit.console)


@pytest.mark.parametrize("kept", ["one", "three", "eight", "nothing"])
def test_a_report_opens_silently_and_prints(
    kept: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    report = assemble(request.getfixturevalue(kept))
    visit = Visit(to_html(report, traces_of(report.names)), tmp_path)
    assert (visit.console, visit.hosts) == ([], set())
    assert visit.pdf.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type /Page\b", visit.pdf)) <= 12


def test_the_report_of_a_fit_of_eight_modalities_opens_silently(tmp_path: Path) -> None:
    table = tmp_path / "eight.parquet"
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((300, 9))
    columns = {f"{name}__x": column for name, column in zip("abcdefgh", rows.T, strict=False)}
    pq.write_table(pa.table({**columns, "target": rows.sum(axis=1)}), table)
    config = tmp_path / "tiny.yaml"
    config.write_text(TINY, encoding="utf-8")
    done = Ended("fit", table, "-o", tmp_path / "run", "--config", config, "-q")
    assert done.status == 0, done.err
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")

    visit = Visit(page, tmp_path)

    assert len(page.encode()) < 1_000_000
    assert (visit.console, visit.hosts) == ([], set())


def test_a_comparison_opens_silently(two: Evidence, three: Evidence, tmp_path: Path) -> None:
    both = compared(assemble(two), assemble(three), ("a", "b"))
    visit = Visit(rendered(both, "html"), tmp_path)
    assert (visit.console, visit.hosts) == ([], set())
