"""How fusion weights and atoms went while the deployed model trained."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

from pidreg_cli.reports.figures import palette
from pidreg_cli.reports.figures.axes import told_apart
from pidreg_cli.reports.figures.canvas import Picture, Words, picture
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.traces import Epoch, Traces
from pidreg_cli.reports.wording import decimal, listing, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST = 6
"""Curves in a panel: those that end highest, and of atoms what is shared and what shows only together."""
ENTRY = 0.19
"""Inches that a line of a legend takes."""
NAMED = {"redundant": "shared", "synergistic": "only together"}
PARTS = {"shared": palette.SHARED, "only together": palette.TOGETHER}


def training(report: Report, traces: Traces) -> Picture | None:
    """Weights and atoms by epoch; None where the course of training is not known, or has a single term."""
    course = traces.training
    if not course or len(report.names) < 2:
        return None
    first = tuple(epoch for epoch in course if epoch.atoms)
    weights = curves([epoch.weights for epoch in course])
    atoms = {called(name): values for name, values in curves([e.atoms for e in first], NAMED).items()}
    most = max(len(course[-1].weights), len(first[-1].atoms) if first else 0)

    def draw(figure: Figure) -> None:
        panels = figure.subplots(1, 2, sharex=False)
        panel(
            panels[0], weights, ("Fusion weights", "share"), dict(zip(weights, palette.LINES, strict=False))
        )
        panel(panels[1], atoms, ("Atoms on validation rows, stage 1", "bits"), coloured(atoms))
        stage_change(panels[0], course)

    height = 2.9 + ENTRY * max(len(weights), len(atoms))
    return picture(words_of(weights, atoms, course, most), height, draw)


def called(atom: str) -> str:
    """An atom of the history as the report calls it."""
    return NAMED.get(atom, atom.replace("unique.", "unique to ", 1))


def curves(epochs: Sequence[Mapping[str, float]], always: Collection[str] = ()) -> dict[str, list[float]]:
    """The highest at the end, by name, over all epochs; those that are ``always`` wanted among them."""
    if not epochs:
        return {}
    ranked = sorted(epochs[-1], key=lambda name: (name not in always, -epochs[-1][name]))[:MOST]
    ranked.sort(key=lambda name: -epochs[-1][name])
    return {name: [epoch.get(name, 0.0) for epoch in epochs] for name in ranked}


def coloured(names: Iterable[str]) -> dict[str, str]:
    """A colour for each curve; shared and only together have those of the bars."""
    free = cycle(colour for colour in palette.LINES if colour not in PARTS.values())
    return {name: PARTS[name] if name in PARTS else next(free) for name in names}


def panel(
    axes: Axes, found: Mapping[str, Sequence[float]], labels: tuple[str, str], colours: Mapping[str, str]
) -> None:
    """Curves, each of its own line and mark, under a title and beside a unit (``labels``)."""
    labels_of = dict(zip(found, told_apart(list(found)), strict=True))
    for place, (name, values) in enumerate(found.items()):
        axes.plot(
            range(1, len(values) + 1),
            values,
            color=colours[name],
            linestyle=palette.STYLES[place % len(palette.STYLES)],
            marker=palette.MARKERS[place],
            markevery=max(1, len(values) // 8),
            markersize=4,
            linewidth=1.5,
            label=labels_of[name],
        )
    axes.set_title(labels[0])
    axes.set_xlabel("epoch")
    axes.set_ylabel(labels[1])
    axes.set_ylim(bottom=0)
    axes.locator_params(axis="x", integer=True)
    axes.grid(color=palette.GRID, linewidth=0.7)
    if found:
        axes.legend(loc="upper left", bbox_to_anchor=(0, -0.2), borderaxespad=0)


def stage_change(axes: Axes, course: Sequence[Epoch]) -> None:
    """A line where stage 2 begins."""
    last = sum(epoch.stage == 1 for epoch in course)
    if 0 < last < len(course):
        axes.axvline(last + 0.5, color=palette.MUTED, linewidth=1, linestyle=":")
        axes.text(last + 0.5, 1.0, " stage 2", transform=axes.get_xaxis_transform(), va="top", fontsize=8)


def words_of(
    weights: Mapping[str, Sequence[float]],
    atoms: Mapping[str, Sequence[float]],
    course: Sequence[Epoch],
    most: int,
) -> Words:
    """The figure in words: where each curve begins and ends. ``most``: curves that a panel could have."""
    first = sum(epoch.stage == 1 for epoch in course)
    shares = [f"{name} from {percent(v[0])} to {percent(v[-1])}" for name, v in weights.items()]
    bits = [f"{name} from {decimal(v[0])} to {decimal(v[-1])}" for name, v in atoms.items()]
    told = f"Weights: {listing(shares)}." if shares else ""
    known = f" Atoms in bits: {listing(bits)}." if bits else ""
    drawn = (
        f" At most {MOST} of each are drawn, those that end highest; of atoms always what is shared, and what shows "
        "only together."
        if most > MOST
        else ""
    )
    return Words(
        "training",
        "Fusion weights and atoms over the epochs",
        f"{first} epochs of stage 1, {len(course) - first} of stage 2. {told}{known}",
        "How the deployed model came to its weights: these, and the atoms that they follow, after every epoch."
        f"{drawn}",
    )
