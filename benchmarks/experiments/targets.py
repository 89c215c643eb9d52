"""Targets of other shapes than the normal: ``python -m benchmarks.experiments.targets`` (PIDReg, arXiv 2512.22102)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments import PAGE
from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import PART_COLOURS, part_bars
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import (
    PARTS,
    by,
    fit_record,
    kept,
    mean,
    part,
    parts,
    total,
    worst_error,
)
from benchmarks.fits.synthetic import Floats, draw, fitted
from benchmarks.known_truth.held_back import PiecewiseCurve
from pidreg_cli.data.synthetic.quadrature import integer_information, mutual_information
from pidreg_cli.data.synthetic.systems import SyntheticSystem
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NORMAL = SyntheticSystem(
    "normal",
    "a common and two unique latents",
    {"a": ("m", "u"), "b": ("m", "v")},
    linear={"m": 0.6, "u": 0.6, "v": 0.3},
    noise=0.43,
)
JUMP = 1.5  # each way: the humps stand three apart, with a deviation of about one


def jump(latent: Floats) -> Floats:
    """Down or up by the sign of the latent."""
    return np.where(latent > 0, JUMP, -JUMP)


SYSTEMS = (
    NORMAL,
    replace(NORMAL, name="heavy-tailed", tail=0.3),
    replace(NORMAL, name="exponential", exponential=True),
    replace(NORMAL, name="thirteen integers", edges=tuple(0.5 * k + 0.25 for k in range(-6, 6))),
    replace(NORMAL, name="three integers", edges=(-0.6, 0.6)),
    replace(
        NORMAL,
        name="two-humped",
        modalities={"a": ("m", "u", "s"), "b": ("m", "v")},
        interaction=PiecewiseCurve("s", jump, (0.0,)),
    ),
)
BINS, SHOWN = 40, 0.01  # of the histogram, and the share left out at each end: tails would hide the rest
NEAR = 0.05  # of the truth


def cases(setting: Setting) -> list[Case]:
    """Every target, by its place, and seed."""
    return list(product(range(len(SYSTEMS)), range(setting.seeds)))


def measure(setting: Setting, place: int, seed: int) -> list[Record]:
    """A fit, with the target's histogram."""
    system = SYSTEMS[place]
    sample = draw(system, setting.rows, seed)
    target = sample.arrays.required_target
    shape = {"histogram": kept(histogram(target)), "entropy": entropy(target) if system.edges else None}
    fit = fitted(sample.arrays, setting.settings(seed))
    return [{"seed": seed, **shape, **fit_record(sample, *fit)}]


def histogram(target: Floats) -> Floats:
    """Shares of rows by bins of equal width between the outer quantiles."""
    low, high = np.quantile(target, [SHOWN, 1 - SHOWN])
    counts, _ = np.histogram(target, BINS, (low, high))
    return np.asarray(counts / counts.sum())


def entropy(target: Floats) -> float:
    """Of a discrete target (bits): what can be known of it at most."""
    shares = np.unique(target, return_counts=True)[1] / len(target)
    return round(float(-(shares * np.log2(shares)).sum()), 4)


def raw(record: Record) -> float:
    """What the error in the target's units, of the same predictions, would say of the whole (bits)."""
    return -0.5 * math.log2(1 - record["r2"])


def table(records: Records) -> Table:
    """A line per target, means over seeds."""
    lines = []
    for (system,), found in by(records, "system").items():
        pairs = [
            f"{mean(found, part('found', p)):.2f} / {parts(found[0]['true'])[i]:.2f}"
            for i, p in enumerate(PARTS)
        ]
        whole = f"{mean(found, total('found')):.3f} / {total('true')(found[0]):.3f}"
        worst = max((worst_error(record) for record in found), key=abs)
        least = found[0]["entropy"]
        cells = (
            f"{worst:+.3f}",
            f"{mean(found, raw):.2f}",
            f"{exact_information(system):.2f}",
            "" if least is None else f"{least:.2f}",
            warned(found),
        )
        lines.append((system, whole, *pairs, *cells))
    columns = ("target", "whole", *PARTS, "largest error", "by errors in units", "exact", "entropy", "warned")
    return Table(columns, tuple(lines))


def warned(records: Records) -> str:
    """How many fits say that the target is not continuous."""
    count = sum("data.target_not_continuous" in record["diagnostics"] for record in records)
    return f"{count} of {len(records)}"


