"""The report: every number that a fit or a decomposition leaves behind, as published in its JSON Schema.

Every key is always present: null or empty where it does not apply. Numbers are unrounded; bits unless
``information.units`` says otherwise. Keys of the published format are never renamed within a major version.
"""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from pidreg_cli.reports.numbers import Count, Interval, MaybeNumber, Number, Several

SCHEMA_VERSION = "1.0"

Measure = Literal["broja", "mmi", "dep", "ig", "ccs"]
Estimator = Literal["heldout", "debiased", "plugin"]
Kind = Literal["unique", "redundant", "synergistic", "mixed"]
Severity = Literal["info", "warning", "error"]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, protected_namespaces=())


class Data(_Part):
    """The table: where it came from and how many rows did what."""

    files: Several[str] = Field(description="file names without folders")
    fingerprint: str = Field(pattern=r"^sha256:[0-9a-f]+$")
    rows: Count = Field(description="rows read")
    rows_missing_target: Count = Field(description="rows read but not used: their target is missing")
    rows_train: Count
    rows_valid: Count
    rows_test: Count
    folds: Count | None = Field(description="folds of cross-fitting; null for one split")
    target: str
    target_transform: str
    group: str | None = Field(
        default=None, description="column of groups: rows with one value belong together; null for none"
    )


class Modality(_Part):
    """A modality: its size and what is missing of it."""

    name: str
    features: Count = Field(description="number of feature columns")
    missing_fraction: MaybeNumber = Field(description="share of its cells that are missing")
    absent_rows_fraction: MaybeNumber = Field(description="share of rows without any of its values")


class Accuracy(_Part):
    """Accuracy of predictions in the units of the target."""

    rmse: MaybeNumber
    mae: MaybeNumber
    r2: MaybeNumber
    corr: MaybeNumber
    n: Count


class Metrics(_Part):
    """Accuracy on held-out rows; baselines on the same rows as ``test``."""

    test: Accuracy | None
    valid: Accuracy | None
    baselines: dict[str, Accuracy]


class SubsetInformation(_Part):
    """What one set of modalities tells of the target."""

    modalities: Several[str] = Field(min_length=1)
    value: Number = Field(ge=0, description="after monotone closure: what the atoms are computed from")
    value_raw: MaybeNumber = Field(description="as estimated; may be negative or below that of a smaller set")
    debiased: MaybeNumber = Field(description="covariance estimate less its exact bias, where rows allow it")
    ci: Interval
    p_value: MaybeNumber = Field(description="of no information at all; for single modalities and the whole")


class Information(_Part):
    """Information of every set of modalities about the target, and how it was estimated."""

    units: Literal["bits", "nats"]
    estimator: Estimator
    interactions: Literal["products", "none"]
    protocol: str = Field(description="which rows say it: split, folds, new-data or features")
    rows: Count
    confidence: Number = Field(gt=0, lt=1, description="of every interval in the report")
    interval_of: Literal["information", "readout"] = Field(
        description="readout: intervals are of the readout's own value, a lower bound on the information"
    )
    values: Several[SubsetInformation] = Field(
        description="ordered by size, then as the modalities were given"
    )
    co_information: MaybeNumber = Field(
        description="alternating sum over all sets; for two modalities redundant less synergistic"
    )
    covariates: Several[str] = Field(
        default=(), description="columns that are always known: every information is beyond them"
    )
    covariate_information: MaybeNumber = Field(default=None, description="what the covariates tell alone")


class Summary(_Part):
    """Total and its parts; unique, redundant and synergistic add up to it."""

    total: Number = Field(ge=0)
    unique: dict[str, Number]
    redundant: Number
    synergistic: Number


class SummaryIntervals(_Part):
    """Intervals of the summary's numbers."""

    total: Interval
    unique: dict[str, Interval]
    redundant: Interval
    synergistic: Interval


class Atom(_Part):
    """An atom of the lattice, in antichain notation."""

    id: str = Field(pattern=r"^(\{[^{}]+\})+$")
    members: Several[Several[str]] = Field(min_length=1)
    kind: Kind
    value: Number
    ci: Interval
    share: MaybeNumber = Field(description="of the total; null where the total is zero")


class Decomposition(_Part):
    """The decomposition of the total by the headline measure."""

    measure: Measure
    summary: Summary
    summary_ci: SummaryIntervals | None
    atoms: Several[Atom] = Field(description="up to five modalities every atom, above the non-zero ones")


class OneVersusRest(_Part):
    """A modality as one source and all the others together as the other."""

    modality: str
    measure: Measure
    unique: Number
    unique_rest: Number
    redundant: Number
    synergistic: Number
    added: Number = Field(description="to all the others: unique and synergistic, whatever the measure")
    added_ci: Interval


