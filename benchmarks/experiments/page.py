"""``docs/experiments.md``, from the saved results alone."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from benchmarks.experiments.experiment import Experiment, Results

ROOT = Path(__file__).parents[2]
PAGE = Path("experiments.md")
FOLDER = Path("experiments")  # of the results and figures, beside the page

INTRODUCTION = """\
# Experiments: what the paper shows, and what it leaves open

PIDReg ([arXiv 2512.22102](https://arxiv.org/abs/2512.22102)) learns a target from several groups of columns
(*modalities*) and says how much of the information about the target is in one modality alone, in several alike
(*shared*), or only in their combination. Here are its experiments, and questions that it does not answer, on synthetic
tables whose true information is known. Bits: one bit halves the spread of what remains unknown of the target
(RMSE of normal scores). *Found* is what a fit reports from rows that trained nothing.

`python -m benchmarks.experiments` runs all of them and writes this page, its figures and numbers
([experiments/](experiments)); `python -m benchmarks.experiments.NAME` one of them; `--render` writes page and figures
again from the saved numbers. Text, tables and figures below are made by these commands, one thread each.
"""


def rendered(experiments: Sequence[Experiment], folder: Path) -> str:
    """The page, of the results in ``folder``; experiments that have none are named at its end."""
    known = [one for one in experiments if (folder / f"{one.name}.json").exists()]
    missing = [one.name for one in experiments if one not in known]
    parts = [INTRODUCTION, *(section(one, Results.load(folder, one.name)) for one in known)]
    if missing:
        parts.append(f"Not run yet: {', '.join(missing)}.\n")
    return "\n".join(parts)


def section(experiment: Experiment, results: Results) -> str:
    """What one experiment asked, did and found."""
    findings = "\n".join(f"- {finding}" for finding in experiment.says(results.records))
    return (
        f"## {experiment.title}\n\n**{experiment.question}** {experiment.done}\n\n"
        f"![{experiment.caption}]({FOLDER}/{experiment.name}.svg)\n\n*{experiment.caption}*\n\n"
        f"{findings}\n\n{experiment.columns}\n\n"
        f"{experiment.table(results.records).markdown()}\n\n{origin(results)}\n"
    )


def origin(results: Results) -> str:
    """The command that made a section, and how long it takes."""
    s = results.setting
    command = f"python -m benchmarks.experiments.{results.experiment} --preset {s.preset} --rows {s.rows}"
    changes = "".join(f" --set {assignment}" for assignment in s.assignments)
    return (
        f"`{command} --seeds {s.seeds}{changes}`: {len(results.records)} records, {results.seconds / 60:.0f} "
        "minutes on one "
        f"thread, pidreg {results.version}."
    )


def write_page(experiments: Sequence[Experiment], docs: Path) -> None:
    """Beside the folder of results."""
    (docs / PAGE).write_text(rendered(experiments, docs / FOLDER), encoding="utf-8")
