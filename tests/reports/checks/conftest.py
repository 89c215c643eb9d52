from __future__ import annotations

from typing import Any

import pytest

from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.evidence import Evidence

Content = dict[str, Any]


def content(evidence: Evidence) -> Content:
    """The report as its JSON has it."""
    return assemble(evidence).model_dump(mode="json", by_alias=True)


@pytest.fixture
def report(three: Evidence) -> Content:
    return content(three)


@pytest.fixture
def single(one: Evidence) -> Content:
    return content(one)
