"""All diagnostics of a report, from its evidence: the gravest first."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from pidreg_cli.decisions import data_checks, information_checks, training_checks
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.reports.decomposition import LATTICE, Informations, common_change_error
from pidreg_cli.reports.evidence import Evidence, InformationFacts

GRAVITY = {"error": 0, "warning": 1, "info": 2}


def diagnostics(evidence: Evidence, found: Informations | None) -> tuple[Diagnostic, ...]:
    """Those of the pipeline and those that the evidence shows; equally grave ones in order of the work."""
    checks = [*data_findings(evidence), *training_findings(evidence)]
    if found is not None and evidence.information is not None:
        checks += [*information_findings(evidence.information, found), *fusion_findings(evidence, found)]
    findings = [*evidence.diagnostics, *(check for check in checks if check is not None)]
    return tuple(sorted(findings, key=lambda finding: GRAVITY[finding.severity]))


def data_findings(evidence: Evidence) -> Iterator[Diagnostic | None]:
    """Of the table."""
    table = evidence.table
    yield data_checks.missing_target(table.rows, table.rows_missing_target, table.target)
    if evidence.training is not None:
        yield data_checks.target_not_continuous(evidence.training.target, table.target)
    for modality in evidence.modalities:
        yield data_checks.constant_features(modality.name, modality.constant_features)
        yield data_checks.absent_modality(modality.name, modality.absent_rows_fraction)


def training_findings(evidence: Evidence) -> Iterator[Diagnostic | None]:
    """Of the fitted model."""
    if evidence.fusion is not None:
        facts = evidence.fusion
        yield training_checks.unconverged_weights(
            facts.converged, facts.movement, facts.tolerance, facts.stage1_bound
        )
        if facts.stage1_atoms is not None and facts.window is not None and facts.tolerance is not None:
            allowed = facts.window * facts.tolerance
            yield training_checks.oscillating_weights(facts.stage1_atoms, allowed)
    if evidence.accuracy is not None and evidence.accuracy.test is not None:
        for name, baseline in evidence.accuracy.baselines.items():
            yield training_checks.worse_than_baseline(evidence.accuracy.test.rmse, baseline.rmse, name)
    training = evidence.training
    if training is not None:
        yield training_checks.chosen_encoders(training.chosen)
        yield training_checks.boosted_scores(*training.boosted)
        yield training_checks.tree_share(training.tree_shares)
        yield training_checks.smaller_batch(training.batches)
    yield training_checks.device_memory(evidence.run.device, evidence.run.device_bytes)
    if training is not None and training.code_divergence is not None:
        yield training_checks.codes_not_normal(training.code_divergence)
    if training is not None and training.head_r2 is not None and training.alone_r2 is not None:
        for name, head, alone in zip(evidence.names, training.head_r2, training.alone_r2, strict=True):
            yield training_checks.starved_modality(name, float(head), float(alone))


def information_findings(facts: InformationFacts, found: Informations) -> Iterator[Diagnostic | None]:
    """Of the estimate."""
    whole = facts.p_values.get(found.full)
    nothing = information_checks.indistinguishable_total(
        facts.jackknife, whole, facts.confidence, facts.interactions
    )
    yield nothing
    if nothing is None:
        yield information_checks.unresolved_order(facts.jackknife, found.v, found.names, facts.confidence)
    if facts.plugin is not None:
        yield information_checks.too_high_plugin(facts.plugin, folds=facts.protocol == "folds")
    yield information_checks.repaired(facts.raw, found.v)
    yield data_checks.few_rows(facts.rows, folds=facts.protocol in ("split", "folds"))
    yield information_checks.told_by_covariates(facts.covariates, facts.covariate_information)
    if facts.measure == "ccs":
        yield information_checks.drawn_measure(common_change_error(found))
    if facts.measure not in LATTICE and len(found.names) > 2:
        yield information_checks.two_sources_only(facts.measure)


def fusion_findings(evidence: Evidence, found: Informations) -> Iterator[Diagnostic | None]:
    """Of the fusion weights against the information."""
    total = float(found.v[-1])
    if evidence.fusion is None or len(found.names) == 1 or total == 0:
        return
    best = float(found.v[1 << np.arange(len(found.names))].max())
    if evidence.fusion.product_share is not None:
        yield training_checks.collapsed_synergy(evidence.fusion.product_share, (total - best) / total)
    if evidence.fusion.stage1_atoms is not None:
        yield training_checks.vanished_synergy(evidence.fusion.stage1_atoms[:, -1])
