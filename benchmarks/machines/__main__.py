"""How far two machines are apart: ``python -m benchmarks.machines``.

The same table is fitted (preset fast, one thread, rows of train, valid and test fixed in the table) by processes in
which PyTorch, MKL, OpenBLAS, NumPy and the C library compute as on another processor; by other versions
(``--python``); and with other seeds, which say what chance alone does. Each is compared with the first, and run twice:
were the run folder and what ``decompose --no-model`` says the same bytes, less the clock? What this machine cannot
stand in for is named as not run.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.faults.subjects import digest
from benchmarks.fits.machine import machine
from benchmarks.machines.comparison import differences, predictions_apart
from benchmarks.machines.settings import ROOT, Chosen, Setting, missing, settings

PAGE = ROOT / "docs" / "trust.md"
BEGIN, END = "<!-- machines: begin -->\n", "<!-- machines: end -->\n"
COLUMNS = (
    "in place of this machine",
    "information, bits",
    "atoms, bits",
    "test RMSE, %",
    "predictions, sd",
    "same modalities",
    "twice the same",
    "without training, bits",
)
HEADER = f"| {' | '.join(COLUMNS)} |\n|---|{'---:|' * 4}---|---|---:|"
PARTS = (*("train",) * 7, "valid", *("test",) * 2)
"""Of every ten rows: a seed must not choose which rows are predicted."""
RUN, UNTRAINED = "data.pidreg", "untrained.json"


@dataclass(frozen=True)
class Task:
    """A table with a column ``split``, and the options that say what its columns are."""

    table: Path
    roles: tuple[str, ...]


def prepared(folder: Path, asked: argparse.Namespace) -> Task:
    """The table that was asked for, or a synthetic one; its rows are dealt here unless it has a column ``split``."""
    path = folder / "data.parquet"
    if asked.data is None:
        rows = str(asked.rows)
        _run(Setting("plain"), folder, "synth", "mixed", "--rows", rows, "-o", str(path))
    table = pq.read_table(asked.data or path)
    if "split" not in table.column_names:
        parts = [PARTS[row % len(PARTS)] for row in range(table.num_rows)]
        table = table.append_column("split", pa.array(parts))
    pq.write_table(table, path)
    given = {"--modalities": asked.modalities, "--target": asked.target}
    return Task(path, tuple(word for name, value in given.items() if value for word in (name, value)))


def ran(setting: Setting, task: Task, place: Path) -> Path:
    """The folder of what the setting's processes wrote: a run, and a decomposition without a model."""
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    common = (str(task.table), *task.roles, "--threads", "1", "--seed", str(setting.seed), "-q")
    fit = ("fit", *common, "--preset", "fast", "--device", setting.device, "-o", RUN)
    decompose = ("decompose", *common, "--no-model", "--format", "json", "-o", UNTRAINED)
    for command in (fit, decompose):
        _run(setting, place, *command)
    return place


def _run(setting: Setting, folder: Path, *arguments: str) -> None:
    done = subprocess.run(
        [setting.python, "-m", "pidreg_cli", *arguments],
        env=setting.environment,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{setting.name}: {arguments} failed:\n{done.stderr}")


def compared(setting: Setting, task: Task, first: Path, place: Path) -> str:
    """A line of the table: two runs of the setting, and the first of them beside ``first``."""
    found = digest(ran(setting, task, place))
    same_twice = digest(ran(setting, task, place)) == found
    trained = differences(_read(first / RUN / "report.json"), _read(place / RUN / "report.json"))
    untrained = differences(_read(first / UNTRAINED), _read(place / UNTRAINED))
    cells = [
        *(f"{value:.2g}" for value in (trained.information, trained.atoms, trained.rmse)),
        f"{_predictions_apart(first, place):.2g}",
        *("yes" if value else "no" for value in (trained.same_modalities, same_twice)),
        f"{max(untrained.information, untrained.atoms):.2g}",
    ]
    return f"| {setting.name} | {' | '.join(cells)} |"


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _predictions_apart(first: Path, other: Path) -> float:
    rows = [pq.read_table(place / RUN / "heldout.parquet") for place in (first, other)]
    before, after = (table["prediction"].to_numpy() for table in rows)
    return predictions_apart(rows[0]["y"].to_numpy(), before, after)


def lines(folder: Path, asked: argparse.Namespace, plain: Chosen) -> Iterator[str]:
    """The rows of the table. ``plain``: what libraries choose by themselves."""
    task, first = prepared(folder, asked), folder / "first"
    others = [Setting("other", python=python) for python in asked.python]
    others = [replace(other, name=other.chosen()["versions"]) for other in others]
    for setting in [*settings(plain), *others]:
        if lacking := missing(setting, setting.chosen(), plain):
            yield f"| {setting.name} | not run ({lacking}) |{' |' * (len(COLUMNS) - 2)}"
            continue
        if not first.exists():
            ran(setting, task, first)
        yield compared(setting, task, first, folder / "other")


def printed(title: str, found: Iterable[str]) -> str:
    """A titled table, each of whose rows is printed once it is found."""
    written = [f"{title}\n\n{HEADER}"]
    print(written[0], flush=True)
    for line in found:
        print(line, flush=True)
        written.append(line)
    return "\n".join(written) + "\n"


def save(table: str) -> None:
    """Put it into the page, in place of the one before."""
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}{table}{END}{rest.partition(END)[2]}", encoding="utf-8")


def main() -> None:
    """Print the table, and with ``--save`` put it into the page."""
    parser = argparse.ArgumentParser(description="Fit one table as on other machines; print what differs.")
    parser.add_argument("data", nargs="?", type=Path, help="a Parquet file instead of synth mixed")
    parser.add_argument("--modalities", help="as of fit")
    parser.add_argument("--target", help="as of fit")
    parser.add_argument("--rows", type=int, default=3000, help="of the synthetic table")
    parser.add_argument(
        "--python", action="append", default=[], help="with other versions of what pidreg needs; repeatable"
    )
    parser.add_argument("--save", action="store_true", help="put the table into docs/trust.md")
    asked = parser.parse_args()
    started = time.monotonic()
    plain = Setting("plain").chosen()
    chosen = ", ".join(f"{library} {plain[library]}" for library in ("PyTorch", "OpenBLAS", "NumPy"))
    with tempfile.TemporaryDirectory() as folder:
        table = printed(f"{machine()}; libraries chose {chosen}:", lines(Path(folder), asked, plain))
    if asked.save:
        save(table)
    print(f"\n{time.monotonic() - started:.0f} seconds")


if __name__ == "__main__":
    main()
