"""Amounts of memory: as people write them, and what this machine has left."""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from pathlib import Path

UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
PATTERN = r"^\d+(\.\d+)?(MB|GB|TB)$"
CGROUP = Path("/sys/fs/cgroup")
CGROUPS_OF_PROCESS = Path("/proc/self/cgroup")
LIMIT_USE_CACHE = (
    ("memory.max", "memory.current", "inactive_file"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)
"""What a control group tells, in its second version and in its first: most bytes, those used, and of these files that
were read once, which go first.
"""
UNLIMITED = 2**63


def bytes_of(text: str) -> int:
    """Bytes of an amount such as ``2GB`` or ``500MB``, of ``PATTERN``; a GB is 10^9 bytes."""
    return round(float(text[:-2]) * UNITS[text[-2:]])


def amount(number: float) -> str:
    """Bytes as people read them: ``1.5 GB``, ``320 MB``."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


def as_option(number: float) -> str:
    """Bytes as ``bytes_of`` reads them, rounded up: ``741MB``, ``22.6GB``."""
    return f"{ceil(number / 1e8) / 10}GB" if number >= 1e10 else f"{ceil(number / 1e6)}MB"


def available_bytes() -> int:
    """Bytes that this process could take more: what the machine has to spare, or its container, if that is less."""
    # Here: settings know this module, and need no machine.
    import psutil

    return min(psutil.virtual_memory().available, _spare_of_container())


def resident_bytes() -> int:
    """Bytes that this process has."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def _spare_of_container() -> int:
    """What the control groups of this process leave it, each of them and all around it."""
    folders = {CGROUP, CGROUP / "memory"}
    for root, path in _control_groups():
        folders |= {root / path, *(root / parent for parent in path.parents)}
    return min(_spare(folder, *names) for folder in folders for names in LIMIT_USE_CACHE)


def _control_groups() -> Iterator[tuple[Path, Path]]:
    """Folders of the hierarchies that limit memory, and this process's group below each."""
    try:
        lines = CGROUPS_OF_PROCESS.read_text().splitlines()
    except OSError:
        return
    for _, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if controllers == "" or "memory" in controllers.split(","):
            yield CGROUP / "memory" if controllers else CGROUP, Path(path.lstrip("/"))


def _spare(folder: Path, limit: str, use: str, cache: str) -> int:
    """Bytes that one group has left; ``UNLIMITED`` where it has no limit, or there is none such."""
    try:
        most = (folder / limit).read_text().strip()
        used = int((folder / use).read_text())
        return UNLIMITED if most == "max" else max(0, int(most) - used + _cached(folder, cache))
    except (OSError, ValueError):
        return UNLIMITED


def _cached(folder: Path, name: str) -> int:
    """Bytes of files that were read once; none where the group does not tell."""
    try:
        told = dict(line.split(" ", 1) for line in (folder / "memory.stat").read_text().splitlines())
        return int(told.get(name, 0))
    except (OSError, ValueError):
        return 0
