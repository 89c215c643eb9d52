"""What the pages on trust and security promise is what the package does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pidreg_cli

DOCS = Path(__file__).parents[2] / "docs"
PACKAGE = Path(pidreg_cli.__file__).parent


@pytest.mark.parametrize("page", ["trust.md", "security.md"])
def test_codes_of_errors_on_the_pages_exist(page: str) -> None:
    named = re.findall(
        r"`((?:run|output|data|training)\.[a-z_]+)`", (DOCS / page).read_text(encoding="utf-8")
    )
    sources = "".join(path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py"))
    assert named
    assert [code for code in named if f'"{code}"' not in sources] == []


def test_the_table_of_faults_names_none_that_lost_something() -> None:
    text = (DOCS / "trust.md").read_text(encoding="utf-8")
    table = text.partition("<!-- faults: begin -->\n")[2].partition("<!-- faults: end -->")[0]
    rows = [line.strip("|").split("|") for line in table.splitlines()[2:]]
    assert {row[0].strip() for row in rows} >= {"kill -9", "SIGTERM", "Ctrl-C", "full disk"}
    assert all(row[-1].strip() == "all" and int(row[3]) > 0 for row in rows)


def test_the_table_of_machines_says_of_each_how_far_it_is_from_this_one() -> None:
    text = (DOCS / "trust.md").read_text(encoding="utf-8")
    table = text.partition("<!-- machines: begin -->\n")[2].partition("<!-- machines: end -->")[0]
    lines = [line for line in table.splitlines() if line.startswith("| ")]
    head, *rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    ran = {row[0]: row[1:] for row in rows if not row[1].startswith("not run (")}
    assert all(len(row) == len(head) for row in rows)
    assert set(ran["this machine"]) == {"0", "yes"}
    assert all(row[head.index("twice the same") - 1] == "yes" for row in ran.values())
    # What the page concludes: another machine changes less than another seed.
    changed = {name: float(row[0]) for name, row in ran.items()}
    seeds = [bits for name, bits in changed.items() if name.startswith("seed")]
    assert max(bits for name, bits in changed.items() if not name.startswith("seed")) < min(seeds)
