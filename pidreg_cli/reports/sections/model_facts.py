"""How well the model predicts, how it fuses, and which rows say what."""

from __future__ import annotations

from collections.abc import Sequence

from pidreg_cli.reports.content import Block, Bullets, Paragraph, Section, Table
from pidreg_cli.reports.model import Accuracy, Information, Report
from pidreg_cli.reports.wording import decimal, listing, measured, percent, rows_phrase, together

SHOWN = 12
"""Fusion weights listed; the others are in report.json."""
MOST_FILES = 6
"""Names of files that are all told."""
ESTIMATORS = {
    "heldout": "cross-fitted readouts, a lower bound on the information",
    "debiased": "covariances less their exact bias",
    "plugin": "covariances as they are",
}
INTERACTIONS = {
    "products": "with products of codes",
    "none": "without products of codes (straight lines only)",
}
FEATURE_INTERACTIONS = {
    "products": "of features, squares and products of their leading scores",
    "none": "of features (straight lines only)",
}


def accuracy(report: Report) -> Section | None:
    """The model beside the baselines, in the target's units."""
    if report.metrics is None:
        return None
    metrics = report.metrics
    entries = [
        ("pidreg", metrics.test),
        *metrics.baselines.items(),
        ("pidreg, validation rows", metrics.valid),
    ]
    rows = tuple((name, *accuracy_cells(entry)) for name, entry in entries if entry is not None)
    if not rows:
        return None
    header = ("model", "RMSE", "MAE", "R2", "correlation", "rows")
    return Section("How well it predicts", (Table(header, rows),))


def accuracy_cells(entry: Accuracy) -> tuple[str, ...]:
    """RMSE, MAE, R2, correlation, rows."""
    ratios = ("-" if value is None else decimal(value, 3) for value in (entry.r2, entry.corr))
    return (measured(entry.rmse), measured(entry.mae), *ratios, f"{entry.n:,}")


def fusion(report: Report) -> Section | None:
    """Weights of the fusion, largest first, and how training went."""
    if report.fusion is None:
        return None
    facts = report.fusion
    ranked = sorted(facts.weights.items(), key=lambda item: -item[1])
    weights = tuple((name, percent(weight, 1)) for name, weight in ranked[:SHOWN])
    left = len(ranked) - len(weights)
    settled = "settled" if facts.converged else "did not settle"
    noise = listing([f"{name} {percent(share)}" for name, share in facts.lambda_.items()])
    training = (
        f"Weights {settled} after {facts.stage1_epochs} epochs of stage 1; stage 2 took "
        f"{facts.stage2_epochs}. Share of signal in each code: {noise}. The model in the run folder: "
        f"{facts.deployment}."
    )
    blocks: tuple[Block, ...] = (Table(("term", "weight"), weights), Paragraph(training))
    if left:
        blocks = (blocks[0], Paragraph(f"{left} smaller weights are in report.json."), *blocks[1:])
    return Section("How the model combines them", blocks)


def rows(report: Report) -> Section:
    """The table, its modalities, and which rows say what."""
    header = ("modality", "features", "missing cells", "rows without it")
    modalities = tuple(
        (m.name, f"{m.features:,}", percent(m.missing_fraction, 1), percent(m.absent_rows_fraction, 1))
        for m in report.modalities
    )
    return Section(
        "Data, and which rows say what",
        (Paragraph(counts(report)), Table(header, modalities), Bullets(protocol(report))),
    )


def counts(report: Report) -> str:
    """Rows read, dropped and used."""
    data = report.data
    used = data.rows - data.rows_missing_target
    parts = data.rows_train + data.rows_valid + data.rows_test
    # Of a streamed table a sample validates and is held out.
    several = f"{parts:,} of {used:,} used" if 0 < data.rows_train < parts < used else f"{used:,} used"
    dropped = f", {data.rows_missing_target:,} dropped (no target)" if data.rows_missing_target else ""
    split = (
        f"{data.folds} folds"
        if data.folds
        else f"{data.rows_train:,} to train, {data.rows_valid:,} to validate, {data.rows_test:,} to test"
    )
    source = f"{files(data.files)}: " if data.files else "A table in memory: "
    trained = data.folds or data.rows_train
    grouped = f" Rows with one value of '{data.group}' belong together." if data.group else ""
    return f"{source}{data.rows:,} rows read{dropped}, {several}{f' ({split})' if trained else ''}.{grouped}"


def files(names: Sequence[str]) -> str:
    """Names of files; of many the first and the last."""
    return listing(names) if len(names) <= MOST_FILES else f"{len(names):,} files, {names[0]} to {names[-1]}"


def protocol(report: Report) -> tuple[str, ...]:
    """Which rows each kind of number comes from, and how."""
    said = []
    if report.information is not None:
        said.append(information_rows(report.information))
        said += known_before(report.information)
    if report.metrics is not None and report.metrics.test is not None:
        held = (
            "cross-fitted rows"
            if report.data.folds
            else "test rows"
            if report.data.rows_train
            else "new rows"
        )
        said.append(f"Accuracy: {report.metrics.test.n:,} {held}, in the units of '{report.data.target}'.")
    if report.selection is not None:
        said.append(f"Selection: {rows_phrase(report.selection.protocol, report.selection.rows)}.")
    said.append(f"Seed {report.seed}, {report.device}; pidreg {report.tool_version}, {report.created_at}.")
    return tuple(said)


def known_before(information: Information) -> list[str]:
    """What the covariates are, and what they tell alone."""
    if not information.covariates:
        return []
    names, alone = listing(information.covariates), information.covariate_information
    amount = (
        "" if alone is None else f" Alone {'it tells' if len(information.covariates) == 1 else 'they tell'} "
    )
    told = "" if alone is None else f"{amount}{decimal(alone)} {information.units}."
    return [f"Every amount is beyond {names}, which every readout holds.{told}"]


def information_rows(information: Information) -> str:
    """Rows and estimator of the information."""
    where = rows_phrase(information.protocol, information.rows)
    interactions = FEATURE_INTERACTIONS if information.protocol == "features" else INTERACTIONS
    how = f"{ESTIMATORS[information.estimator]}, {interactions[information.interactions]}"
    bound = " Intervals are those of the readout, not of the full information." * (
        information.interval_of == "readout" and information.values[-1].ci is not None
    )
    tested = [(v.modalities, v.p_value) for v in information.values if v.p_value is not None]
    tests = "".join(f" {together(names)}: p = {p:.3g}." for names, p in tested)
    return f"Information: {where}; {how}.{bound}{f' Against no information at all:{tests}' if tests else ''}"
