"""Information against training rows: ``python -m benchmarks.experiments.rows``."""

from __future__ import annotations

from itertools import product, takewhile
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments import PAGE
from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import grid
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import by, fit_record, mean, part, total, worst_error
from benchmarks.fits.synthetic import SHARES, draw, fitted, names_of
from pidreg_cli.data.splits import CROSS_FIT_BELOW
from pidreg_cli.reports.figures import palette

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SYSTEMS = ("redundant", "mixed")
NEARLY = 0.95  # of the truth
NOTHING = 0.001  # bits


def sizes(most: int) -> list[int]:
    """Rows of the tables: ``most``, half of it, and so on while one part is held out; ascending."""
    halves = (most >> k for k in range(most.bit_length()))
    return [*takewhile(lambda rows: rows >= CROSS_FIT_BELOW, halves)][::-1]


def cases(setting: Setting) -> list[Case]:
    """Every system, size and seed."""
    return list(product(SYSTEMS, sizes(setting.rows), range(setting.seeds)))


def measure(setting: Setting, system: str, rows: int, seed: int) -> list[Record]:
    """A fit."""
    sample = draw(system, rows, seed)
    fit = fitted(sample.arrays, setting.settings(seed))
    return [{"rows": rows, "seed": seed, **fit_record(sample, *fit)}]


def share(record: Record) -> float:
    """Of the true information of the whole, what is found."""
    return total("found")(record) / total("true")(record)


def table(records: Records) -> Table:
    """A line per system and size, means over seeds."""
    lines = []
    for (system, rows), found in by(records, "system", "rows").items():
        together = f"{mean(found, part('found', 'only together')):.3f} / {part('true', 'only together')(found[0]):.3f}"
        whole = f"{mean(found, total('found')):.3f} / {total('true')(found[0]):.3f}"
        worst = max((worst_error(record) for record in found), key=abs)
        seconds = mean(found, lambda record: record["seconds"])
        cells = (f"{rows * SHARES[0]:,.0f}", whole, f"{mean(found, share):.0%}", together, f"{worst:+.3f}")
        lines.append((system, *cells, f"{seconds:.0f}"))
    columns = ("system", "training rows", "whole", "found", "only together", "largest error", "seconds")
    return Table(columns, tuple(lines))


def plot(records: Records, figure: Figure) -> None:
    """Share of the truth against training rows, a line per system."""
    axes = figure.subplots()
    for number, ((system,), found) in enumerate(by(records, "system").items()):
        curve(axes, number, system, found)
    axes.axhline(100, color=palette.INK, linewidth=0.8)
    axes.set_xscale("log")
    ticks = [rows * SHARES[0] for (rows,) in by(records, "rows")]
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()
    axes.set_xlabel("training rows")
    axes.set_ylabel("information found (% of the truth)")
    axes.set_xlim(right=ticks[-1] * 1.6)
    grid(axes)


def curve(axes: Axes, number: int, system: str, records: Records) -> None:
    """A system: its fits as points, their mean as a line with its name at the end."""
    colour, marker = palette.LINES[number], palette.MARKERS[number]
    found = by(records, "rows")
    x = [rows * SHARES[0] for (rows,) in found]
    y = [100 * mean(one, share) for one in found.values()]
    axes.plot(x, y, color=colour, marker=marker, markersize=5, linewidth=1.6)
    axes.plot(
        [record["rows"] * SHARES[0] for record in records],
        [100 * share(record) for record in records],
        marker,
        color=colour,
        markersize=2.5,
        alpha=0.6,
    )
    axes.annotate(
        system, (x[-1], y[-1]), xytext=(8, 0), textcoords="offset points", va="center", color=colour
    )


def says(records: Records) -> list[str]:
    """What the fewest and the most rows find, of the whole, of single sets and of parts."""
    found = by(records, "rows")
    (few,), (many,) = min(found), max(found)
    sentences = [f"With {trained(few)} training rows fits find {shares(found[few,])}"]
    sentences[0] += f"; with {trained(many)}, {shares(found[many,])}." if many > few else "."
    sentences += [enough(records, few, many), worst_set(found[few,])]
    if any(part("true", "only together")(record) > NOTHING for record in records):
        together, rest = (parts_found(found[few,], combined=combined) for combined in (True, False))
        sentences.append(
            f"With {trained(few)} rows {together:.0%} of what shows in combination only is found, in systems "
            f"that have some, and {rest:.0%} of the rest."
        )
    return sentences


def trained(rows: int) -> str:
    """Training rows of a table."""
    return f"{rows * SHARES[0]:,.0f}"


def shares(records: Records) -> str:
    """What is found of the whole, by system."""
    return ", ".join(f"{mean(one, share):.0%} of `{name}`" for (name,), one in by(records, "system").items())


def enough(records: Records, few: int, many: int) -> str:
    """How many rows nearly all of the information takes: no number where the fewest do, or the most do not."""
    needed: dict[str, list[str]] = {}
    for (system,), one in by(records, "system").items():
        reached = [rows for (rows,), fits in by(one, "rows").items() if mean(fits, share) >= NEARLY]
        least = min(reached, default=0)
        if not reached:
            told = f"more than the {trained(many)} tried"
        else:
            told = f"{trained(few)} or less, the fewest tried" if least == few else trained(least)
        needed.setdefault(told, []).append(f"`{system}`")
    systems = "; ".join(f"{told}, for {' and '.join(names)}" for told, names in needed.items())
    return f"Training rows needed for {NEARLY:.0%} of the whole: {systems}."


def worst_set(records: Records) -> str:
    """The set whose information is furthest off, which that of the whole does not show."""
    worst = max(records, key=lambda record: abs(worst_error(record)))
    mask = int(np.abs(np.subtract(worst["found"], worst["true"])).argmax())
    return (
        f"Single sets can be further off than the whole: with {trained(worst['rows'])} rows seed {worst['seed']} of "
        f"`{worst['system']}` finds {worst['found'][mask]:.2f} of {worst['true'][mask]:.2f} bits of "
        f"{names_of(mask, worst['modalities'])}."
    )


def parts_found(records: Records, *, combined: bool) -> float:
    """Share of the truth that is found in combinations, or of the rest, over all systems with combinations."""

    def bits(key: str) -> float:
        found = [part(key, "only together")(r) for r in records]
        wholes = [total(key)(r) for r in records]
        return sum(
            (together if combined else whole - together)
            for r, together, whole in zip(records, found, wholes, strict=True)
            if part("true", "only together")(r) > NOTHING
        )

    return bits("found") / bits("true")


EXPERIMENT = Experiment(
    name="rows",
    title="How many rows does it take?",
    question="How much of the information is found with few training rows, and how much with many?",
    done="Two systems are drawn in sizes that double.",
    columns=(
        "Found / true in bits, {over}. Largest error: of any set of modalities in any fit. "
        "Seconds: of a fit on one thread."
    ),
    caption=(
        "Share of the true information that fits find, against training rows; small marks are single fits, and at "
        "the black line is all that there is."
    ),
    setting=Setting("fast", 16_000, 2, 1),
    height=3.9,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
