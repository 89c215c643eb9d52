"""How predictions hold on rows that a fit has not seen: ``python -m benchmarks.prediction [TABLE --target COLUMN]``.

Four tables, of the test rows of one fit:
- coverage of intervals and their mean width, for all modalities and for each alone, beside that of intervals of one
  width for all rows (constant);
- coverage of rows that lack modalities by themselves, each kind of gap that 100 rows have: by the calibration rows with
  the same gap where these are enough, and by all that have what the row has;
- RMSE of all rows with one modality missing at random from three in ten: where nothing is lost, of the fit as it
  predicts them, of models retrained without the modality on exactly these rows and on all rows, and with the modality's
  columns at their means; and how much that is above the fit's, with twice its standard error over rows;
- the share of rows whose codes are further from the training rows than one in a hundred should be, how far all of them
  lie from these, and whether that is a warning.

Without a table: a synthetic one. ``--no-retrain`` leaves the retrained models out.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.fits.synthetic import draw, fitted
from pidreg_cli.config.loading import load_settings
from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import TEST, TRAIN, MultimodalArrays
from pidreg_cli.data.loading import load_arrays
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.data.tables import open_table
from pidreg_cli.decisions.prediction.drift import Drift
from pidreg_cli.decisions.prediction.rows import Predictor, Request, RowPredictions
from pidreg_cli.decisions.prediction.set_predictor import TARGET
from pidreg_cli.decisions.prediction.set_scores import scores_of
from pidreg_cli.fitting import Fit
from pidreg_cli.information.conformal import conformal_quantile
from pidreg_cli.training.calibration_rows import presence

Floats = NDArray[np.float64]
LEVELS = (0.8, 0.9, 0.95)
MISSING = 0.3
FEWEST_GAP_ROWS = 100  # of a kind of gap, to say how many are covered


@dataclass(frozen=True)
class Judged:
    """A fit and the rows that judge it."""

    fit: Fit
    test: MultimodalArrays
    settings: Settings

    @property
    def predictor(self) -> Predictor:
        """The fit as it is deployed."""
        return Predictor(self.fit.outcome.deployed.model, self.fit.calibrated)

    @property
    def masks(self) -> list[int]:
        """All modalities, and each alone."""
        n = len(self.test.names)
        return [(1 << n) - 1, *(1 << i for i in range(n))] if n > 1 else [1]

    def name(self, mask: int) -> str:
        """A set by its modalities."""
        return "+".join(name for i, name in enumerate(self.test.names) if mask >> i & 1)


def coverage(judged: Judged) -> Iterator[str]:
    """A line for each set and level."""
    yield "| from | level | covered | mean width | constant: covered | width |"
    yield "|---|---|---|---|---|---|"
    y = judged.test.required_target
    for mask in judged.masks:
        # Rows that lack one of the modalities are predicted from others.
        has = presence(judged.test)[:, [bool(mask >> i & 1) for i in range(len(judged.test.names))]].all(
            axis=1
        )
        rows, target = judged.test.take(has), y[has]
        for level in LEVELS:
            found = judged.predictor.predict(rows, Request(level, use=mask))
            inside = (found.lower <= target) & (target <= found.upper)
            half = constant_half_width(judged.fit, mask, level)
            constant = np.abs(target - found.prediction) <= half
            width = float((found.upper - found.lower).mean())
            yield (
                f"| {judged.name(mask)} | {level:.0%} | {inside.mean():.1%} | {width:.4g} "
                f"| {constant.mean():.1%} | {2 * half:.4g} |"
            )


def natural_coverage(judged: Judged) -> Iterator[str]:
    """A line for each gap."""
    yield "| has | rows | level | covered | mean width | by all rows: covered | width |"
    yield "|---|---|---|---|---|---|---|"
    y, there = judged.test.required_target, presence(judged.test)
    patterns = there @ (1 << np.arange(there.shape[1]))
    everything = (1 << there.shape[1]) - 1
    for mask in np.unique(patterns).tolist():
        rows = judged.test.take(patterns == mask)
        if mask == everything or rows.rows < FEWEST_GAP_ROWS:
            continue
        for level in LEVELS:
            cells = [
                _covered(judged.predictor.predict(rows, Request(level, use=use)), y[patterns == mask])
                for use in (None, everything)
            ]
            yield f"| {judged.name(mask) or 'nothing'} | {rows.rows:,} | {level:.0%} | {' | '.join(cells)} |"


def _covered(found: RowPredictions, target: Floats) -> str:
    inside = (found.lower <= target) & (target <= found.upper)
    return f"{inside.mean():.1%} | {float((found.upper - found.lower).mean()):.4g}"


def constant_half_width(fit: Fit, mask: int, level: float) -> float:
    """Half the width of the conformal interval without a scale, in the target's units."""
    rows, calibrated = fit.outcome.held_out.calibration, fit.calibrated
    target = fit.outcome.deployed.model.transforms.target
    has = rows.present[:, [bool(mask >> i & 1) for i in range(rows.present.shape[1])]].all(axis=1)
    scores = scores_of(rows, mask, target, trees=calibrated.trees).take(has)
    predicted = calibrated.sets[mask].predict(scores, target)[:, TARGET]
    return conformal_quantile(np.abs(rows.targets[has, 1] - target.restore(predicted)), level)


