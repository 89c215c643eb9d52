"""A step, part by part, against a bare one: ``python -m benchmarks.training_speed.steps``."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import name_lines
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import by
from benchmarks.training_speed import PAGE
from benchmarks.training_speed.epochs import Trainer, only
from benchmarks.training_speed.epochs import table as made_table
from pidreg_cli.config.settings import LossSettings
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTHS = {"a": 81, "b": 86}  # as many features as the paper's table of superconductors has
NETWORKS = (("fast", 0), ("balanced", 0), ("balanced", 1))
BARE, FULL = "bare", "full step"
EPOCHS = 2
LIMIT = 1.5


def variants(loss: LossSettings) -> dict[str, tuple[LossSettings, int]]:
    """Weights of the loss, and the stage that is measured, by name of the line."""
    parts = {
        "heads (sufficiency)": "sufficiency",
        "codes normal (Cauchy-Schwarz)": "cauchy_schwarz",
        "conditional independence": "conditional",
        "joint normality": "gaussianity",
    }
    made = {BARE: (only(loss), 2)}
    made |= {f"bare + {name}": (only(loss, term), 2) for name, term in parts.items()}
    made[FULL] = (loss, 2)
    made["full, weights follow the atoms"] = (loss, 1)
    made["full, kernel terms in every step"] = (loss.model_copy(update={"every": 1}), 2)
    return made


def cases(setting: Setting) -> list[Case]:
    """Every network."""
    return list(NETWORKS)


def measure(setting: Setting, preset: str, member: int) -> list[Record]:
    """Milliseconds of a step, every variant in turn, as often as there are ``seeds``."""
    settings = replace(setting, preset=preset).settings(0)
    trainer = Trainer(made_table(setting.rows, WIDTHS), settings, member)
    batch = settings.training.batch_size
    found = []
    for repetition, (name, (loss, stage)) in product(range(setting.seeds), variants(settings.loss).items()):
        first, second = (EPOCHS, 1) if stage == 1 else (1, EPOCHS)
        seconds = min(trainer.seconds(loss, first, second)[stage])
        found.append(
            {
                "network": label(preset, member),
                "variant": name,
                "repetition": repetition,
                "batch": batch,
                "milliseconds": round(1e3 * seconds / (setting.rows // batch), 3),
            }
        )
    return found


def label(preset: str, member: int) -> str:
    """A network of a preset."""
    return f"{preset}, second network" if member else preset


def fastest(records: Records) -> float:
    """Least of the repetitions: what disturbs only adds."""
    return float(np.min([record["milliseconds"] for record in records]))


def ratios(records: Records) -> dict[str, dict[str, float]]:
    """Time of every variant over that of the bare step, by network."""
    found: dict[str, dict[str, float]] = {}
    for (network,), one in by(records, "network").items():
        times = {variant: fastest(r) for (variant,), r in by(one, "variant").items()}
        found[network] = {variant: time / times[BARE] for variant, time in times.items()}
    return found


def table(records: Records) -> Table:
    """A line per variant: milliseconds and ratio for each network."""
    found, networks = by(records, "variant", "network"), by(records, "network")
    ratio = ratios(records)
    lines = []
    for (variant,) in by(records, "variant"):
        cells = [f"{fastest(found[variant, n]):.2f} ({ratio[n][variant]:.2f})" for (n,) in networks]
        lines.append((variant, *cells))
    return Table(("step", *(n for (n,) in networks)), tuple(lines))


def plot(records: Records, figure: Figure) -> None:
    """Ratios as bars, a panel per network."""
    found = ratios(records)
    panels = figure.subplots(1, len(found), sharey=True)
    for axes, (network, ratio) in zip(panels, found.items(), strict=True):
        colours = [palette.SHARED if variant == BARE else palette.UNIQUE for variant in ratio]
        bars = axes.barh(range(len(ratio)), list(ratio.values()), height=0.62, color=colours)
        # Within the bars, where neither the goal's line nor a neighbour runs through them.
        labels = [f"{value:.2f}" for value in ratio.values()]
        axes.bar_label(bars, labels, label_type="center", fontsize=8, color=palette.PAGE)
        axes.axvline(LIMIT, color=palette.TOGETHER, linewidth=1, linestyle="--")
        axes.set_xlim(0, max(*ratio.values(), LIMIT) * 1.25)
        axes.set_title(network.replace(", ", ",\n"))
        axes.set_xlabel("time of a bare step = 1")
    name_lines(panels[0], list(next(iter(found.values()))))
    for axes in panels[1:]:
        axes.tick_params(axis="y", length=0)


def says(records: Records) -> list[str]:
    """Whether the limit is kept."""
    found = ratios(records)
    full = {network: ratio[FULL] for network, ratio in found.items()}
    worst = max(full, key=lambda network: full[network])
    every = max(ratio["full, kernel terms in every step"] for ratio in found.values())
    return [
        f"A full step takes {min(full.values()):.2f} to {max(full.values()):.2f} times a bare one, most in "
        f"network `{worst}`; the goal is {LIMIT} at most.",
        "The three terms with kernels enter every fourth step, with four times the weight; full is the "
        f"mean over steps as they are trained. In every step they would make it up to {every:.2f} times a "
        "bare one.",
    ]


EXPERIMENT = Experiment(
    name="steps",
    title="A step of training",
    question="How much longer does a step take than one of the same network without PID and regularisers?",
    done=(
        f"Batches of 256 rows with {' and '.join(map(str, WIDTHS.values()))} features; the networks of two "
        "presets, of `balanced` also the second one, with periodic embeddings. Every term by itself, then "
        "all."
    ),
    columns="Milliseconds of a step (ratio to the bare step), the least of the repetitions; validation included.",
    caption="Time of a step relative to a bare one (grey); dashed: the goal of one and a half.",
    setting=Setting("fast", 8192, 5, 1),
    height=3.0,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
    options=("rows", "seeds", "assignments"),
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
