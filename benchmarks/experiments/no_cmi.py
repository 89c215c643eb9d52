"""Without the conditional term, with a leakage probe: ``python -m benchmarks.experiments.no_cmi``.

PIDReg, arXiv 2512.22102, appendix D.1.2.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments import PAGE
from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import grid
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import by, fit_record, kept, mean, total, worst_error
from benchmarks.fits.synthetic import draw, fitted
from benchmarks.regularisers import leakage_probe
from pidreg_cli.config.loading import load_settings
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SYSTEMS = ("mixed", "redundant")
WEIGHTS = (0.0, 0.1, 1.0)
"""Of the term: off, as published, and ten times that."""
NO_LEAK = "no more", "It cannot be otherwise: a code is a function of its own features and of noise."
LEAK = (
    "more",
    "A code is a function of its own features and of noise and cannot hold more: it lays it out in plainer view.",
)
PRESETS = ("fast", "balanced", "thorough", "paper")
CLEAR = 0.01  # of R2 or bits: differences below are no effect worth the name


def cases(setting: Setting) -> list[Case]:
    """Every system, weight and seed."""
    return list(product(SYSTEMS, WEIGHTS, range(setting.seeds)))


def measure(setting: Setting, system: str, weight: float, seed: int) -> list[Record]:
    """A fit, and what a small network reads of b from the code of a, and back."""
    sample = draw(system, setting.rows, seed)
    fit, seconds = fitted(sample.arrays, setting.settings(seed, f"loss.conditional={weight}"))
    codes = fit.outcome.deployed.model.read(sample.arrays, []).codes
    from_codes, from_features = leakage_probe(sample, codes, seed)
    probes = {"from_code": kept(from_codes), "from_features": kept(from_features)}
    return [{"weight": weight, "seed": seed, **probes, **fit_record(sample, fit, seconds)}]


def leakage(record: Record) -> float:
    """R2 from a code less that from the features which it is made of, mean over modalities."""
    return float(np.mean(np.subtract(record["from_code"], record["from_features"])))


def at(key: str, place: int) -> Callable[[Record], float]:
    """R2 from the code or the features of one modality."""
    return lambda record: float(record[key][place])


def table(records: Records) -> Table:
    """A line per system and weight, means over seeds."""
    lines = []
    for (system, weight), found in by(records, "system", "weight").items():
        probes = [
            f"{mean(found, at('from_code', i)):.3f} / {mean(found, at('from_features', i)):.3f}"
            for i in (0, 1)
        ]
        worst = max((worst_error(record) for record in found), key=abs)
        bits = mean(found, lambda record: total("found")(record) - total("true")(record))
        rmse = mean(found, lambda record: record["rmse"])
        lines.append(
            (
                f"{system}, {weight:g}",
                *probes,
                f"{mean(found, leakage):+.3f}",
                f"{bits:+.3f}",
                f"{worst:+.3f}",
                f"{rmse:.4f}",
            )
        )
    columns = ("system, weight", "a tells of b", "b tells of a", "leakage", "whole", "largest error", "RMSE")
    return Table(columns, tuple(lines))


def plot(records: Records, figure: Figure) -> None:
    """R2 of the probe against the weight of the term, a panel per system."""
    systems = by(records, "system")
    panels = figure.subplots(1, len(systems), sharey=True)
    for axes, ((system,), found) in zip(panels, systems.items(), strict=True):
        panel(axes, system, found)
    # After all panels are drawn: they share their limits, and to set one end fixes the other as it is by then.
    panels[0].set_ylim(bottom=0)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper left", ncols=2)
    panels[0].set_ylabel("share of the other modality\nthat can be predicted (R2)")


def panel(axes: Axes, system: str, records: Records) -> None:
    """Of one system: from codes as marks, from features as lines at the height of their mean."""
    for i, (colour, marker) in enumerate(
        zip((palette.UNIQUE, palette.TOGETHER), palette.MARKERS, strict=False)
    ):
        one, other = ("a", "b") if i == 0 else ("b", "a")
        level = mean(records, at("from_features", i))
        axes.axhline(level, color=colour, linewidth=1.2, linestyle="--")
        places = [WEIGHTS.index(record["weight"]) + (-0.08, 0.08)[i] for record in records]
        axes.plot(
            places,
            [record["from_code"][i] for record in records],
            marker,
            color=colour,
            markersize=5,
            alpha=0.8,
            label=f"{other} from the code of {one} (dashed: from its features)",
        )
    axes.set_xticks(range(len(WEIGHTS)), ["0 (off)", *(f"{weight:g}" for weight in WEIGHTS[1:])])
    axes.set_xlabel("weight of the conditional term")
    axes.set_title(f"System {system}")
    grid(axes, "y")


def says(records: Records) -> list[str]:
    """Whether codes leak without the term, what the term changes, and how presets weigh it."""
    most = max(leakage(record) for record in records if record["weight"] == 0)
    verdict, why = NO_LEAK if most < CLEAR else LEAK
    published, strong = (largest_change(records, leakage, weight) for weight in WEIGHTS[1:])
    bits = max((largest_change(records, total("found"), weight) for weight in WEIGHTS[1:]), key=abs)
    return [
        f"Without the term a code tells {verdict} of the other modality than the features that it is made of: leakage "
        f"is at most {most:+.3f} of R2. {why}",
        f"At its published weight the term {moved(published)}, with ten times the weight it {moved(strong)}. The "
        f"information of the whole changes by {abs(bits):.3f} bits at most, with either.",
        presets(),
    ]


def moved(change: float) -> str:
    """What the term does to the mean leakage."""
    if abs(change) < CLEAR:
        return f"does nothing that shows (mean leakage moves by less than {CLEAR} of R2)"
    return f"{'lowers' if change < 0 else 'raises'} the mean leakage by up to {abs(change):.2f} of R2"


def presets() -> str:
    """Weights of the term in presets, beside those that were tried."""
    weights: dict[float, list[str]] = {}
    for preset in PRESETS:
        weights.setdefault(load_settings(preset).loss.conditional, []).append(f"`{preset}`")
    told = " or ".join(f"{weight:g} ({', '.join(names)})" for weight, names in weights.items())
    return f"Presets weigh the term with {told}; {', '.join(f'{weight:g}' for weight in WEIGHTS)} were tried."


def largest_change(records: Records, value: Callable[[Record], float], weight: float) -> float:
    """Of the mean of a value, over the systems, from a fit without the term to one with this weight; with its sign."""
    changes = []
    for found in by(records, "system").values():
        weights = by(found, "weight")
        changes.append(mean(weights[(weight,)], value) - mean(weights[(0.0,)], value))
    return max(changes, key=abs)


EXPERIMENT = Experiment(
    name="no_cmi",
    title="What does the conditional term do?",
    question="Does a code, without the term that forbids it, tell of the other modality what it should not?",
    done=(
        "The paper adds a term to the loss that keeps the code of one modality independent of the other, "
        "given its own input. Fits leave it out or weigh it up; then a small network, which saw neither, "
        "predicts the features of one modality from the code of the other, and from the other's features, "
        "which set what can be told at all."
    ),
    columns=(
        "R2 from the code / from the features, {over}. Leakage: the first less the second, mean of both ways. "
        "Whole: found less true information in bits. Largest error: of any set in any fit."
    ),
    caption=(
        "How well one modality can be predicted from the code of the other (marks, one per fit), against "
        "the weight of the term; dashed: from the other's features themselves."
    ),
    setting=Setting("fast", 5000, 1, 1),
    height=3.9,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