def plot(records: Records, figure: Figure) -> None:
    """The shape of each target beside its true and found information."""
    systems = by(records, "system")
    panels = figure.subplots(len(systems), 2, width_ratios=(1, 3), squeeze=False)
    most = max(max(total(key)(record) for key in ("true", "found")) for record in records)
    for (shape, bars), ((system,), found) in zip(panels, systems.items(), strict=True):
        shown_shape(shape, system, found[0]["histogram"])
        part_bars(bars, [parts(found[0]["true"])], -0.19, true=True)
        part_bars(bars, [[mean(found, part("found", p)) for p in PARTS]], 0.19, true=False)
        for place, word in ((-0.19, "true"), (0.19, "found")):
            bars.text(-0.02, place, word, ha="right", va="center", fontsize=8)
        bars.set_ylim(0.5, -0.5)
        bars.set_yticks([])
        bars.set_xlim(0, most * 1.05)
        bars.spines["left"].set_visible(False)
        bars.label_outer()
    panels[0][0].set_title("Shape of the target")
    panels[-1][1].set_xlabel("information about the target (bits)")
    legend(figure)


def shown_shape(axes: Axes, name: str, heights: Sequence[float]) -> None:
    """A histogram without scales."""
    axes.bar(range(len(heights)), heights, width=1.0, color=palette.MUTED)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.set_ylabel(name.replace(" ", "\n"), rotation=0, ha="right", va="center")


def legend(figure: Figure) -> None:
    """What the colours mean."""
    from matplotlib.patches import Patch

    labels = ("in one modality alone", "in both alike (shared)", "only in combination")
    handles = [Patch(color=colour, label=label) for colour, label in zip(PART_COLOURS, labels, strict=True)]
    figure.legend(handles=handles, loc="outside upper right", ncols=3)


def says(records: Records) -> list[str]:
    """Which shapes are read rightly, and where the number means less."""
    systems = {system: found for (system,), found in by(records, "system").items()}

    def off(name: str) -> float:
        return mean(systems[name], total("found")) / total("true")(systems[name][0]) - 1

    good = [name for name in systems if abs(off(name)) <= NEAR]
    bad = [f"`{name}` ({off(name):+.0%})" for name in systems if name not in good]
    within = ", ".join(f"`{name}`" for name in good) or "none"
    return [
        f"Within {NEAR:.0%} of the true information of the whole: {within}. "
        + (f"Further off: {', '.join(bad)}." if bad else "No shape is further off."),
        *(transformed(name, found) for name, found in systems.items() if told_apart(found)),
        few_values(systems["three integers"]),
    ]


def told_apart(records: Records) -> bool:
    """Whether errors in units say another whole than normal scores."""
    return abs(mean(records, raw) / mean(records, total("found")) - 1) > NEAR


def transformed(name: str, records: Records) -> str:
    """Which of the two is nearer to all that there is to know, normal scores or errors in units."""
    units, found = mean(records, raw), mean(records, total("found"))
    true, exact = total("true")(records[0]), exact_information(name)
    told = (
        f"Of the `{name}` target errors in its own units would say {units:.2f} bits; on normal scores {found:.2f} are "
        f"found and {true:.2f} are there, of {exact:.2f} that there are to know."
    )
    if units < true:
        return f"{told} Hence the transform." if abs(found - exact) < abs(units - exact) else told
    lost = f"{told} The transform loses {exact - true:.2f} bits"
    return f"{lost}, and errors in units say more than there is." if units > exact else f"{lost}."


def few_values(records: Records) -> str:
    """What the number is worth for a target of three values."""
    true, exact = total("true")(records[0]), exact_information(records[0]["system"])
    bound = f": {true:.2f} are there on normal scores, and {exact:.2f} to know" if true > exact else ""
    return (
        "Of a target of three values the number is no lower bound of information in the strict sense, as its normal "
        f"scores have three values too{bound}. Here {mean(records, total('found')):.2f} bits are found, of "
        f"{records[0]['entropy']:.2f} bits of entropy; the report warns in {warned(records)} fits."
    )


@cache
def exact_information(name: str) -> float:
    """Mutual information of all modalities and the target (bits), of which normal scores show the most part."""
    (system,) = (one for one in SYSTEMS if one.name == name)
    mixture = system.mixture(frozenset(system.latents_of(system.modalities)))
    return integer_information(mixture, system.edges) if system.edges else mutual_information(mixture)


EXPERIMENT = Experiment(
    name="targets",
    title="What if the target is not bell-shaped?",
    question="Do heavy tails, two humps or integers upset the decomposition, which assumes a normal target?",
    done=(
        "The same two modalities make targets of six shapes; a fit first turns each into normal scores. "
        "`two-humped` has one more signal in a, which chooses the hump."
    ),
    columns=(
        "Found / true in bits, {over}, truth of the same quantity; largest error of any set in any fit. By "
        "errors in units: what R2 of the same predictions in the target's own units would say of the whole. "
        "Exact: the mutual information, of which normal scores need not show all. Entropy: the most that can be "
        "known of a target of few values. Warned: fits that report `data.target_not_continuous`."
    ),
    caption="Six targets (histograms without the outer 2 %) and the information about them, true (pale) and found.",
    setting=Setting("fast", 5000, 1, 1),
    height=5.6,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
