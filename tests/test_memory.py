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
    write_group(tmp_path, "3000", 1000)
    assert memory.available_bytes() == 2000
    write_group(tmp_path, "max", 1000)
    assert memory.available_bytes() > 10**6


def write_group(folder: Path, most: str, used: int, cached: int = 0, *, first: bool = False) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    limit, use, cache = memory.LIMIT_USE_CACHE[first]
    (folder / limit).write_text(f"{most}\n")
    (folder / use).write_text(f"{used}\n")
    (folder / "memory.stat").write_text(f"anon 17\n{cache} {cached}\nfile_mapped 3\n")


@pytest.mark.parametrize("first", [False, True])
def test_limits_of_every_group_around_the_process_hold(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, first: bool
) -> None:
    monkeypatch.setattr(memory, "CGROUP", tmp_path / "groups")
    monkeypatch.setattr(memory, "CGROUPS_OF_PROCESS", tmp_path / "own")
    root = tmp_path / "groups" / "memory" if first else tmp_path / "groups"
    line = "4:cpu,memory:/slurm/job_1/step" if first else "0::/slurm/job_1/step"
    (tmp_path / "own").write_text(f"7:freezer:/elsewhere\n{line}\n")
    assert memory.available_bytes() > 10**6
    write_group(root / "slurm", "9000", 1000, first=first)
    assert memory.available_bytes() == 8000
    write_group(root / "slurm" / "job_1", "5000", 1000, first=first)
    assert memory.available_bytes() == 4000
    # Files that were read are kept as long as nobody needs the room.
    write_group(root / "slurm" / "job_1" / "step", "2000", 1990, 1500, first=first)
    assert memory.available_bytes() == 1510
    (root / "slurm" / "job_1" / "step" / "memory.stat").write_text("none of it\n")
    assert memory.available_bytes() == 10
    (root / "slurm" / "job_1" / "step" / "memory.stat").unlink()
    assert memory.available_bytes() == 10
    write_group(root / "slurm" / "job_1" / "step", "2000", 1990, 1500, first=first)
    write_group(root / "elsewhere", "1", 0, first=first)
    assert memory.available_bytes() == 1510


@pytest.mark.parametrize(
    ("number", "text"), [(740_000_001, "741MB"), (741e6, "741MB"), (22.51e9, "22.6GB"), (9.9999e9, "10000MB")]
)
def test_an_amount_to_ask_for_is_no_smaller(number: float, text: str) -> None:
    assert memory.as_option(number) == text
    assert memory.bytes_of(text) >= number
