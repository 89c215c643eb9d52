"""Amounts of memory: as people write them, and what this machine has left."""

from __future__ import annotations

from pathlib import Path

UNITS = {"MB": 10**6, "GB": 10**9, "TB": 10**12}
PATTERN = r"^\d+(\.\d+)?(MB|GB|TB)$"
CGROUP = Path("/sys/fs/cgroup")


def bytes_of(text: str) -> int:
    """Bytes of an amount such as ``2GB`` or ``500MB``, of ``PATTERN``; a GB is 10^9 bytes."""
    return round(float(text[:-2]) * UNITS[text[-2:]])


def amount(number: float) -> str:
    """Bytes as people read them: ``1.5 GB``, ``320 MB``."""
    return f"{number / 1e9:.1f} GB" if number >= 1e9 else f"{number / 1e6:.0f} MB"


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
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
    except (OSError, ValueError):
        limit, used = "max", 0
    return 2**63 if limit == "max" else max(0, int(limit) - used)
