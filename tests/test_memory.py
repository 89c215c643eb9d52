"""Amounts of memory, and what there is of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pidreg_cli import memory


@pytest.mark.parametrize(
    ("text", "number", "read"),
    [("500MB", 5 * 10**8, "500 MB"), ("2GB", 2 * 10**9, "2.0 GB"), ("1.5TB", 15 * 10**11, "1500.0 GB")],
)
def test_amounts_are_read_and_written(text: str, number: int, read: str) -> None:
    assert memory.bytes_of(text) == number
    assert memory.amount(number) == read


def test_a_container_has_less_than_its_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    machine = memory.available_bytes()
    assert machine > memory.resident_bytes() / 10 > 0
    (tmp_path / "memory.max").write_text("3000\n")
    (tmp_path / "memory.current").write_text("1000\n")
    assert memory.available_bytes() == 2000
    (tmp_path / "memory.max").write_text("max\n")
    assert memory.available_bytes() > 10**6
