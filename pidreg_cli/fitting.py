"""A fit from arrays to report: the protocol is run, what it found becomes evidence, the evidence a report."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.data.arrays import TEST, TRAIN, VALID, MultimodalArrays
from pidreg_cli.data.counted import Counted
from pidreg_cli.data.leaks import check_copies, check_errors, determined_targets
from pidreg_cli.data.splits import Protocol, choose_protocol
from pidreg_cli.data.streaming.deal import DealtTable
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.decisions.prediction.calibrated import Calibrated
from pidreg_cli.decisions.selection import Rule, check_rule
from pidreg_cli.errors import DataError, TrainingError, UsageError
from pidreg_cli.information.errors import (
    CollinearColumnsError,
    IncoherentInformationError,
    NonFiniteError,
    NotPositiveDefiniteError,
)
from pidreg_cli.information_facts import facts_of_estimates
from pidreg_cli.network.fusion import pair_indices
from pidreg_cli.reports import evidence as given
from pidreg_cli.reports.assemble import assemble
from pidreg_cli.reports.model import Report
from pidreg_cli.selection_facts import facts_of_selection
from pidreg_cli.streamed_evidence import of_whole_table
from pidreg_cli.training.boosting import scored_sets
from pidreg_cli.training.checkpoints import CheckpointStore
from pidreg_cli.training.device import available_threads, limited_threads, peak_bytes, resolve_device
from pidreg_cli.training.metrics import accuracy
from pidreg_cli.training.model_rows import ModelRows
from pidreg_cli.training.processes import ALONE, Processes
from pidreg_cli.training.progress import Progress, Silent
from pidreg_cli.training.protocol import ProtocolOutcome, ProtocolRun
from pidreg_cli.training.seeds import Stream, numpy_generator
from pidreg_cli.training.stages import stage1_bound
from pidreg_cli.training.workers import KeptProcesses

Floats = NDArray[np.float64]

ROWS_PER_SCORE = 5
MOST_MODALITIES = 12  # every set of modalities is estimated: 4,095 of them


@dataclass(frozen=True)
class TableSource:
    """Where the rows came from, for the report."""

    files: tuple[str, ...]
    fingerprint: str
    target: str
    group: str | None = None


@dataclass(frozen=True)
class Fit:
    """A finished fit: its report, what it is made of, the rows with a target that it used, and its predictions.

    ``dealt``: of a streamed table, whose ``sample`` is then ``arrays``.
    """

    report: Report
    outcome: ProtocolOutcome
    arrays: MultimodalArrays
    calibrated: Calibrated
    dealt: DealtTable | None = None

    def placed(self, rows: ModelRows) -> ModelRows:
        """The rows of a model, numbered as those of the whole table that have a target."""
        if self.dealt is None:
            return rows
        held, valid = (replace(one, rows=self.dealt.positions[one.rows]) for one in (rows.held, rows.valid))
        return replace(rows, held=held, valid=valid)


def fit_arrays(
    arrays: MultimodalArrays,
    source: TableSource,
    settings: Settings,
    progress: Progress,
    store: CheckpointStore | None = None,
    processes: Processes = ALONE,
    dealt: DealtTable | None = None,
    kept: KeptProcesses | None = None,
    findings: tuple[Diagnostic, ...] = (),
) -> Fit:
    """Fit and report. Rows without a target are left out and counted. Raises PidregError of every kind.

    With several ``processes`` this is for the first of them; the others call ``follow_arrays``. ``dealt``: the table of
    which ``arrays`` are the sample, where it is streamed. ``kept``: processes for this fit and others after it.
    ``findings``: what the report is to say of the table beside its own.
    """
    usable, protocol = checked(arrays, source, settings, streamed=dealt is not None)
    for notice in protocol.notices:
        progress.notice(notice)
    device = resolve_device(settings.device, processes.place)
    threads = settings.threads or processes.place.threads
    # Threads train side by side; within an operation, here as in a step, they cost more than they gain.
    with limited_threads(1), broken_numbers(), determined_targets(usable.names, source.target):
        run = ProtocolRun(usable, settings, device, progress, store, threads, processes, dealt, kept)
        outcome = run.run(protocol)
        check_errors(outcome.held_out.readouts.score_errors, usable.names, source.target)
        evidence = collect(arrays.rows, usable, source, settings, protocol, outcome)
        facts = replace(evidence.run, device=str(device), threads=threads, device_bytes=peak_bytes(device))
        evidence = replace(evidence, run=facts, diagnostics=findings)
        if dealt is not None:
            evidence = of_whole_table(evidence, dealt)
        return Fit(assemble(evidence), outcome, usable, calibrated(protocol, outcome, settings), dealt)


def follow_arrays(
    arrays: MultimodalArrays,
    source: TableSource,
    settings: Settings,
    processes: Processes,
    dealt: DealtTable | None = None,
) -> None:
    """What processes beside the first do in the same fit: their part of its trainings. Raises as ``fit_arrays``."""
    usable, protocol = checked(arrays, source, settings, streamed=dealt is not None)
    device = resolve_device(settings.device, processes.place)
    threads = settings.threads or processes.place.threads
    with limited_threads(1), broken_numbers(), determined_targets(usable.names, source.target):
        ProtocolRun(usable, settings, device, Silent(), None, threads, processes, dealt).follow(protocol)


@contextmanager
def broken_numbers() -> Iterator[None]:
    """Turn what the mathematics says of numbers of a network within the block into a TrainingError: the data were seen
    to be finite before.
    """
    try:
        yield
    except (
        NonFiniteError,
        NotPositiveDefiniteError,
        IncoherentInformationError,
        CollinearColumnsError,
        np.linalg.LinAlgError,
    ) as error:
        raise TrainingError(
            "training.broken_numbers",
            f"what the networks say of the rows cannot be decomposed: {error}",
            "look for extreme values in the features, or lower --set training.learning_rate=...",
        ) from error


def checked(
    arrays: MultimodalArrays, source: TableSource, settings: Settings, *, streamed: bool = False
) -> tuple[MultimodalArrays, Protocol]:
    """The rows with a target, and which of them say what; of a ``streamed`` table by one split.

    Raises PidregError where they cannot be used.
    """
    check_modalities(arrays.names, settings)
    usable = arrays.take(np.isfinite(arrays.required_target))
    check_rows(usable, settings)
    check_copies(usable, source.target)
    protocol = Protocol("split") if streamed else choose_protocol(usable.rows, settings.folds, usable.split)
    if protocol.kind == "split":
        check_validation(usable, settings)
    return usable, protocol


def calibrated(protocol: Protocol, outcome: ProtocolOutcome, settings: Settings) -> Calibrated:
    """What the deployed model predicts by, whatever modalities a row has."""
    model = outcome.deployed.model
    return Calibrated.fit(
        outcome.held_out.calibration,
        outcome.moments,
        model.transforms.target,
        protocol.kind,
        numpy_generator(settings.seed, Stream.CALIBRATION),
        trees=model.transforms.boosted is not None,
        spared=outcome.spared,
    )


def check_modalities(names: tuple[str, ...], settings: Settings) -> None:
    """Limits on modalities, and that settings by name speak of modalities that exist. Raises UsageError."""
    if len(names) > MOST_MODALITIES:
        raise UsageError(
            "usage.too_many_modalities",
            f"{len(names)} modalities, but every set of them is estimated: at most {MOST_MODALITIES}",
            "join related ones, as in --modality labs='blood__*,urine__*', or choose among them first: "
            "pidreg select-modalities DATA --no-model",
        )
    for key, named in (
        ("network.encoder.kinds", settings.network.encoder.kinds),
        ("selection.cost", settings.selection.cost),
    ):
        for name in named:
            if name not in names:
                raise UsageError(
                    "config.unknown_modality",
                    f"{key} names {name!r}, which is no modality of this fit",
                    f"modalities are: {', '.join(names)}",
                )
    check_rule(names, Rule.of(settings.selection), settings.selection.cost)


def check_rows(usable: MultimodalArrays, settings: Settings) -> None:
    """Raise DataError where the readouts of the smallest fold could not be fitted.

    With five folds .28 of the rows fit a readout of the scores and a mean, and a row must be left over.
    """
    names, use = usable.names, settings.features.boosted
    needed = ROWS_PER_SCORE * (readout_scores(len(names), trees=use == "on") + 1)
    if usable.rows < needed:
        raise DataError(
            "data.too_few_rows",
            f"{usable.rows} rows have a target; a fit of {len(names)} modalities needs {needed} or more",
            "add rows, or join modalities",
        )


def check_validation(usable: MultimodalArrays, settings: Settings) -> None:
    """Raise DataError where the validation rows of a split column are too few for readouts of their own."""
    if usable.split is None or VALID not in usable.split:
        return
    names, rows = usable.names, int((usable.split == VALID).sum())
    fitting = rows - -(-rows // min(rows, settings.information.folds))
    needed = readout_scores(len(names), trees=settings.features.boosted != "off") + 2
    if fitting < needed:
        raise DataError(
            "data.too_few_rows",
            f"The split column gives {rows} rows with a target to '{VALID}'; readouts of {len(names)} modalities are "
            f"fitted on all but a fold of them, and need {needed} or more",
            f"move rows to '{VALID}', or leave that part out: it is then taken from the training rows",
        )


def readout_scores(modalities: int, *, trees: bool) -> int:
    """Scores in the readout of all modalities: of a head for each and for all and the prediction, and of trees."""
    heads = modalities + 2
    if not trees:
        return heads
    return heads + modalities + ((1 << modalities) - 1 in scored_sets(modalities))


def collect(
    rows: int,
    usable: MultimodalArrays,
    source: TableSource,
    settings: Settings,
    protocol: Protocol,
    outcome: ProtocolOutcome,
) -> given.Evidence:
    """All that the report needs."""
    return given.Evidence(
        run=run_facts(settings),
        table=table_facts(rows, source, protocol, outcome),
        modalities=modality_facts(usable, outcome),
        accuracy=accuracy_facts(usable, outcome),
        information=information_facts(settings, protocol, outcome, usable),
        fusion=fusion_facts(settings, protocol, outcome),
        selection=facts_of_selection(
            outcome.selection, row_labels(outcome.selection.rows, usable), settings, protocol.kind
        ),
        training=training_facts(usable, outcome),
    )


def run_facts(settings: Settings) -> given.RunFacts:
    """The command and its surroundings; the device is filled in once resolved."""
    created = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    threads = settings.threads or available_threads()
    return given.RunFacts("fit", created, settings.seed, settings.device, threads)


def table_facts(
    rows: int, source: TableSource, protocol: Protocol, outcome: ProtocolOutcome
) -> given.TableFacts:
    """Counts of rows: of the deployed model's split; with folds every usable row is held out once."""
    counts = {part: int((outcome.split == part).sum()) for part in (TRAIN, VALID, TEST)}
    pooled = protocol.kind == "folds"
    return given.TableFacts(
        files=source.files,
        fingerprint=source.fingerprint,
        rows=rows,
        rows_missing_target=rows - len(outcome.split),
        rows_train=counts[TRAIN],
        rows_valid=counts[VALID],
        rows_test=len(outcome.held_out.prediction) if pooled else counts[TEST],
        folds=protocol.folds if pooled else None,
        target=source.target,
        target_transform="inverse normal (Blom)",
        group=source.group,
    )


