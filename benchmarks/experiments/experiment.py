"""What an experiment is, and what a run of it leaves."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.fits.synthetic import SHARES
from pidreg_cli.config.loading import load_settings
from pidreg_cli.config.settings import Settings

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Record = Mapping[str, Any]
Records = Sequence[Record]
Case = Sequence[Any]
"""What one measurement is of, such as a system and a seed; JSON can hold it."""
OPTIONS = {
    "preset": "--preset",
    "rows": "--rows",
    "seeds": "--seeds",
    "threads": "--threads",
    "assignments": "--set",
    "table": "--table",
    "target": "--target",
    "modalities": "--modalities",
}
"""What a command can ask for: fields of ``Setting`` and the options that give them."""
OF_FITS = ("preset", "rows", "seeds", "threads", "assignments")


@dataclass(frozen=True)
class Setting:
    """What every fit of a run shares: preset, rows of a table, tables and fits per line (``seeds``), threads.

    ``assignments``: ``KEY=VALUE`` on top of the preset. ``table``: a file to fit, with its ``target`` and
    ``modalities``, where nothing is drawn.
    """

    preset: str
    rows: int
    seeds: int
    threads: int
    assignments: tuple[str, ...] = ()
    table: str = ""
    target: str = ""
    modalities: str = ""

    @property
    def training_rows(self) -> int:
        """About so many of ``rows`` train."""
        return round(self.rows * SHARES[0])

    @property
    def published(self) -> Setting:
        """With the table's name alone: where it lies is of no interest elsewhere."""
        return replace(self, table=Path(self.table).name)

    @property
    def over(self) -> str:
        """What a line of a table is of."""
        return f"means over {self.seeds} seeds" if self.seeds > 1 else "one fit each"

    def settings(self, seed: int, *assignments: str) -> Settings:
        """Settings of a fit, with further assignments on top."""
        options = {"seed": seed, "threads": self.threads, "device": "cpu"}
        return load_settings(self.preset, assignments=[*self.assignments, *assignments], options=options)


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column names the line."""

    columns: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]

    def markdown(self) -> str:
        """With every column but the first aligned to the right."""
        rule = "|---|" + "---:|" * (len(self.columns) - 1)
        rows = (f"| {' | '.join(line)} |" for line in (self.columns, *self.lines))
        first, *rest = rows
        return "\n".join([first, rule, *rest])


@dataclass(frozen=True)
class Experiment:
    """A question, the fits that answer it, and how their records are shown.

    ``name``: of the command and the files. ``done``: what was done, ``columns``: what the table's columns are, each in
    a sentence or two; ``{over}`` in it becomes what a line is of (``Setting.over``), ``{rounds}`` the seeds, ``{rows}``
    the rows. ``caption``: what the figure shows. ``setting``: the one that made the saved results. ``measure``: records
    of one of the ``cases``. ``says``: the findings, unwelcome ones too. ``options``: fields of the setting that the
    measurement heeds. ``revision``: counts up when the way of measuring changes, so that older results show as such.
    """

    name: str
    title: str
    question: str
    done: str
    columns: str
    caption: str
    setting: Setting
    height: float
    cases: Callable[[Setting], Sequence[Case]]
    measure: Callable[..., list[Record]]
    table: Callable[[Records], Table]
    draw: Callable[[Records, Figure], None]
    says: Callable[[Records], list[str]]
    options: tuple[str, ...] = OF_FITS
    revision: int = 1

    def with_options(self, chosen: Mapping[str, Any]) -> Setting:
        """Its setting, changed by those of the chosen options that it heeds."""
        return replace(self.setting, **{key: value for key, value in chosen.items() if key in self.options})


@dataclass(frozen=True)
class Results:
    """Records of one run, with its setting, the version that fitted, the machine, the seconds it took, and the revision
    of the experiment.
    """

    experiment: str
    version: str
    machine: str
    setting: Setting
    seconds: float
    records: Records
    revision: int = 1

    def save(self, folder: Path) -> None:
        """As ``NAME.json``, a record a line, so that a change of one shows as such."""
        head = {**asdict(self), "records": []}
        lines = ",\n".join(f"    {json.dumps(record)}" for record in self.records)
        text = json.dumps(head, indent=2).replace('"records": []', f'"records": [\n{lines}\n  ]')
        (folder / f"{self.experiment}.json").write_text(text + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, name: str) -> Results:
        """Inverse of ``save``. Raises OSError where the experiment has not been run."""
        document = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
        setting = document["setting"]
        assignments = tuple(setting["assignments"])
        return cls(**{**document, "setting": Setting(**{**setting, "assignments": assignments})})
