"""The features of a table, decomposed in one pass and without a model: the quick look that people take first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from pidreg_cli.data.covariate_roles import IDLE, without_covariates
from pidreg_cli.data.covariates import Covariates, fit_covariates
from pidreg_cli.data.kept_columns import with_kept
from pidreg_cli.data.labels import RowIds
from pidreg_cli.data.leaks import ALMOST, determined_targets
from pidreg_cli.data.preparation.findings import RowProgress
from pidreg_cli.data.roles import RoleRequest, Roles, resolve_roles
from pidreg_cli.data.tables import ParquetTable
from pidreg_cli.data.targets import see_target
from pidreg_cli.data.transforms import TargetTransform
from pidreg_cli.decisions import data_checks
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.decomposing.per_row import Decomposed
from pidreg_cli.decomposing.readers import FeatureReader
from pidreg_cli.decomposing.request import DecomposeRequest
from pidreg_cli.decomposing.streamed import LabelledTable, shares_alone, streamed_information, streamed_rows
from pidreg_cli.decomposing.table_report import TableReport, labelled_table
from pidreg_cli.errors import UsageError
from pidreg_cli.information.moments import Moments
from pidreg_cli.threads import available_threads

MOST_MODALITIES = 12
UNSPLIT = (*IDLE, "Column 'split' is used as the split")
"""Notices of roles that say nothing here: every row is scored whatever its split."""


def decompose_features(
    table: ParquetTable,
    roles: RoleRequest,
    request: DecomposeRequest,
    covariates: Sequence[str],
    progress: RowProgress,
) -> Decomposed:
    """Decompose what the features of a table say of its target, without a model. Raises PidregError of every kind."""
    found = resolve_roles(table.schema, table.metadata, roles)
    found, notices = without_covariates(found, covariates, UNSPLIT)
    if len(found.modalities) > MOST_MODALITIES:
        raise UsageError(
            "usage.too_many_modalities",
            f"{len(found.modalities)} modalities, but every set of them is estimated: at most {MOST_MODALITIES}",
            "join related ones, as in --modality labs='blood__*,urine__*'",
        )
    threads = request.threads or available_threads()
    with quick_look(table, found, threads) as table:
        held, reader, labelled = looked_at(table, found, covariates, request, single=True)
        streamed = streamed_information(
            labelled, reader, len(found.modalities), request, "features", held.columns, progress
        )
        facts = TableReport(
            found,
            labelled,
            reader.tally,
            "inverse normal (Blom)",
            request,
            "cpu",
            threads,
            findings=leaks(reader, streamed.everything, labelled),
        )
        constant = constant_features(reader, streamed.everything.constant)
        report = facts.report(streamed.facts, constant, None)
    return Decomposed(
        report,
        notices,
        lambda: streamed_rows(
            labelled, reader, streamed.readouts, RowIds.of(table, found.id), progress, threads
        ),
        streamed.readouts.sums[:, :, 0].sum(axis=0) / labelled.rows,
    )


@contextmanager
def quick_look(table: ParquetTable, found: Roles, threads: int) -> Iterator[ParquetTable]:
    """The table for a block that reads its features and target, in memory where these are small; digests are computed
    beside it. Raises DataError where features determine the target.
    """
    features = [column for columns in found.modalities.values() for column in columns]
    with (
        threadpool_limits(1),  # sums and readouts of some hundred features: threads would wait for each other
        determined_targets(tuple(found.modalities), found.target),
        table.digests.meanwhile(threads),
    ):
        with table.digests.aside():
            kept = with_kept(table, features, [found.target], threads)
        yield kept


def looked_at(
    table: ParquetTable,
    found: Roles,
    covariates: Sequence[str],
    request: DecomposeRequest,
    *,
    single: bool = False,
) -> tuple[Covariates, FeatureReader, LabelledTable]:
    """Covariates, a reader of the features, and the rows with a target, from first looks at the table.

    ``single``: as of the reader.

    Raises DataError as each of these.
    """
    held = fit_covariates(table, covariates)
    seen = see_target(table, found.target)
    transform = TargetTransform.fit(seen.values, seen.counted)
    interactions = request.interactions or "products"
    reader = FeatureReader(table, found.modalities, seen, interactions, held, single=single)
    return held, reader, labelled_table(table, seen, transform, found.group, request, reader)


def constant_features(reader: FeatureReader, flat: NDArray[np.bool_]) -> dict[str, tuple[str, ...]]:
    """Features with one value in all rows, by modality."""
    places = feature_places(reader)
    return {
        name: tuple(column for (owner, column), place in places.items() if owner == name and flat[place])
        for name in reader.single_features
    }


def leaks(reader: FeatureReader, everything: Moments, labelled: LabelledTable) -> tuple[Diagnostic, ...]:
    """A warning where single features alone determine the target almost wholly: its normal scores, by the moments of
    [features, Y', ...] of all rows, or, as a copy in another unit does, its values, in the rows looked at first.
    """
    shares = shares_alone(everything, reader.layout.width)
    known = {
        feature: max(float(shares[place]), reader.straight[feature])
        for feature, place in feature_places(reader).items()
    }
    found = {feature: share for feature, share in known.items() if share > ALMOST}
    warned = data_checks.leaked_target(labelled.seen.column, found)
    return () if warned is None else (warned,)


def feature_places(reader: FeatureReader) -> dict[tuple[str, str], int]:
    """Columns of the layout that are one feature each, by its modality and name."""
    found: dict[tuple[str, str], int] = {}
    for place, (name, features) in enumerate(reader.single_features.items()):
        start = reader.layout.slices["code", place, place].start
        found |= {(name, one): start + nth for nth, one in enumerate(features)}
    return found
