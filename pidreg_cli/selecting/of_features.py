"""The features of a table without a model: which modalities to keep, in one pass over the rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.config.settings import SelectionSettings
from pidreg_cli.data.covariate_roles import without_covariates
from pidreg_cli.data.covariates import Covariates
from pidreg_cli.data.preparation.findings import RowProgress
from pidreg_cli.data.roles import RoleRequest, resolve_roles
from pidreg_cli.data.tables import open_table
from pidreg_cli.decisions import data_checks, information_checks
from pidreg_cli.decisions.candidates import modality_costs
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.decisions.searching import EXACT, TriedSets, search
from pidreg_cli.decisions.selection import Rule, Told, check_rule
from pidreg_cli.decisions.set_errors import SetErrors, joined
from pidreg_cli.decomposing.of_features import UNSPLIT, constant_features, leaks, looked_at, quick_look
from pidreg_cli.decomposing.readers import RowReader
from pidreg_cli.decomposing.request import DecomposeRequest
from pidreg_cli.decomposing.streamed import LabelledTable, gathered_information
from pidreg_cli.decomposing.table_report import TableReport
from pidreg_cli.errors import UsageError
from pidreg_cli.information.features import FeatureLayout
from pidreg_cli.information.grouped_readouts import GroupedReadouts, GroupedSums, grouped_readouts
from pidreg_cli.information.intervals import Jackknife
from pidreg_cli.information.moments import Moments, merged
from pidreg_cli.information.readouts import finite_informations
from pidreg_cli.reports import evidence as given
from pidreg_cli.reports.model import Report
from pidreg_cli.reports.selected import selected
from pidreg_cli.reports.tried import told_by, tried_information
from pidreg_cli.threads import available_threads
from pidreg_cli.training.metrics import Accuracy

Floats = NDArray[np.float64]

MOST_MODALITIES = 30
"""A greedy search of more would take hours: it tries a thousand sets of hundreds of features each."""


def select_features(
    inputs: Sequence[str | Path],
    roles: RoleRequest,
    settings: SelectionSettings,
    covariates: Sequence[str],
    progress: RowProgress,
    *,
    seed: int = 0,
    threads: int | None = None,
) -> tuple[Report, tuple[str, ...]]:
    """The report, and notices. Up to twelve modalities every set is tried, beyond a greedy search is made.

    Sets are compared on all rows, each predicted from folds without it, beyond the covariates where there are some.
    Raises PidregError of every kind.
    """
    table = open_table(inputs)
    found = resolve_roles(table.schema, table.metadata, roles)
    found, notices = without_covariates(found, covariates, UNSPLIT)
    names = tuple(found.modalities)
    _check(names, settings)
    request = DecomposeRequest(seed=seed, threads=threads)
    limit = threads or available_threads()
    with quick_look(table, found, limit) as table:
        held, reader, labelled = looked_at(table, found, covariates, request)
        rows = Gathered.of(labelled, reader, held, "features", progress)
        everything = merged(rows.parts)
        constant = constant_features(reader, everything.constant)
        facts = TableReport(
            found,
            labelled,
            reader.tally,
            "inverse normal (Blom)",
            request,
            "cpu",
            limit,
            "select-modalities",
            leaks(reader, everything, labelled),
        )
        if len(names) <= EXACT:
            report = exact(rows, names, settings, facts, constant, request)
        else:
            report = _greedy(rows, names, settings, facts, constant, seed)
    return report, notices


def _check(names: tuple[str, ...], settings: SelectionSettings) -> None:
    if len(names) > MOST_MODALITIES:
        raise UsageError(
            "usage.too_many_modalities",
            f"{len(names)} modalities: a greedy search takes at most {MOST_MODALITIES}",
            "join related ones, as in --modality labs='blood__*,urine__*'",
        )
    check_rule(names, Rule.of(settings), settings.cost)


@dataclass
class Gathered:
    """What one pass left of the rows, and the sets of modalities that were evaluated from it.

    ``parts``: moments of [features, Y', target] of each group: information is about Y', errors are the target's.
    """

    labelled: LabelledTable
    layout: FeatureLayout
    parts: tuple[Moments, ...]
    covariates: Covariates
    protocol: Literal["features", "new-data"]
    scores: list[SetErrors] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        labelled: LabelledTable,
        reader: RowReader,
        covariates: Covariates,
        protocol: Literal["features", "new-data"],
        progress: RowProgress,
    ) -> Gathered:
        """The pass. Raises the errors of the reader."""
        sums = GroupedSums(len(labelled.folds), reader.layout.width + 2)
        with sums.shared(labelled.threads), labelled.table.digests.aside():
            for read in labelled.batches(reader, progress, "reading rows"):
                sums.add(np.column_stack([np.asarray(read.rows, np.float64), read.target]), read.groups)
        return cls(labelled, reader.layout, sums.parts, covariates, protocol)

    @property
    def score_parts(self) -> tuple[Moments, ...]:
        """Moments of [features, Y']."""
        return tuple(
            Moments(part.count, part.squares, part.mean[:-1], part.scatter[:-1, :-1]) for part in self.parts
        )

    def readouts(self, masks: Sequence[int]) -> GroupedReadouts:
        """Of some non-empty sets; targets are Y' and the target."""
        return grouped_readouts(self.parts, self.labelled.folds, self.layout, masks)

    def errors(self, readouts: GroupedReadouts, masks: Sequence[int], target: int) -> SetErrors:
        """Errors of the sets ``masks``, of which the empty one comes first where it is asked for."""
        places = [1 + readouts.masks.index(mask) if mask else 0 for mask in masks]
        counts = np.array([part.count for part in self.parts])
        sums, growth = (array[:, places, target] for array in (readouts.sums, readouts.growth))
        return SetErrors(tuple(masks), counts, sums, growth)

    def evaluate(self, masks: Sequence[int]) -> SetErrors:
        """Errors of the target by these sets; those of Y' are kept aside."""
        readouts = self.readouts([mask for mask in masks if mask])
        self.scores.append(self.errors(readouts, masks, 0))
        return self.errors(readouts, masks, 1)


def exact(
    rows: Gathered,
    names: tuple[str, ...],
    settings: SelectionSettings,
    facts: TableReport,
    constant: dict[str, tuple[str, ...]],
    request: DecomposeRequest,
    accuracy: Accuracy | None = None,
) -> Report:
    """Every set, with the decomposition; ``accuracy`` of the model, if there is one."""
    masks = range(1 << len(names))
    readouts = rows.readouts(masks[1:])
    streamed = gathered_information(
        rows.score_parts,
        readouts,
        rows.labelled,
        rows.layout,
        len(names),
        request,
        rows.protocol,
        rows.covariates.columns,
    )
    chosen = _facts(rows, rows.errors(readouts, masks, 1), settings, request.seed or 0)
    return facts.report(streamed.facts, constant, accuracy, chosen)


def _greedy(
    rows: Gathered,
    names: tuple[str, ...],
    settings: SelectionSettings,
    facts: TableReport,
    constant: dict[str, tuple[str, ...]],
    seed: int,
) -> Report:
    """The sets that a search comes by; without a decomposition, which needs every set."""
    costs = modality_costs(names, settings.cost)
    tried = TriedSets(len(names), rows.evaluate)
    search(tried, costs, Rule.of(settings))
    score = joined(rows.scores)
    finite_informations(score.sums.sum(axis=0))
    told = told_by(score)
    chosen = _facts(rows, tried.scored, settings, seed)
    information = tried_information(names, score, told, rows.covariates.columns)
    part = selected(names, chosen, told, information.confidence)
    facts = replace(facts, findings=(*facts.findings, *_of_tried(score, told, information.confidence)))
    report = facts.report(None, constant, None)
    return report.model_copy(update={"information": information, "selection": part})


def _of_tried(score: SetErrors, told: Told, confidence: float) -> list[Diagnostic]:
    """What the estimates of the tried sets are worth; the largest of them holds all modalities."""
    found = score.jackknife
    whole = [0, int(np.argmax(score.masks))]
    pair = Jackknife(found.estimate[whole], found.replicates[:, whole])
    findings = (
        information_checks.indistinguishable_total(pair, None, confidence, "products"),
        information_checks.repaired(found.estimate, told.values),
        data_checks.few_rows(score.count, folds=False),
    )
    return [one for one in findings if one is not None]


def _facts(rows: Gathered, scored: SetErrors, settings: SelectionSettings, seed: int) -> given.SelectionFacts:
    return given.SelectionFacts(scored, rows.protocol, Rule.of(settings), settings.cost, seed)
