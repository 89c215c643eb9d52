"""Synthetic truth: ``python -m benchmarks.experiments.truth`` (PIDReg, arXiv 2512.22102, section 4.1)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

from benchmarks.experiments import PAGE
from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import true_and_found_bars
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import PARTS, by, fit_record, mean, part, parts, total, worst_error
from benchmarks.fits.synthetic import draw, fitted
from pidreg_cli.data.synthetic.systems import SYSTEMS

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NOTHING = 0.001  # bits: a true part below it is none
CHANCE = 0.1
"""Bits: two standard errors of the information that a thousand test rows show. A mean square of n rows has the relative
deviation sqrt(2 / n), a ratio of two at most sqrt(4 / n), and the information 1 / (2 ln 2) of that.
"""


def cases(setting: Setting) -> list[Case]:
    """Every system and seed."""
    return list(product(SYSTEMS, range(setting.seeds)))


def measure(setting: Setting, system: str, seed: int) -> list[Record]:
    """A fit."""
    sample = draw(system, setting.rows, seed)
    return [{"seed": seed, **fit_record(sample, *fitted(sample.arrays, setting.settings(seed)))}]


def table(records: Records) -> Table:
    """A line per system, means over seeds."""
    lines = []
    for (system,), found in by(records, "system").items():
        pairs = [
            f"{mean(found, part('found', p)):.2f} / {parts(found[0]['true'])[i]:.2f}"
            for i, p in enumerate(PARTS)
        ]
        whole = f"{mean(found, total('found')):.3f} / {total('true')(found[0]):.3f}"
        worst = max((worst_error(record) for record in found), key=abs)
        lines.append((system, whole, *pairs, f"{worst:+.3f}"))
    columns = ("system", "whole", *PARTS, "largest error")
    return Table(columns, tuple(lines))


def plot(records: Records, figure: Figure) -> None:
    """True and found parts of every system."""
    systems = by(records, "system")
    found = [[mean(one, part("found", p)) for p in PARTS] for one in systems.values()]
    true = [parts(one[0]["true"]) for one in systems.values()]
    true_and_found_bars(figure.subplots(), [system for (system,) in systems], true, found)


def says(records: Records) -> list[str]:
    """How far off fits are, which way, and whether they make up synergy."""
    worst = max(records, key=lambda record: abs(worst_error(record)))
    none = [record for record in records if part("true", "only together")(record) < NOTHING]
    null = [record for record in records if total("true")(record) < NOTHING]
    phantom = max((part("found", "only together")(record) for record in none), default=0.0)
    made_up = max((total("found")(record) for record in null), default=0.0)
    return [
        f"The largest error of any set of modalities, in {len(records)} fits, is {worst_error(worst):+.2f} "
        f"bits (system `{worst['system']}`).",
        *wholes(by(records, "system")),
        f"Where nothing is told by combination alone, at most {phantom:.3f} bits of it are found "
        f"({counted(none)}); where nothing informs at all, at most {made_up:.3f} bits ({counted(null)}).",
    ]


def counted(records: Records) -> str:
    """How many fits."""
    return "1 fit" if len(records) == 1 else f"{len(records)} fits"


def wholes(systems: Mapping[tuple[str], Records]) -> list[str]:
    """In how many systems the whole reads low, and high, and by how much."""
    gaps = [mean(one, total("found")) - total("true")(one[0]) for one in systems.values()]
    low, high = [-gap for gap in gaps if gap < -NOTHING], [gap for gap in gaps if gap > NOTHING]
    found = []
    if low:
        found.append(
            f"The whole reads below the truth in {len(low)} of {len(gaps)} systems, by {max(low):.2f} bits at "
            "most: a model of so many rows shows no more."
        )
    if high:
        why = (
            "no more than the choice of test rows explains"
            if max(high) < CHANCE
            else "more than chance explains"
        )
        found.append(f"It reads above the truth in {len(high)}, by {max(high):.2f} bits at most: {why}.")
    return found or ["The whole reads as it is in all systems."]


EXPERIMENT = Experiment(
    name="truth",
    title="Does it find what is there?",
    question="If the true parts of the information are known, does a fit find them?",
    done="Tables are drawn from sixteen systems, from a single informative modality to an exclusive or, and fitted.",
    columns=(
        "Found / true in bits, {over}. Largest error: found less true information of any set of modalities in "
        "any fit. What the systems are: `pidreg synth --list`."
    ),
    caption="Information of each synthetic system: the truth (pale, above) and what fits find (full, below).",
    setting=Setting("fast", 5000, 1, 1),
    height=7.6,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
