"""The held-out rows of a run, decomposed again: by other measures, estimators, readouts or intervals."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.decomposing.per_row import Decomposed, RowBatch
from pidreg_cli.decomposing.request import DecomposeRequest, created_now
from pidreg_cli.errors import DataError
from pidreg_cli.information.debiased import ReadoutSize, plugin_jackknife, rows_correlations
from pidreg_cli.information.errors import TooFewRowsError
from pidreg_cli.information.features import Interactions
from pidreg_cli.information.intervals import GROUPS, Jackknife
from pidreg_cli.information_facts import facts_of_estimates, pooled_debiased
from pidreg_cli.reports import evidence as given
from pidreg_cli.reports.assemble import diagnostic_part, information_parts, informations_of
from pidreg_cli.reports.examine import GRAVITY, information_findings
from pidreg_cli.reports.model import Estimator, Report
from pidreg_cli.run_evidence import RunEvidence, read_evidence
from pidreg_cli.training.device import available_threads, limited_threads
from pidreg_cli.training.evaluation import Readouts, jackknife_groups
from pidreg_cli.training.model_rows import Estimates
from pidreg_cli.training.seeds import Stream, numpy_generator

HELDOUT = "heldout.parquet"


def decompose_run(folder: Path, request: DecomposeRequest) -> Decomposed:
    """Decompose the held-out rows of a run; with the settings of the fit exactly as its report does.

    Raises RunError where the run or what it keeps of its rows cannot be read, DataError where rows are too few for
    the estimator.
    """
    evidence = read_evidence(folder)
    settings = _settings(evidence.settings, request)
    threads = request.threads or evidence.report.threads or available_threads()
    # As in the fit: sums, and with them last digits, depend on it; and these are too small to share.
    with limited_threads(1):
        estimates = evidence.estimates(settings, threads=threads)
        facts = _facts(evidence, estimates, settings, request)
    report = report_of(evidence, facts, settings, threads)
    batch = _rows(folder, estimates.readouts)
    return Decomposed(report, (), lambda: iter((batch,)), batch.errors.mean(axis=0))


def _settings(settings: Settings, request: DecomposeRequest) -> Settings:
    asked = {key: getattr(request, key) for key in ("measure", "interactions", "confidence")}
    changed = {key: value for key, value in asked.items() if value is not None}
    return settings.model_copy(
        update={
            "seed": settings.seed if request.seed is None else request.seed,
            "information": settings.information.model_copy(update=changed),
        }
    )


def _facts(
    evidence: RunEvidence, estimates: Estimates, settings: Settings, request: DecomposeRequest
) -> given.InformationFacts:
    facts = facts_of_estimates(estimates, evidence.held_labels, settings, evidence.protocol)
    if request.estimator == "heldout":
        return facts
    found = (
        pooled_debiased(estimates.debiased)
        if request.estimator == "debiased"
        else _plugin(evidence, settings)
    )
    if found is None:
        raise _too_few_rows(evidence, settings, request.estimator)
    return replace(
        facts,
        estimator=request.estimator,
        raw=found.estimate,
        jackknife=found,
        interval_of="information",
        **_of_plugin(evidence, settings) if request.estimator == "plugin" else {},
    )


def _plugin(evidence: RunEvidence, settings: Settings) -> Jackknife | None:
    """The plug-in estimate averaged over models; None where a model has too few held-out rows."""
    parts = []
    for rows in evidence.models:
        rng = numpy_generator(settings.seed, Stream.INTERVALS, rows.number)
        groups = jackknife_groups(rows.held.groups, rng)
        if len(np.unique(groups)) < GROUPS:
            return None
        blocks, interactions = rows.held.blocks, settings.information.interactions
        try:
            parts.append(plugin_jackknife(blocks, rows.held.targets[:, 0], groups, interactions))
        except TooFewRowsError:
            return None
    return Jackknife(
        np.mean([part.estimate for part in parts], axis=0),
        np.mean([part.replicates for part in parts], axis=0),
    )


def _of_plugin(evidence: RunEvidence, settings: Settings) -> dict[str, Any]:
    """What else belongs to a plug-in estimate: its size, and correlations of its predictions, mean over models."""
    interactions = settings.information.interactions
    found = [
        rows_correlations(rows.held.blocks, rows.held.targets[:, 0], interactions) for rows in evidence.models
    ]
    return {"plugin": _smallest(evidence, interactions), "rest_correlations": np.mean(found, axis=0)}


def _smallest(evidence: RunEvidence, interactions: Interactions) -> ReadoutSize:
    """Of the models' readouts that on the fewest held-out rows."""
    held = (rows.held for rows in evidence.models)
    sizes = [ReadoutSize.of_blocks(one.blocks, len(one.groups), interactions) for one in held]
    return min(sizes, key=lambda size: size.rows)


