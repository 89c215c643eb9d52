"""docs/cli.md is what the commands say of themselves."""

from __future__ import annotations

import runpy
from pathlib import Path

DOCS = Path(__file__).parents[2] / "docs"


def test_the_page_is_the_help_of_the_commands() -> None:
    written = runpy.run_path(str(DOCS / "cli_reference.py"))["reference"]()
    assert (DOCS / "cli.md").read_text(encoding="utf-8") == written, "run: python docs/cli_reference.py"
    assert written.count("## pidreg ") == 9
