"""What a report is assembled from: plain facts and arrays, as the pipeline has them.

Modalities are positions 0..n-1 in the order given; a set of them is a bitmask; arrays over sets have shape
(2**n,).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.counted import Counted
from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.decisions.selection import Rule
from pidreg_cli.decisions.set_errors import SetErrors
from pidreg_cli.information.debiased import ReadoutSize
from pidreg_cli.information.intervals import Jackknife
from pidreg_cli.reports.model import Measure
from pidreg_cli.training.metrics import Accuracy

Floats = NDArray[np.float64]

Protocol = Literal["split", "folds", "new-data", "features"]
"""Which rows say it. split: the test rows of one split; folds: every row, by a model that did not see it;
new-data: labelled rows that came after the fit; features: all rows, without a model.
"""


@dataclass(frozen=True)
class RunFacts:
    """The command and its surroundings; ``device`` and ``threads`` as resolved, ``created_at`` ISO 8601 in
    UTC. ``device_bytes``: most that tensors took of a GPU's memory.
    """

    command: str
    created_at: str
    seed: int
    device: str
    threads: int | None
    device_bytes: int | None = None


@dataclass(frozen=True)
class TableFacts:
    """The table. ``files``: names without folders; ``fingerprint``: 'sha256:...'; ``rows``: read, with
    those dropped.

    ``folds``: number of folds of cross-fitting, None for one split. ``group``: column of groups of rows.
    """

    files: tuple[str, ...]
    fingerprint: str
    rows: int
    rows_missing_target: int
    rows_train: int
    rows_valid: int
    rows_test: int
    folds: int | None
    target: str
    target_transform: str
    group: str | None = None


@dataclass(frozen=True)
class ModalityFacts:
    """A modality; fractions in [0, 1]; ``constant_features``: columns with one value on the training rows."""

    name: str
    features: int
    missing_fraction: float
    absent_rows_fraction: float
    constant_features: tuple[str, ...] = ()


@dataclass(frozen=True)
class AccuracyFacts:
    """Accuracy in the target's units; ``baselines`` on the rows of ``test``, by name ('ridge', ...)."""

    test: Accuracy | None
    valid: Accuracy | None
    baselines: Mapping[str, Accuracy]


@dataclass(frozen=True)
class InformationFacts:
    """Information of every set of modalities, in bits.

    ``raw`` (2**n,): as estimated, ``raw[0]`` = 0. ``jackknife``: what intervals come from (of the readouts'
    errors, or of the debiased estimate), None for no intervals; ``interval_of`` says which. ``debiased``
    (2**n,) or None. ``p_values``: by bitmask, for the sets tested. ``rest_correlations`` (n,): between the
    best predictions from a modality and from all the others (``rest_correlations``); None leaves ``ig``
    out. ``measure``: of the headline; ``seed``: of the draws of ``ccs``. ``covariates``: columns that everything is
    beyond, ``covariate_information``: what they tell alone, in bits. ``plugin``: of a plug-in
    estimate, the readout it is too high by; of several models that with the fewest rows.
    """

    estimator: Literal["heldout", "debiased", "plugin"]
    interactions: Literal["products", "none"]
    protocol: Protocol
    rows: int
    confidence: float
    raw: Floats
    jackknife: Jackknife | None
    interval_of: Literal["information", "readout"]
    debiased: Floats | None = None
    p_values: Mapping[int, float] = field(default_factory=dict)
    rest_correlations: Floats | None = None
    measure: Measure = "broja"
    seed: int = 0
    covariates: tuple[str, ...] = ()
    covariate_information: float | None = None
    plugin: ReadoutSize | None = None


@dataclass(frozen=True)
class FusionFacts:
    """Fusion of the deployed model.

    ``singles`` (n,) and ``pairs`` (n, n), zero outside the strict upper triangle, sum to one. ``movement``:
    bits that the windowed atoms last moved in stage 1, ``tolerance``: below which they count as settled.
    ``lambdas`` (n,): share of signal in each code. ``deployment``: a phrase that says which rows the
    deployed model was trained on. ``product_share``: of products in the squared gains of the
    fusion. ``stage1_atoms`` (epochs, n + 2): unique of each, redundant and synergistic
    bits after every epoch of stage 1, ``window``: epochs over which they are averaged; None leaves out what needs them.
    ``stage1_bound``: the key of what ended stage 1, where it did not end by itself.
    """

    singles: Floats
    pairs: Floats
    converged: bool
    movement: float | None
    tolerance: float | None
    stage1_epochs: int
    stage2_epochs: int
    lambdas: Floats
    deployment: str
    product_share: float | None = None
    stage1_atoms: Floats | None = None
    window: int | None = None
    stage1_bound: str = "stage1.max_epochs"


@dataclass(frozen=True)
class SelectionFacts:
    """Errors of sets of modalities, in the target's units, on the rows that select.

    ``protocol``: 'valid' for validation rows, 'folds' for cross-fitted ones, or as in the information. ``rule``: when a
    set is good enough. ``costs``: by name; empty where every modality counts the same. ``seed``: of the resamples.
    """

    scored: SetErrors
    protocol: Literal["valid", "folds", "new-data", "features"]
    rule: Rule = field(default_factory=Rule)
    costs: Mapping[str, float] = field(default_factory=dict)
    seed: int = 0


@dataclass(frozen=True)
class TrainingFacts:
    """What only diagnostics need.

    ``target``: values of the training rows, counted. ``head_r2`` (n,): R2 of each modality's readout on held-out
    rows. ``alone_r2`` (n,): R2 there of the better of ridge regression and small trees on that modality's own features,
    NaN where not fitted. ``code_divergence``: average one-dimensional Cauchy-Schwarz divergence (bandwidth 0.5) of the
    standardised target and codes from the standard normal. None leaves the check out. ``boosted``: how many of the
    models read boosted scores, and how many there are. ``tree_shares``: of boosted trees in their predictions.
    ``batches``: rows of their batches, where memory asked for smaller ones. ``chosen``: kinds of encoders, where
    trials chose others than usual.
    """

    target: Counted
    head_r2: Floats | None = None
    alone_r2: Floats | None = None
    code_divergence: float | None = None
    boosted: tuple[int, int] = (0, 0)
    tree_shares: tuple[float, ...] = ()
    batches: tuple[int | None, ...] = ()
    chosen: tuple[str | None, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """Everything; None where a command has no such part. ``diagnostics``: those the pipeline found itself."""

    run: RunFacts
    table: TableFacts
    modalities: tuple[ModalityFacts, ...]
    accuracy: AccuracyFacts | None
    information: InformationFacts | None
    fusion: FusionFacts | None
    selection: SelectionFacts | None
    training: TrainingFacts | None = None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """Modality names, in the order given."""
        return tuple(modality.name for modality in self.modalities)