def modality_facts(usable: MultimodalArrays, outcome: ProtocolOutcome) -> tuple[given.ModalityFacts, ...]:
    """Features, missing cells and absent rows of each modality."""
    transforms = outcome.deployed.model.transforms.features
    facts = []
    for name, block in usable.features.items():
        missing = np.isnan(block)
        facts.append(
            given.ModalityFacts(
                name=name,
                features=block.shape[1],
                missing_fraction=float(missing.mean()),
                absent_rows_fraction=float(missing.all(axis=1).mean()),
                constant_features=transforms[name].constant_columns,
            )
        )
    return tuple(facts)


def accuracy_facts(usable: MultimodalArrays, outcome: ProtocolOutcome) -> given.AccuracyFacts:
    """The network and ridge regression on the held-out rows, the network on its validation rows."""
    held = outcome.held_out
    target = usable.required_target[held.readouts.rows]
    baselines = {"ridge": accuracy(target, held.ridge)}
    return given.AccuracyFacts(accuracy(target, held.prediction), outcome.valid, baselines)


def information_facts(
    settings: Settings, protocol: Protocol, outcome: ProtocolOutcome, usable: MultimodalArrays
) -> given.InformationFacts:
    """Informations of every set on the held-out rows, with intervals and p-values."""
    estimates = outcome.held_out.estimates
    labels = row_labels(estimates.readouts.rows, usable)
    return facts_of_estimates(estimates, labels, settings, protocol.kind)


