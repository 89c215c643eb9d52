"""More than two modalities: ``python -m benchmarks.experiments.many_modalities``.

The paper leaves open how faithful aggregated atoms are with four or more (PIDReg, arXiv 2512.22102).
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments import PAGE
from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import true_and_found_bars
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import PARTS, by, fit_record, mean, part, parts, total, worst_error
from benchmarks.fits.synthetic import draw, fitted
from pidreg_cli.data.synthetic.interactions import Product
from pidreg_cli.data.synthetic.systems import SyntheticSystem
from pidreg_cli.information.lattice import monotone_closure
from pidreg_cli.information.shapley import shapley_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COUNTS = (2, 3, 4, 6)


def system_of(modalities: int) -> SyntheticSystem:
    """Every modality shows a common latent and one of its own, each weaker than the last; a and b a product, too."""
    names = "abcdef"[:modalities]
    shown = {name: ("m", f"u{name}") for name in names}
    shown["a"] += ("p",)
    shown["b"] += ("q",)
    own = {f"u{name}": 0.6 * 0.85**i for i, name in enumerate(names)}
    return SyntheticSystem(
        f"{modalities} modalities",
        "a common latent, one of each modality, and a product of a and b",
        shown,
        linear={"m": 0.5, **own},
        interaction=Product("p", "q", 0.4),
        noise=0.35,
    )


def cases(setting: Setting) -> list[Case]:
    """Every number of modalities and seed."""
    return list(product(COUNTS, range(setting.seeds)))


def measure(setting: Setting, count: int, seed: int) -> list[Record]:
    """A fit."""
    sample = draw(system_of(count), setting.rows, seed)
    fit = fitted(sample.arrays, setting.settings(seed))
    return [{"count": count, "seed": seed, **fit_record(sample, *fit)}]


def shapley_error(record: Record) -> float:
    """Largest error of a modality's share of the whole (bits)."""
    shares = [shapley_values(monotone_closure(np.array(record[key]))) for key in ("found", "true")]
    return float(np.abs(shares[0] - shares[1]).max())


def single_error(record: Record) -> float:
    """Largest error of the information of a single modality (bits)."""
    places = 1 << np.arange(record["count"])
    return float(np.abs(np.subtract(record["found"], record["true"])[places]).max())


def table(records: Records) -> Table:
    """A line per number of modalities, means over seeds."""
    lines = []
    for (count,), found in by(records, "count").items():
        pairs = [
            f"{mean(found, part('found', p)):.2f} / {parts(found[0]['true'])[i]:.2f}"
            for i, p in enumerate(PARTS)
        ]
        whole = f"{mean(found, total('found')):.2f} / {total('true')(found[0]):.2f}"
        worst = max((worst_error(record) for record in found), key=abs)
        shapley = max(shapley_error(record) for record in found)
        seconds = mean(found, lambda record: record["seconds"])
        lines.append((str(count), whole, *pairs, f"{worst:+.2f}", f"{shapley:.2f}", f"{seconds:.0f}"))
    columns = ("modalities", "whole", *PARTS, "largest error", "largest error, Shapley", "seconds")
    return Table(columns, tuple(lines))


def plot(records: Records, figure: Figure) -> None:
    """True and found parts for every number of modalities."""
    counts = by(records, "count")
    found = [[mean(one, part("found", p)) for p in PARTS] for one in counts.values()]
    true = [parts(one[0]["true"]) for one in counts.values()]
    true_and_found_bars(figure.subplots(), [f"{count} modalities" for (count,) in counts], true, found)


def says(records: Records) -> list[str]:
    """How faithful atoms stay as modalities become more."""
    counts = by(records, "count")
    few, many = counts[min(counts)], counts[max(counts)]
    number = many[0]["count"]
    lost = mean(many, lambda record: total("found")(record) - total("true")(record))
    shift = mean(many, part("found", "only together")) - part("true", "only together")(many[0])
    single = max(single_error(record) for record in many)
    unique = [parts(one[0]["true"])[0] for one in (few, many)]
    sentences = [
        f"With {few[0]['count']} modalities the largest error of any set is "
        f"{max(abs(worst_error(r)) for r in few):.2f} bits, with {number} it is "
        f"{max(abs(worst_error(r)) for r in many):.2f}. There single modalities are off by at most "
        f"{single:.2f}; of the whole {lost:+.2f} bits differ from the truth, of what shows in combination "
        f"only {shift:+.2f}.",
        f"Shares by Shapley value are off by at most {max(shapley_error(r) for r in many):.2f} bits for "
        f"any of the {number} modalities.",
    ]
    if unique[1] < unique[0]:
        sentences.append(
            f"Unwelcome, and of the measure rather than of the fit: the truth itself has {unique[0]:.2f} bits in "
            f"one modality alone with {few[0]['count']} modalities and {unique[1]:.2f} with {number}, though each "
            "of them shows something that no other does. One modality has a unique part only where it tells more "
            "than all others together; with many, read the Shapley values and the informations of sets beside the "
            "atoms."
        )
    return sentences


EXPERIMENT = Experiment(
    name="many_modalities",
    title="What happens with more than two modalities?",
    question="Are the parts still found, and do they still mean something, with up to six modalities?",
    done=(
        "Every modality shows a signal common to all and one of its own, each weaker than the last; a and "
        "b also make a product. What there is to know therefore grows with their number."
    ),
    columns=(
        "Found / true in bits, {over}. Largest errors: of the information of any set, and of the share of any "
        "modality by Shapley value, in any fit. Seconds: of a fit on one thread, all sets "
        "estimated."
    ),
    caption="Information by number of modalities: the truth (pale, above) and what fits find (full, below).",
    setting=Setting("fast", 7200, 2, 1),
    height=3.6,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
