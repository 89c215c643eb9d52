"""Pages of experiments, from the saved results alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.experiments.experiment import OPTIONS, Experiment, Records, Results

SHORT = 90  # seconds: less is not told in minutes
STALE = (
    "*These numbers are older than the way of measuring that is described here; they await another run of the "
    "command.*"
)
DOCS = Path(__file__).parents[2] / "docs"


@dataclass(frozen=True)
class Page:
    """``name``: of the page (``name.md``) and of the folder beside it; ``package``: whose ``modules`` are its
    experiments, in the order of the page.
    """

    name: str
    package: str
    modules: tuple[str, ...]
    introduction: str

    @property
    def experiments(self) -> list[Experiment]:
        """All of them."""
        return [import_module(f"{self.package}.{module}").EXPERIMENT for module in self.modules]

    def folder(self, docs: Path) -> Path:
        """Of results and figures."""
        return docs / self.name

    def rendered(self, docs: Path) -> str:
        """The page, of the saved results; experiments that have none are named at its end."""
        folder = self.folder(docs)
        known = [one for one in self.experiments if (folder / f"{one.name}.json").exists()]
        missing = [one.name for one in self.experiments if one not in known]
        parts = [self.introduction, *(self._section(one, Results.load(folder, one.name)) for one in known)]
        if missing:
            parts.append(f"Not run yet: {', '.join(missing)}.\n")
        return "\n".join(parts)

    def write(self, docs: Path) -> None:
        """Beside the folder of results."""
        (docs / f"{self.name}.md").write_text(self.rendered(docs), encoding="utf-8")

    def _section(self, experiment: Experiment, results: Results) -> str:
        """What one experiment asked, did and found."""
        findings = [*experiment.says(results.records), *diagnostics_of(results.records)]
        s, stale = results.setting, results.revision != experiment.revision
        return "\n\n".join(
            (
                f"## {experiment.title}",
                f"**{experiment.question}** {experiment.done}",
                *([STALE] if stale else []),
                f"![{experiment.caption}]({self.name}/{experiment.name}.svg)",
                f"*{experiment.caption}*",
                "\n".join(f"- {finding}" for finding in findings),
                experiment.columns.format(over=s.over, rounds=s.seeds, rows=f"{s.rows:,}"),
                experiment.table(results.records).markdown(),
                origin(self.package, experiment, results) + "\n",
            )
        )


def diagnostics_of(records: Records) -> list[str]:
    """How often reports warned: a finding, where records tell. Records with the same error are of the same fit."""
    fits = {(r["system"], r["seed"], r["rmse"]): set(r["diagnostics"]) for r in records if "diagnostics" in r}
    if not fits:
        return []
    counts = Counter(code for codes in fits.values() for code in codes)
    told = ", ".join(
        f"`{code}` in {count}" for code, count in sorted(counts.items(), key=lambda c: (-c[1], c[0]))
    )
    return [f"What the reports of {len(fits)} fits warn of or note: {told or 'nothing'}."]


def origin(package: str, experiment: Experiment, results: Results) -> str:
    """The command that made a section, where, and how long it takes."""
    s = results.setting
    values: dict[str, str | int] = {"preset": s.preset, "rows": s.rows, "seeds": s.seeds}
    values |= {"threads": s.threads} if s.threads != experiment.setting.threads else {}
    values |= {"table": s.table, "target": s.target, "modalities": s.modalities}
    chosen = [f"{OPTIONS[key]} {value}" for key, value in values.items() if key in experiment.options]
    chosen += [f"--set {assignment}" for assignment in s.assignments]
    command = " ".join((f"python -m {package}.{results.experiment}", *chosen))
    threads = ""
    if "threads" in experiment.options:
        threads = ", one thread" if s.threads == 1 else f", {s.threads} threads"
    return f"`{command}`: {duration(results.seconds)}{threads}. pidreg {results.version}, {results.machine}."


def duration(seconds: float) -> str:
    """In words."""
    return f"{seconds / 60:.0f} minutes" if seconds >= SHORT else f"{seconds:.0f} seconds"
