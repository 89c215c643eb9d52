from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.selection import CASES, decided

BY_NAME = {case.name: case for case in CASES}


@pytest.mark.parametrize("name", ["redundant-copies", "xor", "null", "dominant"])
def test_small_draws_are_decided_rightly(name: str, tmp_path: Path) -> None:
    assert decided(BY_NAME[name], 600, 1, tmp_path).recommended in BY_NAME[name].right