def row_labels(rows: NDArray[np.intp], usable: MultimodalArrays) -> NDArray[np.generic]:
    """Group of rows of the table; their positions where every row stands alone."""
    return rows if usable.groups is None else usable.groups[rows]


def fusion_facts(settings: Settings, protocol: Protocol, outcome: ProtocolOutcome) -> given.FusionFacts:
    """Weights and stages of the deployed model."""
    model, ledger = outcome.deployed.model, outcome.deployed.ledger
    weights = model.fusion_weights
    n = len(model.columns)
    pairs = np.zeros((n, n))
    for (i, j), weight in zip(pair_indices(n), weights[n:], strict=True):
        pairs[i, j] = weight
    deployment = (
        "trained on the training rows, stopped by the validation rows"
        if protocol.kind == "split"
        else "trained once more on all rows but an eighth that stopped it, after the folds were scored"
    )
    return given.FusionFacts(
        singles=weights[:n],
        pairs=pairs,
        converged=ledger.converged,
        movement=ledger.movement,
        tolerance=settings.stage1.tolerance,
        stage1_epochs=ledger.stage1_epochs,
        stage2_epochs=ledger.epoch,
        lambdas=model.shares,
        deployment=deployment,
        product_share=model.product_share,
        stage1_atoms=np.array(ledger.atoms),
        window=settings.stage1.window,
        stage1_bound=stage1_bound(ledger.stage1_epochs, settings.stage1),
    )


def training_facts(usable: MultimodalArrays, outcome: ProtocolOutcome) -> given.TrainingFacts:
    """What the diagnostics of training compare."""
    held = outcome.held_out
    errors = held.readouts.target_errors
    target = held.readouts.target
    singles = 1 << np.arange(len(usable.names))
    alone = np.minimum(
        *(np.square(target[:, None] - p).sum(axis=0) for p in (held.ridge_alone, held.trees_alone))
    )
    divergence = float(held.code_divergence.mean())
    return given.TrainingFacts(
        target=Counted.of(usable.required_target[outcome.split == TRAIN]),
        head_r2=1 - errors[:, singles].sum(axis=0) / errors[:, 0].sum(),
        alone_r2=1 - alone / errors[:, 0].sum(),
        code_divergence=None if np.isnan(divergence) else divergence,
        boosted=(sum(ledger.boosted for ledger in outcome.histories), len(outcome.histories)),
        tree_shares=tuple(ledger.tree_share for ledger in outcome.histories),
        batches=tuple(ledger.batch for ledger in outcome.histories),
        chosen=tuple(ledger.chosen for ledger in outcome.histories),
    )
