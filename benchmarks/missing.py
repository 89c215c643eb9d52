"""What missing cells and absent modalities in training cost: ``python -m benchmarks.missing``.

Modalities are absent at random, each by itself, and cells are missing at random, in training, validation and test rows.
Per system, one table of informations against what can be known through the holes, and one of test RMSE:
- with holes: of the fit, on the test rows as they are; whole: of the same fit, on the same rows without holes;
- complete rows only: of a fit on the rows without a hole, likewise; '-' where fewer than FEWEST_ROWS are left.

``--variant 'KEY=VALUE [KEY=VALUE ...]'`` (repeatable) fits everything with these settings too, for comparison.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch

from benchmarks.fits.absence import Holes, complete_rows, punched, true_with_holes
from benchmarks.fits.synthetic import (
    HOLES,
    Floats,
    Sample,
    draw,
    fitted,
    found_informations,
    names_of,
    parser,
    settings_for,
    tell,
)
from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import TEST, TRAIN, MultimodalArrays
from pidreg_cli.data.splits import Protocol
from pidreg_cli.training.device import limited_threads
from pidreg_cli.training.fitted import FittedModel
from pidreg_cli.training.progress import Silent
from pidreg_cli.training.protocol import ProtocolRun

FEWEST_ROWS = 100  # for training, of a model that is worth a comparison
DEFAULT = "default"


@dataclass(frozen=True)
class Errors:
    """Test RMSE of a model on rows with holes and on the same rows whole, and the rows that trained it."""

    rows: int
    holes: float
    whole: float

    def cells(self) -> str:
        """Columns of a table."""
        return f"{self.rows:,} | {self.holes:.4f} | {self.whole:.4f}"


@dataclass(frozen=True)
class Outcome:
    """One fit through holes: true and found informations (2**n,), its errors, those of complete rows only."""

    truth: Floats
    found: Floats
    errors: Errors
    complete: Errors | None


def errors_of(model: FittedModel, rows: int, holed: MultimodalArrays, whole: MultimodalArrays) -> Errors:
    """RMSE on the test rows of both tables."""
    test = np.flatnonzero(whole.split == TEST)
    target = whole.required_target[test]
    found = [float(np.sqrt(np.square(target - model.predict(a.take(test))).mean())) for a in (holed, whole)]
    return Errors(rows, *found)


def outcome(sample: Sample, holes: Holes, settings: Settings, truth: Floats) -> Outcome:
    """Fit the table with holes, and its complete rows."""
    present = holes.present(sample.arrays, np.random.default_rng([settings.seed, HOLES]))
    holed = punched(sample.arrays, present)
    fit, seconds = fitted(holed, settings)
    tell(f"  fitted in {seconds:.0f} s")
    model = fit.outcome.deployed.model
    trained = int((sample.arrays.split == TRAIN).sum())
    with limited_threads(settings.threads or 1):
        errors = errors_of(model, trained, holed, sample.arrays)
        complete = complete_errors(sample.arrays, holed, complete_rows(present), settings)
    return Outcome(truth, found_informations(fit), errors, complete)


def complete_errors(
    whole: MultimodalArrays, holed: MultimodalArrays, complete: np.ndarray, settings: Settings
) -> Errors | None:
    """Errors of a model of the complete rows; None without holes, or with hardly any such row."""
    rows = int((complete & (whole.split == TRAIN)).sum())
    if complete.all() or rows < FEWEST_ROWS:
        return None
    table = whole.take(complete | (whole.split == TEST))
    run = ProtocolRun(table, settings, torch.device("cpu"), Silent(), None)
    # Under 2,000 rows a fit would pool folds; here the split stays, so that the test rows are the same.
    return errors_of(run.run(Protocol("split")).deployed.model, rows, holed, whole)


def cases(arguments: argparse.Namespace) -> list[Holes]:
    """One kind of hole at a time, or with ``--cross`` every combination."""
    every = [Holes(*pair) for pair in product(arguments.absent, arguments.cells)]
    return [h for h in every if arguments.cross or not (h.absent and h.cells)]


def study(system: str, arguments: argparse.Namespace) -> None:
    """Both tables of one system, a line as soon as it is known."""
    found = []
    for holes in cases(arguments):
        truth = true_with_holes(draw(system, arguments.rows, 0), holes, np.random.default_rng(0))
        for variant in ("", *arguments.variant):
            label = f"{holes.absent:.0%} | {holes.cells:.0%} | {variant or DEFAULT}"
            for seed in range(arguments.seeds):
                tell(f"{system}, absent | cells | settings: {label}, seed {seed}")
                settings = settings_for(arguments, seed, variant.split())
                sample = draw(system, arguments.rows, seed)
                found.append((f"{label} | {seed}", outcome(sample, holes, settings, truth)))
    names = sample.arrays.names
    print_informations(system, names, found)
    print_errors(system, found)


def print_informations(system: str, names: Sequence[str], found: Sequence[tuple[str, Outcome]]) -> None:
    """Truth, found and difference of every set."""
    sets = [names_of(mask, names) for mask in range(1, 2 ** len(names))]
    print(f"\n### {system}: informations through the holes, true / found / difference in bits\n")
    print(f"| absent | cells | settings | seed | {' | '.join(sets)} |")
    print("|---:|---:|---|---:|" + "---|" * len(sets))
    for label, one in found:
        pairs = zip(one.truth[1:], one.found[1:], strict=True)
        row = " | ".join(f"{true:.3f} / {value:.3f} / {value - true:+.3f}" for true, value in pairs)
        print(f"| {label} | {row} |", flush=True)


def print_errors(system: str, found: Sequence[tuple[str, Outcome]]) -> None:
    """RMSE of the fits and of those of complete rows only."""
    print(f"\n### {system}: test RMSE, of a fit through the holes and of one of the complete rows only\n")
    print(
        "| absent | cells | settings | seed | rows | with holes | whole | complete rows | with holes | whole |"
    )
    print("|---:|---:|---|---:|" + "---:|" * 6)
    for label, one in found:
        complete = "- | - | -" if one.complete is None else one.complete.cells()
        print(f"| {label} | {one.errors.cells()} | {complete} |", flush=True)


def main() -> None:
    """Two tables per system."""
    made = parser(__doc__, ("mixed", "three"))
    made.add_argument("--absent", nargs="+", type=float, default=[0, 0.1, 0.3], help="shares of rows")
    made.add_argument("--cells", nargs="+", type=float, default=[0, 0.2, 0.4], help="shares of cells")
    made.add_argument("--cross", action="store_true", help="both kinds of holes together, too")
    made.add_argument("--variant", action="append", default=[], help="'KEY=VALUE [KEY=VALUE ...]'")
    arguments = made.parse_args()
    for system in arguments.systems:
        study(system, arguments)


if __name__ == "__main__":
    main()