def _needed(size: ReadoutSize, estimator: Estimator) -> int:
    """Held-out rows of a model that the estimate needs: enough also without one of the groups of its intervals."""
    enough = size.debiased_rows if estimator == "debiased" else size.plugin_rows
    return -(-math.ceil(enough) * GROUPS // (GROUPS - 1))


def _too_few_rows(evidence: RunEvidence, settings: Settings, estimator: Estimator) -> DataError:
    """What the estimate needs of each model and what there is, with a hint that this run can follow."""
    code, name = "information.too_few_rows", "plug-in" if estimator == "plugin" else estimator
    models = "the model" if len(evidence.models) == 1 else f"each of the {len(evidence.models)} models"
    groups = min(len(np.unique(rows.held.groups)) for rows in evidence.models)
    heldout = "--estimator heldout, which takes any number of rows"
    if groups < GROUPS:
        lacking = (
            f"at least {GROUPS} rows, or groups where rows have these, among the held-out rows of {models}"
        )
        fewest = "there are" if len(evidence.models) == 1 else "the fewest are"
        return DataError(code, f"The {name} estimate needs {lacking}; {fewest} {groups}.", f"Use {heldout}.")
    interactions = settings.information.interactions
    size, plain = _smallest(evidence, interactions), _smallest(evidence, "none")
    fewer = interactions == "products" and plain.rows >= _needed(plain, estimator)
    return DataError(
        code,
        f"The {name} estimate needs {_needed(size, estimator):,} held-out rows of {models}, for {size.features:,} "
        f"features of the readout of all modalities; {'it' if len(evidence.models) == 1 else 'the smallest'} has "
        f"{size.rows:,.0f}.",
        f"Use {'--interactions none, whose readouts have fewer features, or ' * fewer}{heldout}.",
    )


def report_of(
    evidence: RunEvidence, facts: given.InformationFacts, settings: Settings, threads: int
) -> Report:
    """The run's report with the parts that informations decide made anew."""
    found = informations_of(evidence.names, facts)
    parts = information_parts(facts, found)
    kept = [d for d in evidence.report.diagnostics if not d.code.startswith("information.")]
    new = [diagnostic_part(one) for one in _present(information_findings(facts, found))]
    return evidence.report.model_copy(
        update={
            "command": "decompose",
            "created_at": created_now(),
            "seed": settings.seed,
            "threads": threads,
            "information": parts.information,
            "pid": parts.pid,
            "one_versus_rest": parts.one_versus_rest,
            "sensitivity": parts.sensitivity,
            "shapley": parts.shapley,
            "selection": None,
            "diagnostics": tuple(sorted([*kept, *new], key=lambda one: GRAVITY[one.severity])),
        }
    )


def _present(findings: Iterable[Diagnostic | None]) -> list[Diagnostic]:
    return [one for one in findings if one is not None]


def _rows(folder: Path, readouts: Readouts) -> RowBatch:
    """The held-out rows in the order of the table, with the ids that the run kept of them."""
    order = np.argsort(readouts.rows, kind="stable")
    ids = _ids(folder / HELDOUT, readouts.rows)
    return RowBatch(ids.take(pa.array(order)), readouts.target[order], readouts.score_errors[order])


def _ids(path: Path, rows: NDArray[np.intp]) -> pa.Array:
    """Ids of these rows of the table; their positions where the run kept none."""
    try:
        kept = pq.read_table(path, columns=["id", "split"])
    except (OSError, pa.ArrowException):
        return pa.array(rows)
    ids = kept["id"].combine_chunks().filter(pc.equal(kept["split"], "test").combine_chunks())
    if len(ids) != len(rows):
        return pa.array(rows)
    # Kept in the order of the table: the rank of a position is its place.
    return ids.take(pa.array(np.argsort(np.argsort(rows, kind="stable"), kind="stable")))
