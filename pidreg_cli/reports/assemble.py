"""The report from the evidence: every part of it, in the published order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.decisions.selection import Told
from pidreg_cli.information.intervals import containing, information_intervals
from pidreg_cli.information.lattice import member_order, monotone_closure
from pidreg_cli.information.shapley import shapley_values
from pidreg_cli.reports import evidence as given
from pidreg_cli.reports import model
from pidreg_cli.reports.decomposition import (
    Informations,
    decomposition,
    names_of,
    one_versus_rest,
    pair_of,
    sensitivity,
)
from pidreg_cli.reports.examine import diagnostics
from pidreg_cli.reports.selected import selected
from pidreg_cli.training.metrics import Accuracy
from pidreg_cli.version import __version__

Floats = NDArray[np.float64]


def assemble(evidence: given.Evidence) -> model.Report:
    """The complete report; parts without evidence are null or empty."""
    found = informations(evidence)
    chosen = None if found is None else selection_part(evidence, found)
    facts = evidence.information
    measured = NOTHING_MEASURED if facts is None or found is None else information_parts(facts, found)
    return model.Report(
        schema_version=model.SCHEMA_VERSION,
        tool_version=__version__,
        command=evidence.run.command,
        created_at=evidence.run.created_at,
        seed=evidence.run.seed,
        device=evidence.run.device,
        threads=evidence.run.threads,
        data=data_part(evidence.table),
        modalities=tuple(modality_part(modality) for modality in evidence.modalities),
        metrics=None if evidence.accuracy is None else metrics_part(evidence.accuracy),
        information=measured.information,
        pid=measured.pid,
        one_versus_rest=measured.one_versus_rest,
        sensitivity=measured.sensitivity,
        shapley=measured.shapley,
        fusion=None if evidence.fusion is None else fusion_part(evidence.fusion, evidence.names),
        selection=chosen,
        diagnostics=tuple(diagnostic_part(finding) for finding in diagnostics(evidence, found)),
    )


@dataclass(frozen=True)
class InformationParts:
    """The parts of a report that estimated informations decide."""

    information: model.Information | None
    pid: model.Decomposition | None
    one_versus_rest: tuple[model.OneVersusRest, ...]
    sensitivity: tuple[model.Sensitivity, ...]
    shapley: dict[str, float] | None


NOTHING_MEASURED = InformationParts(None, None, (), (), None)


def information_parts(facts: given.InformationFacts, found: Informations) -> InformationParts:
    """Informations and their decomposition."""
    return InformationParts(
        information_part(facts, found),
        decomposition(found, facts.measure),
        one_versus_rest(found, facts.measure),
        sensitivity(found, facts.measure),
        named(found.names, shapley_values(found.v)),
    )


def informations(evidence: given.Evidence) -> Informations | None:
    """The coherent informations that everything else is computed from."""
    return None if evidence.information is None else informations_of(evidence.names, evidence.information)


def informations_of(names: tuple[str, ...], facts: given.InformationFacts) -> Informations:
    """The estimates made coherent."""
    v = monotone_closure(facts.raw)
    return Informations(names, v, facts.jackknife, facts.confidence, facts.rest_correlations, facts.seed)


def named(names: Sequence[str], values: Floats) -> dict[str, float]:
    """Numbers by modality."""
    return dict(zip(names, (float(value) for value in values), strict=True))


def data_part(table: given.TableFacts) -> model.Data:
    """The table."""
    return model.Data(
        files=table.files,
        fingerprint=table.fingerprint,
        rows=table.rows,
        rows_missing_target=table.rows_missing_target,
        rows_train=table.rows_train,
        rows_valid=table.rows_valid,
        rows_test=table.rows_test,
        folds=table.folds,
        target=table.target,
        target_transform=table.target_transform,
        group=table.group,
    )


def modality_part(modality: given.ModalityFacts) -> model.Modality:
    """A modality."""
    return model.Modality(
        name=modality.name,
        features=modality.features,
        missing_fraction=float(modality.missing_fraction),
        absent_rows_fraction=float(modality.absent_rows_fraction),
    )


def accuracy_part(accuracy: Accuracy | None) -> model.Accuracy | None:
    """Accuracy on some rows."""
    if accuracy is None:
        return None
    return model.Accuracy(
        rmse=accuracy.rmse, mae=accuracy.mae, r2=accuracy.r2, corr=accuracy.corr, n=accuracy.n
    )


def metrics_part(facts: given.AccuracyFacts) -> model.Metrics:
    """Accuracy of the model and of the baselines."""
    baselines = {name: accuracy_part(accuracy) for name, accuracy in facts.baselines.items()}
    return model.Metrics(
        test=accuracy_part(facts.test),
        valid=accuracy_part(facts.valid),
        baselines={name: part for name, part in baselines.items() if part is not None},
    )


def information_part(facts: given.InformationFacts, found: Informations) -> model.Information:
    """Information of every set of modalities, by size, then as given."""
    masks = sorted(range(1, len(found.v)), key=member_order)
    spans = None if found.jackknife is None else subset_intervals(found)
    return model.Information(
        units="bits",
        estimator=facts.estimator,
        interactions=facts.interactions,
        protocol=facts.protocol,
        rows=facts.rows,
        confidence=facts.confidence,
        interval_of=facts.interval_of,
        values=tuple(_subset_information(facts, found, mask, spans) for mask in masks),
        co_information=co_information(found.v),
        covariates=facts.covariates,
        covariate_information=facts.covariate_information,
    )


def subset_intervals(found: Informations) -> Floats | None:
    """Intervals (2**n, 2), stretched to contain the published values."""
    if found.jackknife is None:
        return None
    return containing(information_intervals(found.jackknife, found.confidence), found.v)


def _subset_information(
    facts: given.InformationFacts, found: Informations, mask: int, spans: Floats | None
) -> model.SubsetInformation:
    return model.SubsetInformation(
        modalities=names_of(mask, found.names),
        value=float(found.v[mask]),
        value_raw=float(facts.raw[mask]),
        debiased=None if facts.debiased is None else float(facts.debiased[mask]),
        ci=None if spans is None else pair_of(spans[mask]),
        p_value=facts.p_values.get(mask),
    )


def co_information(v: Floats) -> float | None:
    """``sum (-1)^(|A|+1) I_A`` over the non-empty sets, in bits; None for a single modality."""
    if len(v) == 2:
        return None
    signs = np.where(np.bitwise_count(np.arange(len(v))) % 2, 1.0, -1.0)
    return float(signs[1:] @ v[1:])


def fusion_part(facts: given.FusionFacts, names: tuple[str, ...]) -> model.Fusion:
    """Fusion weights by name, products as ``a*b``."""
    pairs = {f"{a}*{b}": float(facts.pairs[i, j]) for (i, a), (j, b) in combinations(enumerate(names), 2)}
    content = {
        "weights": {**named(names, facts.singles), **pairs},
        "converged": facts.converged,
        "stage1_movement": facts.movement,
        "stage1_epochs": facts.stage1_epochs,
        "stage2_epochs": facts.stage2_epochs,
        "lambda": named(names, facts.lambdas),
        "deployment": facts.deployment,
    }
    return model.Fusion.model_validate(content)


def selection_part(evidence: given.Evidence, found: Informations) -> model.Selection | None:
    """The recommendation among all sets."""
    told = Told(found.v, found.jackknife)
    facts = evidence.selection
    return None if facts is None else selected(evidence.names, facts, told, found.confidence)


def diagnostic_part(finding: Diagnostic) -> model.Diagnostic:
    """A diagnostic."""
    return model.Diagnostic(
        code=finding.code,
        severity=finding.severity,
        message=finding.message,
        hint=finding.hint,
        value=finding.value,
    )
