"""Pages of experiments, from the saved results alone."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from benchmarks.experiments.experiment import Experiment, Results

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
        return "\n\n".join(
            (
                f"## {experiment.title}",
                f"**{experiment.question}** {experiment.done}",
                f"![{experiment.caption}]({self.name}/{experiment.name}.svg)",
                f"*{experiment.caption}*",
                "\n".join(f"- {finding}" for finding in experiment.says(results.records)),
                experiment.columns,
                experiment.table(results.records).markdown(),
                origin(self.package, results) + "\n",
            )
        )


def origin(package: str, results: Results) -> str:
    """The command that made a section, where, and how long it takes."""
    s = results.setting
    changes = "".join(f" --set {assignment}" for assignment in s.assignments)
    command = (
        f"python -m {package}.{results.experiment} --preset {s.preset} --rows {s.rows} --seeds {s.seeds}"
    )
    threads = "one thread" if s.threads == 1 else f"{s.threads} threads"
    return (
        f"`{command}{changes}`: {results.seconds / 60:.0f} minutes, {threads}. pidreg {results.version}, "
        f"{results.machine}."
    )
