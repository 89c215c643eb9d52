"""What faults leave behind: ``python -m benchmarks.faults``. Needs Linux, and root for the small disk.

Every fault is real: a signal, a full file system, a limit of the system, a file cut short. After each the command is
given again (``fit`` with ``--resume``), and all that it wrote is compared with that of an unbroken run, byte for byte
less the clock. Exit status 1 where something was lost, or an ending was not as documented.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.faults import forked, injections
from benchmarks.faults.injections import Row
from benchmarks.faults.subjects import FIT, OTHERS, Subject, Workshop

HEADER = "| fault | command | how | times | ended with | left | same numbers after |\n|---|---|---|---|---|---|---|"
PAGE = Path(__file__).parents[2] / "docs" / "trust.md"
BEGIN, END = "<!-- faults: begin -->\n", "<!-- faults: end -->\n"
Campaign = tuple[str, Callable[[], Row]]


def campaigns(shop: Workshop, scale: float) -> Iterator[Campaign]:
    """Every fault of every command by name; ``scale``: of the number of times."""
    yield from _of_command(shop, FIT, scale, 1.0)
    yield "kill -9, chained fit", lambda: injections.chained_kills(shop, FIT, _times(8 * scale))
    yield "kill -9 fit", lambda: injections.installed_command(shop, FIT, _times(8 * scale))
    for subject in OTHERS:
        yield from _of_command(shop, subject, scale, 0.3)


def _of_command(shop: Workshop, subject: Subject, scale: float, share: float) -> Iterator[Campaign]:
    """``share``: of the times of the faults that strike by chance."""

    def struck(fault: Callable[..., Row], times: float, *more: object) -> Callable[[], Row]:
        return lambda: fault(shop, subject, _times(times * scale), *more)

    few = share * 100
    for name, number, status, times in (
        ("kill -9", signal.SIGKILL, -signal.SIGKILL, 2 * few),
        ("SIGTERM", signal.SIGTERM, 143, 0.2 * few),
        ("Ctrl-C", signal.SIGINT, 130, 0.2 * few),
    ):
        yield f"{name} {subject.name}", struck(injections.signals, times, number, (status,), name)
    for old in (False, True):
        yield (
            f"kill -9 at changes {subject.name}",
            struck(injections.killed_at_changes, 40 if old else 80, old),
        )
    yield f"full disk {subject.name}", struck(injections.full_disk, 0.2 * few)
    yield f"file size limit {subject.name}", struck(injections.file_size, 12)
    yield f"out of memory {subject.name}", struck(injections.memory, 16)
    yield f"closed pipe {subject.name}", struck(injections.closed_pipe, 4)
    yield f"truncated input {subject.name}", struck(injections.truncated, 8)
    yield f"two processes {subject.name}", struck(injections.two_at_once, 0.1 * few)


def _times(number: float) -> int:
    return max(2, round(number))


def shown(row: Row) -> str:
    """A line of the table."""
    endings = ", ".join(f"{_ending(status)}: {count}" for status, count in sorted(row.endings.items()))
    found = ", ".join(f"{what}: {count}" for what, count in row.left.most_common())
    same = "all" if row.times else "never struck"
    if row.faults:
        same = f"{row.same}; " + "; ".join(dict.fromkeys(row.faults))
    return f"| {row.fault} | {row.command} | {row.how} | {row.times} | {endings} | {found} | {same} |"


def _ending(status: int) -> str:
    return str(status) if status >= 0 else signal.Signals(-status).name


def main() -> int:
    """Inject, print, and with ``--save`` put the rows into the page."""
    parser = argparse.ArgumentParser(description="Inject faults for real, and print what they left.")
    parser.add_argument("--scale", type=float, default=1.0, help="of the number of times")
    parser.add_argument(
        "--only", action="append", help="faults and commands whose names hold this text; repeatable"
    )
    parser.add_argument("--save", action="store_true", help="put the rows into the table of docs/trust.md")
    asked = parser.parse_args()
    forked.warm_up()
    started = time.monotonic()
    rows = []
    print(HEADER, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for name, campaign in campaigns(Workshop(Path(folder)), asked.scale):
            if asked.only and not any(text in name for text in asked.only):
                continue
            rows.append(campaign())
            print(shown(rows[-1]), flush=True)
            if asked.save:
                _save(shown(rows[-1]))
    print(f"{sum(row.times for row in rows)} faults in {time.monotonic() - started:.0f} seconds")
    return int(any(row.faults for row in rows))


def _save(line: str) -> None:
    """Put a line of the table in the place of that of the same fault, or after all others."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    lines = {_key(one): one for one in [*table.splitlines(), line]}
    PAGE.write_text(before + BEGIN + "\n".join(lines.values()) + "\n" + END + after, encoding="utf-8")


def _key(line: str) -> str:
    """Fault, command and how."""
    return "|".join(line.split("|")[:4])


if __name__ == "__main__":
    sys.exit(main())