def missing(judged: Judged, *, retrain: bool) -> Iterator[str]:
    """A line for each modality that some rows lose."""
    yield (
        f"| without, in {MISSING:.0%} of rows | nothing lost | this fit | retrained for them | retrained for all "
        "| at the mean | above this fit |"
    )
    yield "|---|---|---|---|---|---|---|"
    y, arrays = judged.test.required_target, judged.fit.arrays
    train = arrays.take(judged.fit.outcome.split == TRAIN)
    whole = judged.predictor.predict(judged.test).prediction
    for i, name in enumerate(judged.test.names):
        lost = np.random.default_rng([judged.settings.seed, i]).random(len(y)) < MISSING
        found = judged.predictor.predict(with_block(judged.test, name, lost, np.float32("nan"))).prediction
        means = np.nanmean(train.features[name].astype(np.float64), axis=0).astype(np.float32)
        mean = judged.predictor.predict(with_block(judged.test, name, lost, means)).prediction
        again = np.full(len(y), np.nan)
        if retrain:
            rest = [other for other in judged.test.names if other != name]
            less = judged_fit(arrays.only(*rest), judged.settings).predictor
            again = less.predict(judged.test.only(*rest)).prediction
        predictions = (whole, found, np.where(lost, again, whole), again, mean)
        errors = (f"{np.sqrt(np.mean(np.square(y - p))):.4g}" for p in predictions)
        yield f"| {name} | {' | '.join(errors)} | {excess(y, found, mean)} |"


def excess(y: Floats, found: Floats, other: Floats) -> str:
    """By how much the RMSE of other predictions is above that of ``found``, and twice its standard error."""
    own, more = np.square(y - found), np.square(y - other)
    ratio = more.mean() / own.mean()
    error = np.std(more - ratio * own) / own.mean() / np.sqrt(len(y))
    return f"{np.sqrt(ratio) - 1:+.1%} ± {error / np.sqrt(ratio):.1%}"


def with_block(
    rows: MultimodalArrays, name: str, lost: NDArray[np.bool_], value: NDArray[np.float32] | np.float32
) -> MultimodalArrays:
    """The rows with a modality's columns at ``value`` where it is lost."""
    block = np.where(lost[:, None], value, rows.features[name]).astype(np.float32)
    return replace(rows, features={**rows.features, name: block})


def drift(judged: Judged) -> Iterator[str]:
    """A line for each modality."""
    yield "| modality | rows | far | share | shift | warns |"
    yield "|---|---|---|---|---|---|"
    found, there = judged.predictor.predict(judged.test), presence(judged.test)
    for i, name in enumerate(judged.test.names):
        counts = int(there[:, i].sum()), int(found.far[:, i].sum())
        one = Drift.of(judged.fit.calibrated, i, *counts, found.code_sums[i])
        share = "-" if one.share is None else f"{one.share:.2%}"
        yield f"| {name} | {one.rows:,} | {one.far:,} | {share} | {one.shift:.2f} | {'yes' if one.warns else 'no'} |"


def judged_fit(arrays: MultimodalArrays, settings: Settings) -> Judged:
    """A fit on the rows of the split column, judged by its test rows."""
    fit, _ = fitted(arrays, settings)
    return Judged(fit, fit.arrays.take(fit.outcome.split == TEST), settings)


def table(options: argparse.Namespace) -> MultimodalArrays:
    """The rows to fit."""
    if options.table is None:
        return draw("three", options.rows, options.seed).arrays
    opened = open_table([options.table])
    roles = resolve_roles(opened.schema, opened.metadata, RoleRequest(target=options.target))
    return load_arrays(opened, roles).arrays


def main() -> None:
    """Fit, judge, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("table", nargs="?", help="Parquet file with a split column")
    parser.add_argument("--target")
    parser.add_argument("--preset", default="fast")
    parser.add_argument("--rows", type=int, default=6000, help="of the synthetic table")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--no-retrain", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], metavar="KEY=VALUE", help="of the fits")
    options = parser.parse_args()
    asked = {"seed": options.seed, "threads": options.threads}
    settings = load_settings(options.preset, assignments=options.set, options=asked)
    arrays = table(options)
    judged = judged_fit(arrays, settings)
    for lines in (
        coverage(judged),
        natural_coverage(judged),
        missing(judged, retrain=not options.no_retrain),
        drift(judged),
    ):
        for line in lines:
            print(line, flush=True)
        print()


if __name__ == "__main__":
    main()
