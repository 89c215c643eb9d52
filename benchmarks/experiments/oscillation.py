"""Weight oscillation against batch size: ``python -m benchmarks.experiments.oscillation``.

The paper names oscillating fusion weights as its sign of failure, with larger batches as the remedy (PIDReg, arXiv
2512.22102).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise, product
from typing import TYPE_CHECKING

import numpy as np

from benchmarks.experiments import PAGE
from benchmarks.experiments.command import main
from benchmarks.experiments.drawing import grid
from benchmarks.experiments.experiment import Case, Experiment, Record, Records, Setting, Table
from benchmarks.experiments.measuring import by, fit_record, mean
from benchmarks.fits.synthetic import Floats, Sample, draw, fitted
from pidreg_cli.data.arrays import TRAIN
from pidreg_cli.fitting import Fit
from pidreg_cli.information.lattice import monotone_closure
from pidreg_cli.information.readouts import information_of_predictions
from pidreg_cli.information.shapley import fusion_weights
from pidreg_cli.reports.figures import palette
from pidreg_cli.training.reading import all_masks

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SYSTEM = "mixed"
BATCHES = (32, 64, 128, 256, 512)
EPOCHS = 20
"""Of stage 1, all of them: the weights follow the atoms to its end. Stage 2, in which they are fixed, is one epoch."""
LAST = 10  # epochs that are judged: the first ones move because the network learns
SETTLED = 0.01  # change of a weight from epoch to epoch

WEIGHT_COLOURS = palette.LINES[3:]
"""Not those of the ways to follow the atoms, which stand beside them."""
LABELS = {
    "epochs": "as pidreg does it: held-out rows, averaged over epochs",
    "heads": "trained heads on one batch",
    "covariance": "covariance of the codes of one batch (as published)",
}


def cases(setting: Setting) -> list[Case]:
    """Every batch size and seed."""
    return list(product(BATCHES, range(setting.seeds)))


def measure(setting: Setting, batch: int, seed: int) -> list[Record]:
    """A fit, of stage 1 only but for one epoch, and what single batches say in the end."""
    sample = draw(SYSTEM, setting.rows, seed)
    lengths = (f"stage1.min_epochs={EPOCHS}", f"stage1.max_epochs={EPOCHS}")
    short = ("stage2.min_epochs=1", "stage2.max_epochs=1", "stage2.max_steps=1")
    settings = setting.settings(seed, f"training.batch_size={batch}", *lengths, *short)
    fit, seconds = fitted(sample.arrays, settings)
    course = [list(e.weights.values()) for e in fit.outcome.deployed.ledger.history if e.stage == 1]
    alone = swings(sample, fit, batch)
    record = {
        "batch": batch,
        "seed": seed,
        "epochs": round(swing(np.array(course[-LAST - 1 :])), 5),
        "course": [[round(w, 4) for w in weights] for weights in course],
        **fit_record(sample, fit, seconds),
    }
    return [record | {name: None if found is None else round(found, 5) for name, found in alone.items()}]


def swing(weights: Floats) -> float:
    """Largest change of a weight from one line to the next, mean over lines; (k, terms)."""
    return float(np.abs(np.diff(weights, axis=0)).max(1).mean())


def swings(sample: Sample, fit: Fit, batch: int) -> dict[str, float | None]:
    """Swing from batch to batch of training rows, of weights that follow one batch alone, by two estimates."""
    rows = sample.arrays.take(sample.arrays.split == TRAIN)
    model = fit.outcome.deployed.model
    masks = all_masks(len(rows.names))
    reading = model.read(rows, masks)
    score = model.transforms.target.forward(rows.required_target)
    batches = [np.arange(start, start + batch) for start in range(0, len(score) - batch + 1, batch)]
    heads = [weights_of([of_prediction(score[b], reading.scores[m][b]) for m in masks]) for b in batches]
    width = sum(code.shape[1] for code in reading.codes)
    covariance = None
    if batch > width + 1:
        covariance = swing(
            np.array([of_codes(score[b], [code[b] for code in reading.codes]) for b in batches])
        )
    return {"heads": swing(np.array(heads)), "covariance": covariance}


def weights_of(informations: Sequence[float]) -> Floats:
    """Fusion weights of informations of the non-empty sets by bitmask."""
    return fusion_weights(monotone_closure(np.array([0.0, *informations]))).vector


def of_prediction(score: Floats, prediction: Floats) -> float:
    """Information in a prediction of Y' about it, mean square about zero: the mean of all of Y'."""
    return information_of_predictions(score, prediction, np.zeros_like(score))


def of_codes(score: Floats, codes: Sequence[Floats]) -> Floats:
    """Weights by the covariance of target and codes within the batch, nothing held out."""
    found = []
    for mask in all_masks(len(codes)):
        chosen = np.hstack([code for i, code in enumerate(codes) if mask >> i & 1])
        design = np.column_stack([np.ones(len(score)), chosen])
        fitted_score = design @ np.linalg.lstsq(design, score, rcond=None)[0]
        found.append(
            0.5 * np.log2(np.square(score - score.mean()).sum() / np.square(score - fitted_score).sum())
        )
    return weights_of(found)


def table(records: Records) -> Table:
    """A line per batch size, means over seeds."""
    lines = []
    for (batch,), found in by(records, "batch").items():
        swung = (points(found, k) if found[0][k] is not None else None for k in LABELS)
        last = np.mean([record["course"][-1] for record in found], axis=0)
        cells = ["cannot be had" if s is None else f"{s:.2f}" for s in swung]
        lines.append((str(batch), *cells, " / ".join(f"{w:.2f}" for w in last)))
    columns = (
        "batch",
        "from epoch to epoch",
        "heads, batch to batch",
        "covariance, batch to batch",
        "weights a / b / a*b",
    )
    return Table(columns, tuple(lines))


def plot(records: Records, figure: Figure) -> None:
    """Swing against batch size, a line per way to follow the atoms; the course of the weights beside it."""
    left, right = figure.subplots(1, 2, width_ratios=(3, 2))
    found = by(records, "batch")
    for number, key in enumerate(LABELS):
        known = {b: one for (b,), one in found.items() if one[0][key] is not None}
        x = [BATCHES.index(b) for b in known]
        y = [points(one, key) for one in known.values()]
        style = {"color": palette.LINES[number], "marker": palette.MARKERS[number]}
        left.plot(x, y, **style, markersize=5, linewidth=1.6, label=LABELS[key])
    left.set_xticks(range(len(BATCHES)), [str(batch) for batch in BATCHES])
    left.set_xlabel("rows in a batch")
    left.set_ylabel("change of a weight, one time to the next\n(percentage points)")
    left.set_ylim(bottom=0)
    left.set_title("How far the weights swing")
    left.legend(loc="lower left", bbox_to_anchor=(-0.1, 1.08))
    grid(left)
    courses(right, records)


def courses(axes: Axes, records: Records) -> None:
    """Weights over the epochs of stage 1 of the first seed, smallest and largest batch."""
    from matplotlib.lines import Line2D

    for batch, style in ((BATCHES[0], "--"), (BATCHES[-1], "-")):
        record = next(r for r in records if r["batch"] == batch and r["seed"] == 0)
        for number, weights in enumerate(zip(*record["course"], strict=True)):
            axes.plot(
                range(1, len(weights) + 1),
                weights,
                color=WEIGHT_COLOURS[number],
                linestyle=style,
                linewidth=1.4,
            )
            if style == "-":
                place = (len(weights), weights[-1])
                axes.annotate(
                    ("a", "b", "a*b")[number], place, xytext=(3, 0), textcoords="offset points", va="center"
                )
    lines = [Line2D([], [], color=palette.INK, linestyle=s) for s in ("--", "-")]
    axes.legend(
        lines,
        [f"batches of {BATCHES[0]}", f"of {BATCHES[-1]}"],
        loc="lower left",
        bbox_to_anchor=(-0.1, 1.08),
    )
    axes.set_title("Weights as pidreg trains")
    axes.set_xlabel("epoch of stage 1")
    axes.set_ylabel("share of all weights")
    axes.set_ylim(bottom=0)
    grid(axes)


def says(records: Records) -> list[str]:
    """Whether weights settle, and what a single batch would do."""
    found = by(records, "batch")
    own, heads = ({b: points(one, key) for (b,), one in found.items()} for key in ("epochs", "heads"))
    return [settled(own), judged_alone(heads, max(own.values())), published(found)]


def points(records: Records, key: str) -> float:
    """Mean change of a weight, percentage points."""
    return 100 * mean(records, lambda record: record[key])


def settled(own: Mapping[int, float]) -> str:
    """Whether the weights come to rest as pidreg trains, and which batches disturb them more."""
    moving = [str(batch) for batch, change in own.items() if change >= 100 * SETTLED]
    verdict = (
        f"do not settle with batches of {', '.join(moving)}" if moving else "settle with every batch size"
    )
    small, large = own[min(own)], own[max(own)]
    trend = "more with large batches than with small ones" if large > small else "less with large batches"
    return (
        f"Weights that follow held-out rows, averaged over epochs, {verdict}: after the first {EPOCHS - LAST} epochs "
        f"they change by {min(own.values()):.2f} to {max(own.values()):.2f} percentage points an epoch, {trend}: "
        f"{small:.2f} with {min(own)} rows, {large:.2f} with {max(own)}, in as many epochs of fewer steps."
    )


def judged_alone(heads: Mapping[int, float], own: float) -> str:
    """What weights of single batches would do, and whether larger ones help at every size; ``own``: pidreg's own."""
    small, large = heads[min(heads)], heads[max(heads)]
    grown = [
        f"from {one} to {other} rows the swing grows from {heads[one]:.2f} to {heads[other]:.2f} points"
        for one, other in pairwise(sorted(heads))
        if heads[other] > heads[one]
    ]
    verdict = "larger batches help, as the paper says" if large < small else "larger batches do not help"
    exceptions = f", but not each time: {' and '.join(grown)}" if grown and large < small else ""
    more = ". Not to judge by single batches helps more" if own < large else ""
    return (
        f"Judged on one batch, the same network's weights would swing by {small:.2f} points from batch to batch of "
        f"{min(heads)} rows, and by {large:.2f} of {max(heads)}: {verdict}{exceptions}{more}."
    )


