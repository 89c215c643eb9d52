"""Leaving a modality out: ``python -m benchmarks.experiments.modality_drop`` (PIDReg, arXiv 2512.22102)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import TYPE_CHECKING

from benchmarks.experiments import PAGE
from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import name_lines
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import by, fit_record, mean, part, total
from benchmarks.fits.synthetic import draw, fitted
from pidreg_cli.fitting import Fit
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SYSTEMS = ("dominant", "redundant", "mixed")
LIGHT = 0.05  # a weight below it is none to speak of
CHEAP = 0.02  # of RMSE


def cases(setting: Setting) -> list[Case]:
    """Every system and seed."""
    return list(product(SYSTEMS, range(setting.seeds)))


def measure(setting: Setting, system: str, seed: int) -> list[Record]:
    """A fit, and one without each of its two modalities."""
    sample = draw(system, setting.rows, seed)
    settings = setting.settings(seed)
    record = fit_record(sample, *fitted(sample.arrays, settings))
    names, found = sample.arrays.names, []
    for name in names:
        fit, _ = fitted(sample.arrays.only(*(other for other in names if other != name)), settings)
        found.append({"seed": seed, "left_out": name, "rmse_without": rmse_of(fit), **record})
    return found


def rmse_of(fit: Fit) -> float:
    """On test rows."""
    metrics = fit.report.metrics
    if metrics is None or metrics.test is None or metrics.test.rmse is None:
        raise RuntimeError("the fit was not scored on test rows")
    return metrics.test.rmse


def weight(record: Record) -> float:
    """Of the modality that is left out: of its code, and of the product that needs it."""
    return float(record["weights"][record["left_out"]] + record["weights"]["a*b"])


def growth(record: Record) -> float:
    """Of the RMSE, relative."""
    return float(record["rmse_without"] / record["rmse"] - 1)


def table(records: Records) -> Table:
    """A line per system and modality, means over seeds."""
    lines = []
    for (system, name), found in by(records, "system", "left_out").items():
        own = mean(found, lambda record: record["weights"][record["left_out"]])
        pair = mean(found, lambda record: record["weights"]["a*b"])
        errors = (mean(found, lambda record, key=key: record[key]) for key in ("rmse", "rmse_without"))
        cells = (
            f"{own:.3f}",
            f"{pair:.3f}",
            *(f"{error:.4f}" for error in errors),
            f"{mean(found, growth):+.1%}",
        )
        lines.append((f"{system}, without {name}", *cells))
    columns = (
        "system",
        "weight of its code",
        "weight of the product",
        "RMSE of both",
        "RMSE without",
        "change",
    )
    return Table(columns, tuple(lines))


def plot(records: Records, figure: Figure) -> None:
    """Weights beside what leaving out costs."""
    found = by(records, "system", "left_out")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, value, colour in ((left, weight, palette.UNIQUE), (right, growth, palette.TOGETHER)):
        heights = [100 * mean(one, value) for one in found.values()]
        bars = axes.barh(range(len(found)), heights, height=0.62, color=colour)
        axes.bar_label(bars, [f"{height:.1f}" for height in heights], fontsize=8, padding=3)
        # Room for labels on the side of the bars, few of which go left.
        axes.set_xlim(min(0, *heights) - 0.12 * max(heights) * (min(heights) < 0), max(heights) * 1.2)
    name_lines(left, [f"{name} of {system}" for system, name in found])
    right.grid(axis="x", color=palette.GRID, linewidth=0.7)
    right.spines["left"].set_visible(False)
    right.axvline(0, color=palette.MUTED, linewidth=0.8)
    right.tick_params(axis="y", length=0)
    left.set_title("Weight of the modality in the fit")
    left.set_xlabel("% of all weights (a product counts with both)")
    right.set_title("What leaving it out costs")
    right.set_xlabel("prediction error grows by (%)")


def says(records: Records) -> list[str]:
    """Whether light modalities are cheap to drop, and dear ones heavy."""
    found = by(records, "system", "left_out")
    weak = found[("dominant", "b")]
    light = {key: one for key, one in found.items() if mean(one, weight) < LIGHT}
    cheap = {key: one for key, one in light.items() if mean(one, growth) < CHEAP}
    heavy = {
        key: one for key, one in found.items() if mean(one, weight) >= LIGHT and mean(one, growth) < CHEAP
    }
    sentences = [
        f"The weak modality of `dominant` has {mean(weak, weight):.1%} of the weights, and without it the "
        f"error changes by {mean(weak, growth):+.1%}.",
        f"Less than {LIGHT:.0%} of the weights: {len(light)} of {len(found)} modalities"
        + (f"; of these {len(cheap)} can be left out for less than {CHEAP:.0%} of RMSE." if light else "."),
    ]
    return sentences + ([heavy_and_cheap(heavy)] if heavy else [])


def heavy_and_cheap(heavy: Mapping[tuple[str, str], Records]) -> str:
    """Modalities that can be left out in spite of their weight; why, where all of them tell what another tells."""
    named = ", ".join(f"{name} of `{system}`" for system, name in heavy)
    alike = all(part("true", "shared")(one[0]) > 0.5 * total("true")(one[0]) for one in heavy.values())
    return (
        f"The reverse does not hold: {named} can be left out for less than {CHEAP:.0%} as well and have a weight"
        + (", because modalities that tell the same share it" if alike else "")
        + ". Which can be spared says `pidreg select-modalities`, not the weights."
    )


EXPERIMENT = Experiment(
    name="modality_drop",
    title="Can a modality without weight be left out?",
    question="Does a fit give a weak modality no weight, and does it cost nothing then to leave it out?",
    done="Each system is fitted with both modalities, and again without each of them.",
    columns="Weights of the fusion as the report gives them, of one in all; RMSE on test rows; {over}.",
    caption=(
        "Left: weight of a modality's code and of its product with the other, so that the product counts twice. "
        "Right: growth of the error of a fit that does without it."
    ),
    setting=Setting("fast", 5000, 1, 1),
    height=2.9,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