class Sensitivity(_Part):
    """Another measure on the same information."""

    measure: Measure
    summary: Summary | None = Field(description="null where the measure has none: bivariate, three or more")
    atoms: Several[Atom] | None
    one_versus_rest: Several[OneVersusRest] | None


class Fusion(_Part):
    """The fusion weights of the deployed model and how training went."""

    weights: dict[str, Number] = Field(description="of each code and of each product of two, named a*b")
    converged: bool = Field(description="the atoms settled before stage 1 ended")
    stage1_movement: MaybeNumber = Field(description="bits the windowed atoms last moved in stage 1")
    stage1_epochs: Count
    stage2_epochs: Count
    lambda_: dict[str, Number] = Field(alias="lambda", description="share of signal in each code")
    deployment: str = Field(description="which rows the deployed model was trained on")


class Subset(_Part):
    """A candidate set of modalities."""

    modalities: Several[str] = Field(min_length=1)
    information: MaybeNumber
    ci: Interval
    expected_rmse: MaybeNumber
    rmse_ci: Interval = Field(default=None, description="of the expected RMSE")
    cost: MaybeNumber = Field(description="sum of its modalities' costs; their number where none are given")
    dominated: bool = Field(description="another set costs no more and errs no more, one of the two less")


class Search(_Part):
    """Which sets of modalities were compared."""

    method: Literal["exhaustive", "greedy"] = Field(description="greedy: forward, backward and exchanges")
    tried: Count = Field(description="non-empty sets that were evaluated")
    sets: Count = Field(description="non-empty sets that there are")


class SetShare(_Part):
    """How often a set was recommended."""

    modalities: Several[str]
    share: Number = Field(ge=0, le=1)


class Stability(_Part):
    """What would be recommended on other rows of the same kind: resampled groups of the rows that select."""

    resamples: Count
    same: Number = Field(ge=0, le=1, description="share of resamples that recommend the same set")
    modalities: dict[str, Number] = Field(description="share of resamples whose recommendation holds it")
    sets: Several[SetShare] = Field(description="sets that were recommended, most frequent first")
    sentence: str


class Verification(_Part):
    """A set of modalities, retrained as all of them were trained, against these, on the same held-out rows."""

    confirmed: bool = Field(
        description="the recommendation holds by its own rule on the held-out rows; but for folds, these chose nothing"
    )
    sentence: str
    modalities: Several[str] = Field(
        description="the recommended set; where that is all of them, the set without the least needed one"
    )
    protocol: str = Field(description="rows: split for the test rows, folds for all, cross-fitted")
    rows: Count
    rmse: MaybeNumber = Field(description="of the set, retrained; empty: of predicting the mean")
    rmse_all: MaybeNumber
    rmse_loss: MaybeNumber = Field(
        description="share by which the RMSE of the set is larger; negative: smaller"
    )
    rmse_loss_ci: Interval
    bits_lost: MaybeNumber = Field(description="information of all modalities less that of the set")
    bits_lost_ci: Interval


class Selection(_Part):
    """Which modalities are worth keeping."""

    recommended: Several[str] = Field(description="empty where nothing predicts better than the mean")
    reason: str
    tolerance: Number = Field(ge=0, description="share of RMSE that a smaller set may lose")
    rule: Literal["tolerance", "one-se"] = "tolerance"
    budget: MaybeNumber = Field(default=None, description="most that the recommended set may cost")
    protocol: str = Field(description="rows that errors were compared on: valid, folds, new-data or features")
    rows: Count
    mean_rmse: MaybeNumber = Field(
        description="expected RMSE of predicting the mean, or from the covariates, without any modality"
    )
    subsets: Several[Subset]
    search: Search | None = None
    stability: Stability | None = None
    verification: Verification | None = Field(default=None, description="null unless asked for (--verify)")


class Diagnostic(_Part):
    """Something the reader should know before relying on the numbers."""

    code: str
    severity: Severity
    message: str
    hint: str
    value: MaybeNumber


class Report(_Part):
    """The whole report."""

    schema_version: str = Field(pattern=r"^1\.\d+$")
    tool_version: str
    command: str
    created_at: str
    seed: Count
    device: str
    threads: Count | None
    data: Data
    modalities: Several[Modality] = Field(min_length=1)
    metrics: Metrics | None
    information: Information | None
    pid: Decomposition | None = Field(
        description="null for a single modality, and for measures of two sources (dep, ig, ccs) with three or more"
    )
    one_versus_rest: Several[OneVersusRest]
    sensitivity: Several[Sensitivity]
    shapley: dict[str, Number] | None
    fusion: Fusion | None
    selection: Selection | None
    diagnostics: Several[Diagnostic]

    @property
    def names(self) -> tuple[str, ...]:
        """Modality names, in the order given."""
        return tuple(modality.name for modality in self.modalities)