def published(found: Mapping[tuple[int], Records]) -> str:
    """What can be said of the covariance of single batches."""
    known = [b for (b,), one in found.items() if one[0]["covariance"] is not None]
    missing = [b for (b,) in found if b not in known]
    if not known:
        return (
            "The covariance of one batch's codes, as published, can be had for no batch size that was tried."
        )
    swung = ", ".join(f"{points(found[b,], 'covariance'):.2f} points at {b} rows" for b in known)
    few = (
        f"batches of up to {max(missing)} rows have none. With more"
        if missing
        else "all batches tried have them, and"
    )
    return (
        "The covariance of one batch's codes, as published, needs more rows than there are numbers in the codes: "
        f"{few} its weights swing by {swung}."
    )


EXPERIMENT = Experiment(
    name="oscillation",
    title="Do the weights swing?",
    question="Does the size of the training batches make the fusion weights swing, as the paper warns?",
    done=(
        f"System `{SYSTEM}` is trained with batches of {BATCHES[0]} to {BATCHES[-1]} rows, {EPOCHS} epochs "
        "of the stage in which weights follow the atoms. The network of the end then says what weights its "
        "single batches would give."
    ),
    columns=(
        "Largest change of a weight from one time to the next, mean over times, in percentage points of all weights "
        f"({{over}}); the first column over the last {LAST} epochs. Last column: weights at the end. To settle is here "
        f"to change by less than {100 * SETTLED:g} point an epoch; the warning `training.weights_not_converged` of a "
        "report asks for more, that atoms keep within a tolerance for several epochs on end: how often it comes is "
        "counted above, with the findings of the other experiments."
    ),
    caption=(
        "Left: mean change of the weights from epoch to epoch, and from batch to batch if they followed "
        "single batches. Right: weights over the epochs of one fit with small and one with large batches."
    ),
    setting=Setting("fast", 5000, 1, 1),
    height=4.2,
    cases=cases,
    measure=measure,
    table=table,
    draw=plot,
    says=says,
)

if __name__ == "__main__":
    main(PAGE, EXPERIMENT)
