from __future__ import annotations

import doctest
import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "information.md"


def test_examples_of_the_page_run() -> None:
    fences = re.compile("^```.*$", re.MULTILINE)
    page = doctest.DocTestParser().get_doctest(
        fences.sub("", PAGE.read_text()), {}, "information", str(PAGE), 0
    )
    outcome = doctest.DocTestRunner().run(page)
    assert outcome.attempted >= 20
    assert outcome.failed == 0
