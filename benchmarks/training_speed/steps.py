"""A step, part by part, against a bare one: ``python -m benchmarks.training_speed.steps``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import name_lines
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import by
from benchmarks.training_speed import PAGE
from benchmarks.training_speed.epochs import Trainer, only
from benchmarks.training_speed.epochs import table as made_table
from benchmarks.training_speed.pairs import GOAL, Spread, in_turns, ratios
from pidreg_cli.config.settings import LossSettings
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTHS = {"a": 81, "b": 86}  # as many features as the paper's table of superconductors has
NETWORKS = (("fast", 0), ("balanced", 0), ("balanced", 1))
BARE, FULL, EVERY = "bare", "full step", "full, kernel terms in every step"


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
    made[EVERY] = (loss.model_copy(update={"every": 1}), 2)
    return made


def cases(setting: Setting) -> list[Case]:
    """Every network."""
    return list(NETWORKS)


def measure(setting: Setting, preset: str, member: int) -> list[Record]:
    """Milliseconds of a step, every variant in each round; rounds: as many as there are ``seeds``."""
    settings = replace(setting, preset=preset).settings(0)
    trainer = Trainer(made_table(setting.rows, WIDTHS), settings, member)
    batch, tried = settings.training.batch_size, variants(settings.loss)
    found = []
    for number in range(setting.seeds):
        for name in in_turns([*tried], number):
            loss, stage = tried[name]
            (seconds,) = trainer.seconds(loss, 1 if stage == 1 else 0, 1)[stage]
            milliseconds = round(1e3 * seconds / (setting.rows // batch), 3)
            line = {"network": label(preset, member), "variant": name, "repetition": number}
            found.append({**line, "batch": batch, "milliseconds": milliseconds})
    return found


def label(preset: str, member: int) -> str:
    """A network of a preset."""
    return f"{preset}, second network" if member else preset


def times(records: Records) -> dict[str, dict[str, list[float]]]:
    """Milliseconds in the order of rounds, by network and variant, as variants are listed."""
    ordered = sorted(records, key=lambda record: record["repetition"])
    return {
        network: {
            variant: [r["milliseconds"] for r in found] for (variant,), found in by(one, "variant").items()
        }
        for (network,), one in by(ordered, "network").items()
    }


def spreads(records: Records) -> dict[str, dict[str, Spread]]:
    """Ratio of every variant to the bare step of the same round, by network."""
    return {
        network: {variant: ratios(found, one[BARE]) for variant, found in one.items()}
        for network, one in times(records).items()
    }


def table(records: Records) -> Table:
    """A line per variant: milliseconds and ratio for each network."""
    found, spread = times(records), spreads(records)
    lines = [
        (variant, *(f"{np.median(found[n][variant]):.2f}: {spread[n][variant]}" for n in found))
        for variant in next(iter(found.values()))
    ]
    return Table(("step", *found), tuple(lines))


def plot(records: Records, figure: Figure) -> None:
    """Ratios as bars with their quartiles, a panel per network."""
    found = spreads(records)
    panels = figure.subplots(1, len(found), sharex=True, sharey=True)
    for axes, (network, ratio) in zip(panels, found.items(), strict=True):
        bars_of(axes, ratio)
        axes.set_title(network.replace(", ", ",\n"))
        axes.set_xlabel("time of a bare step = 1")
    widest = max(spread.high for ratio in found.values() for spread in ratio.values())
    panels[0].set_xlim(0, max(widest, GOAL) * 1.05)
    name_lines(panels[0], [*next(iter(found.values()))])
    for axes in panels[1:]:
        axes.tick_params(axis="y", length=0)


def bars_of(axes: Axes, ratio: Mapping[str, Spread]) -> None:
    """Medians as bars, lines from quartile to quartile at their ends, and the goal."""
    medians = [spread.median for spread in ratio.values()]
    beside = [
        [spread.median - spread.low for spread in ratio.values()],
        [spread.high - spread.median for spread in ratio.values()],
    ]
    colours = [palette.SHARED if variant == BARE else palette.UNIQUE for variant in ratio]
    # Lines only where there is a range, and values within the bars, where neither line runs through them.
    bars = axes.barh(range(len(ratio)), medians, height=0.62, color=colours)
    axes.errorbar(
        medians, range(len(ratio)), xerr=beside, fmt="none", ecolor=palette.INK, elinewidth=1, capsize=2
    )
    axes.axvline(GOAL, color=palette.TOGETHER, linewidth=1, linestyle="--")
    for bar, median in zip(bars, medians, strict=True):
        place = (0.06, bar.get_y() + bar.get_height() / 2)
        axes.annotate(f"{median:.2f}", place, va="center", fontsize=8, color=palette.PAGE)


def says(records: Records) -> list[str]:
    """Whether the goal is kept, what terms cost, and what the measurement cannot tell."""
    found = spreads(records)
    full = {network: ratio[FULL] for network, ratio in found.items()}
    return [
        f"A full step takes {listed(full)} times a bare one: median (quartiles). {goal(full)}",
        "The three terms with kernels enter every fourth step, with four times the weight; full is the mean over steps "
        f"as they are trained. In every step they would make it {listed({n: r[EVERY] for n, r in found.items()})}.",
        *unresolved(found),
        "Validation once an epoch is in all of these, atoms only where weights follow them. What they add on a table "
        "of few features, and with more modalities, says the section on modalities.",
    ]


def listed(ratio: Mapping[str, Spread]) -> str:
    """Ratios by network."""
    return "; ".join(f"{spread} in `{network}`" for network, spread in ratio.items())


def goal(full: Mapping[str, Spread]) -> str:
    """Whether it is kept, and how surely."""
    missed = [network for network, spread in full.items() if spread.median > GOAL]
    close = [network for network, spread in full.items() if spread.high > GOAL and network not in missed]
    if missed:
        return f"The goal of {GOAL} at most is missed by {named(missed)}."
    surely = f", though a quarter of the rounds show more, of {named(close)}" if close else ""
    return f"The goal of {GOAL} at most is kept{surely}."


def unresolved(found: Mapping[str, Mapping[str, Spread]]) -> list[str]:
    """Parts whose cost the rounds do not tell from none."""
    parts = {
        network: [
            variant.removeprefix(f"{BARE} + ")
            for variant, spread in ratio.items()
            if variant.startswith(f"{BARE} +") and spread.low <= 1
        ]
        for network, ratio in found.items()
    }
    told = "; ".join(f"of `{network}` {', '.join(names)}" for network, names in parts.items() if names)
    why = "What these cost is not told from nothing, as a quarter of the rounds show no more than a bare step"
    return [f"{why}: {told}."] if told else []


def named(networks: Sequence[str]) -> str:
    """Networks in a sentence."""
    return ", ".join(f"`{network}`" for network in networks)


EXPERIMENT = Experiment(
    name="steps",
    title="A step of training",
    question="How much longer does a step take than one of the same network without PID and regularisers?",
    done=(
        f"Batches of 256 rows with {' and '.join(map(str, WIDTHS.values()))} features; the networks of two "
        "presets, of `balanced` also the second one, with periodic embeddings. Every term by itself, then "
        "all."
    ),
    columns=(
        "Median CPU milliseconds of a step in {rounds} rounds, each of an epoch of {rows} rows, and its ratio to the "
        "bare step of the same round, median (quartiles)."
    ),
    caption=(
        "Time of a step relative to a bare one (grey), medians, and from quartile to quartile; dashed: the goal of one "
        "and a half."
    ),
    setting=Setting("fast", 4096, 21, 1),
    height=3.0,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
    options=("rows", "seeds", "assignments"),
    revision=2,
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
