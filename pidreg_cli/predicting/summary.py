"""What is said of a prediction beside its file: warnings before and after, and a report for scripts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from pidreg_cli.data.naming import listing
from pidreg_cli.decisions.prediction.drift import EXPECTED, Drift
from pidreg_cli.information.conformal import conformal_rank
from pidreg_cli.predicting.columns import set_name
from pidreg_cli.predicting.prediction_run import PredictionRun
from pidreg_cli.predicting.raw_rows import naming_prepare
from pidreg_cli.predicting.tally import Tally
from pidreg_cli.version import __version__

SCHEMA_VERSION = "1.0"


@dataclass(frozen=True)
class Expectations:
    """What a run expects of sets of modalities, in the units of the target."""

    run: PredictionRun

    def rmse(self, mask: int) -> float:
        """Expected root mean squared error."""
        unit = self.run.predictor.model.transforms.target.original.sd
        return unit * self.run.predictor.calibrated.expected_rmse(mask)

    @property
    def full(self) -> int:
        """The set of all modalities."""
        return (1 << len(self.run.names)) - 1

    def line(self, mask: int) -> str:
        """Expected error of a set, and how much it is beyond that of all."""
        found, best = self.rmse(mask), self.best
        more = f" ({found / best - 1:+.0%})" if mask != self.full and best > 0 else ""
        return f"expected RMSE {found:.4g}{more}"

    @property
    def best(self) -> float:
        """That of all modalities, or of what serves in their place."""
        return self.rmse(self.run.predictor.calibrated.serving(self.full))


def warnings_before(run: PredictionRun) -> Iterator[str]:
    """What can be said before a row is read."""
    expected = Expectations(run)
    lost = [name for name in run.names if name in run.rows.absent and name not in run.left_out]
    if lost:
        serving = run.predictor.calibrated.serving(expected.full & ~run.mask(tuple(run.rows.absent)))
        yield (
            f"the table has no column of {listing(lost)}: rows are predicted from {set_name(serving, run.names)}, "
            f"{expected.line(serving)}"
        )
    yield from _narrow(run)


def notices_before(run: PredictionRun) -> Iterator[str]:
    """What was asked for and what it costs."""
    expected = Expectations(run)
    yield from map(naming_prepare, run.rows.source.notices)
    yield from _columns_not_used(run)
    if run.left_out:
        serving = run.predictor.calibrated.serving(expected.full & ~run.mask(run.left_out))
        yield f"without {listing(list(run.left_out))}, as asked: {expected.line(serving)} with the others"


def _columns_not_used(run: PredictionRun) -> Iterator[str]:
    """Where the table has another column of ids or target than the run expects."""
    columns, roles = run.rows.source.schema.names, run.roles
    if run.rows.id is None and roles.id is not None:
        yield f"the table has no column {roles.id!r}, the id of the run: ids are row numbers"
    if run.rows.target is None and roles.target in columns:
        yield f"column {roles.target!r}, the target of the run, is not numeric here: there are no metrics"


def _narrow(run: PredictionRun) -> Iterator[str]:
    """A warning where the run has too few calibration rows for the level."""
    rows = min(predictor.fewest_rows for predictor in run.predictor.calibrated.sets.values())
    level = run.request.level
    if conformal_rank(rows, level) > rows:
        yield (
            f"{rows} rows calibrate some intervals, too few for {level:.6g}: these are infinite; a lower --interval, "
            "or a fit with more validation rows, makes them finite"
        )


def warnings_after(run: PredictionRun, tally: Tally) -> Iterator[str]:
    """What the rows turned out to be."""
    yield from _gaps(run, tally)
    for name, found in drifts(run, tally).items():
        if found.warns:
            yield f"modality {name!r} has drifted: {_drifted(found)}; predictions and intervals may not hold"


def _drifted(found: Drift) -> str:
    reasons = []
    if found.scattered:
        reasons.append(
            f"{found.far:,} of {found.rows:,} rows ({found.share:.1%}) are further from the training rows than "
            f"{EXPECTED:.0%} of rows like those"
        )
    if found.shifted:
        reasons.append(f"rows together lie {found.shift:.1f} standard deviations from the training rows")
    return ", and ".join(reasons)


def _gaps(run: PredictionRun, tally: Tally) -> Iterator[str]:
    expected = Expectations(run)
    whole = expected.full & ~run.mask((*run.rows.absent, *run.left_out))
    lacking = {
        mask: rows for mask, rows in tally.sets.items() if mask != run.predictor.calibrated.serving(whole)
    }
    if not lacking:
        return
    yield f"{sum(lacking.values()):,} of {tally.rows:,} rows lack modalities; they are predicted from what they have"
    for mask in sorted(lacking, key=lambda m: (-m.bit_count(), m)):
        yield f"  {lacking[mask]:,} rows from {set_name(mask, run.names)}, {expected.line(mask)}"


def notices_after(tally: Tally, level: float) -> Iterator[str]:
    """Rows without an id; how the predictions did, where the target is known."""
    if tally.nameless:
        yield f"{tally.nameless:,} of {tally.rows:,} rows have no id: theirs is empty"
    found = tally.errors.accuracy()
    if found is None:
        return
    r2 = "" if found.r2 is None else f", R2 {found.r2:.4f}"
    yield f"on {found.n:,} rows with a target: RMSE {found.rmse:.4g}, MAE {found.mae:.4g}{r2}"
    covered, width = tally.errors.covered / found.n, tally.errors.width / found.n
    yield f"{covered:.1%} of them are within their {level:.4g} interval, {width:.4g} wide on average"


def drifts(run: PredictionRun, tally: Tally) -> dict[str, Drift]:
    """Of each modality that rows have."""
    calibrated = run.predictor.calibrated
    return {
        name: Drift.of(calibrated, i, int(tally.seen[i]), int(tally.far[i]), tally.codes[i])
        for i, name in enumerate(run.names)
        if tally.seen[i]
    }


def report_text(run: PredictionRun, tally: Tally) -> str:
    """The report as JSON: numbers unrounded, null where there is none."""
    accuracy = tally.errors.accuracy()
    rows = tally.errors.rows
    document = {
        "schema_version": SCHEMA_VERSION,
        "tool_version": __version__,
        "command": "predict",
        "files": list(run.rows.source.files),
        "rows": tally.rows,
        "level": run.request.level,
        "calibration": run.predictor.calibrated.protocol,
        "sets": [_set_part(run, mask, tally.sets[mask]) for mask in sorted(tally.sets)],
        "drift": [_drift_part(name, found) for name, found in drifts(run, tally).items()],
        "metrics": None if accuracy is None else asdict(accuracy),
        "coverage": tally.errors.covered / rows if rows else None,
        "mean_width": _finite(tally.errors.width / rows) if rows else None,
        "rows_unbounded": tally.unbounded,
    }
    return json.dumps(document, ensure_ascii=False, allow_nan=False, indent=2) + "\n"


def _set_part(run: PredictionRun, mask: int, rows: int) -> dict[str, Any]:
    return {
        "modalities": [name for i, name in enumerate(run.names) if mask >> i & 1],
        "rows": rows,
        "expected_rmse": Expectations(run).rmse(mask),
        "calibration_rows": run.predictor.calibrated.sets[mask].rows,
    }


def _drift_part(name: str, found: Drift) -> dict[str, Any]:
    return {
        "modality": name,
        "rows": found.rows,
        "rows_far": found.far,
        "share": found.share,
        "expected": EXPECTED,
        "shift": found.shift,
        "drifted": found.warns,
    }


def _finite(value: float) -> float | None:
    return value if isfinite(value) else None
