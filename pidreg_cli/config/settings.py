"""The model of a configuration: every key, its type and its range.

The presets (``templates/config/*.yaml``) give every value; nothing here has a second default, except the choices
that belong to a table or a machine (roles, seed, threads, device).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from pidreg_cli.devices import NAMES
from pidreg_cli.memory import PATTERN

Preset = Literal["fast", "balanced", "thorough", "paper"]
EncoderKind = Literal["periodic", "piecewise", "fourier", "mlp", "linear"]
EncoderChoice = Literal["auto", EncoderKind]
BoostedUse = Literal["off", "auto", "on"]


class _Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataSettings(_Settings):
    """Roles of columns. ``modalities`` maps a name to column patterns, or to nothing for the naming convention."""

    modalities: dict[str, list[str]] | None = None
    target: str | None = None
    id: str | None = None
    group: str | None = None
    split_column: str | None = None


class FeatureSettings(_Settings):
    """How raw feature columns become numbers for the encoders (fitted on training rows)."""

    transform: Literal["quantile", "standard", "both"]
    imputation: Literal["conditional", "median"] = Field(
        description="what a missing cell reads as: expected from the row's other cells of the modality, or the median "
        "(of transform standard the mean)"
    )
    boosted: BoostedUse = Field(
        description="boosted trees of every set of modalities: encoders also read the prediction from their own, that "
        "from all is a share of the model's; auto: each where rows that did not train are predicted better that way"
    )


class BoostingSettings(_Settings):
    """The boosted trees of ``features.boosted``."""

    rounds: int = Field(ge=1, le=10_000, description="trees in a model")
    learning_rate: float = Field(gt=0, le=1)
    leaves: int = Field(ge=2, le=4096, description="most leaves of a tree")
    folds: int = Field(
        ge=2, le=20, description="models; each training row is scored by the one that did not see it"
    )
    # Runs of versions without this key stay readable.
    blocked_folds: Literal[0] | Annotated[int, Field(ge=2, le=20)] = Field(
        default=0,
        description="where all validation rows come after all training rows, or before: blocks of consecutive training "
        "rows that are left out in turn, and judge the share of trees as validation rows do; 0: these alone",
    )


class EncoderSettings(_Settings):
    """One encoder per modality: the default, and kinds for named modalities."""

    kind: EncoderChoice = Field(
        description="auto: mlp, or fourier in every network (the first, where they read scores of trees) where "
        "trainings of both for a few steps tell for it by validation rows: then also, where these are the "
        "preset's, fewer steps (with Muon), network.head_width as predictor_width, ten times loss.sufficiency, "
        "network.head_dropout=0.25 and stage2.criterion=codes (with heads that train), "
        "network.fusion_involvement=0.02 (with a fusion_floor)"
    )
    kinds: dict[str, EncoderKind] = Field(default_factory=dict)
    list_kind: EncoderKind = Field(
        description="kind for modalities of list columns, whose elements are no features with a meaning of their own"
    )
    width: int = Field(ge=1, le=4096)
    depth: int = Field(ge=0, le=12)
    dropout: float = Field(ge=0, lt=1, description="of the hidden layers; of fourier encoders: wave_dropout")
    embedding_dim: int = Field(
        ge=1, le=256, description="numbers per feature after a periodic or piecewise embedding"
    )
    frequencies: int = Field(ge=1, le=256, description="trainable frequencies per feature")
    frequency_scale: float = Field(
        gt=0, le=10, description="standard deviation of the frequencies at the start"
    )
    waves: int = Field(ge=1, le=4096, description="trainable sines in a layer of a fourier encoder")
    # Runs of versions without this key stay readable.
    wave_layers: int = Field(
        default=1,
        ge=1,
        le=8,
        description="layers of sines in a fourier encoder: each but the first reads combinations of the one before",
    )
    wave_width: int | None = Field(
        default=None, ge=1, le=4096, description="of a fourier encoder's hidden layers; null: width"
    )
    wave_dropout: float | None = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="of a fourier encoder's hidden layers; null: 0, and 0.1 where kind=auto chooses it, its matrices "
        "move by Muon, and stage 2 may see each row 32 times",
    )


class NetworkSettings(_Settings):
    """The network of the method: codes, bottleneck, fusion, predictor, heads."""

    code_dim: int | Literal["auto"]
    encoder: EncoderSettings
    further: list[EncoderKind] = Field(
        max_length=31,
        description="kinds of the encoders of further networks, whose predictions are averaged with the first one's; "
        "where encoder.kind=auto chooses fourier for every network, their number alone counts",
    )
    bottleneck_start: float = Field(gt=0, lt=1, description="lambda at the start: share of signal in a code")
    fusion_floor: float = Field(
        ge=0, le=0.95, description="share of the fusion's gains that every code and product gets alike"
    )
    # Runs of versions without this key stay readable.
    fusion_involvement: float = Field(
        default=0.0,
        ge=0,
        le=0.5,
        description="weight of a modality's terms in the fusion from which they get all of their share of "
        "fusion_floor; with less they get less; 0: all the same",
    )
    predictor_width: int = Field(ge=1, le=4096)
    predictor_depth: int = Field(ge=0, le=12)
    head_width: int = Field(ge=1, le=4096)
    head_dropout: float = Field(ge=0, lt=1, description="of the predictor's and the heads' hidden layers")


class LossSettings(_Settings):
    """Weights of the terms of the loss (l1 to l4 of the method) and how the kernel terms are computed."""

    cauchy_schwarz: float = Field(ge=0)
    conditional: float = Field(ge=0)
    gaussianity: float = Field(ge=0)
    sufficiency: float = Field(ge=0)
    bandwidth: float = Field(gt=0, description="bandwidth of the sliced Cauchy-Schwarz divergence")
    directions: int = Field(ge=1, le=1024, description="fresh random directions per step")
    rows: int = Field(ge=8, le=4096, description="rows of a batch that enter the kernel terms")
    every: int = Field(
        ge=1,
        le=1000,
        description="the kernel terms enter every so many steps, with so many times their weight",
    )


class TrainingSettings(_Settings):
    """The optimiser, shared by both stages."""

    batch_size: int = Field(ge=8)
    learning_rate: float = Field(gt=0, le=1)
    bottleneck_learning_rate: float = Field(gt=0, le=1)
    weight_decay: float = Field(ge=0)
    # Runs of versions without the next two keys stay readable, and train as they did.
    waves_learning_rate: float | None = Field(
        default=None,
        gt=0,
        le=1,
        description="of the matrices of fourier encoders, which move by Muon; null: by AdamW, as all others",
    )
    waves_weight_decay: float = Field(default=0.0, ge=0, description="of these, where they move by Muon")
    gradient_clip: float = Field(gt=0)
    modality_dropout: float = Field(
        ge=0, lt=1, description="share of training rows from which a modality is hidden, anew in every step"
    )
    weight_average: float = Field(
        ge=0, description="horizon of the running average of the weights, in epochs; 0 turns it off"
    )
    # Runs of versions without the next keys stay readable, and train as they did.
    largest_batch: int = Field(
        default=8,
        ge=8,
        description="up to so many rows batches double, from batch_size on, where a pass has more than 500 of them",
    )
    round_rows: int = Field(
        default=1_000_000,
        ge=1000,
        description="an epoch is a pass over the training rows, or over so many of them: the next goes on from there",
    )


class StageSettings(_Settings):
    """Length of a stage: it ends at the smaller of the two bounds, but never before ``min_epochs``."""

    min_epochs: int = Field(ge=1)
    max_epochs: int = Field(ge=1)
    max_steps: int = Field(ge=1)


class Stage1Settings(StageSettings):
    """Stage 1 ends early once the windowed atoms have moved less than ``tolerance`` bits for ``patience`` epochs."""

    window: int = Field(ge=1)
    tolerance: float = Field(gt=0)
    patience: int = Field(ge=1)


class Stage2Settings(StageSettings):
    """Stage 2 keeps the best epoch by ``criterion``, and ends after ``patience`` epochs without a better one."""

    patience: int = Field(ge=1)
    # Runs of versions without this key stay readable, and train as they did.
    criterion: Literal["prediction", "codes"] = Field(
        default="prediction",
        description="squared error on the validation rows: of the prediction; codes: of this and, in mean, of the "
        "heads of single modalities, where these train (loss.sufficiency)",
    )


class InformationSettings(_Settings):
    """How information is estimated on rows that did not train."""

    measure: Literal["broja", "mmi", "dep", "ig", "ccs"] = Field(
        description="of the headline, as of pidreg decompose --measure"
    )
    estimator: Literal["heldout"] = Field(
        description="of a fit, which has no other; pidreg decompose RUN --estimator has"
    )
    interactions: Literal["products", "none"]
    folds: int = Field(ge=2, le=100)
    confidence: float = Field(gt=0, lt=1)


class SelectionSettings(_Settings):
    """When a smaller set of modalities is good enough: by which rule, at what cost of each, within which budget."""

    tolerance: float = Field(ge=0, lt=1)
    cost: dict[str, float] = Field(default_factory=dict)
    # Runs of versions without this key stay readable.
    rule: Literal["tolerance", "one-se"] = "tolerance"
    budget: float | None = Field(default=None, ge=0, allow_inf_nan=False)


class Settings(_Settings):
    """A resolved configuration: everything a fit depends on besides the rows."""

    preset: Preset
    seed: int = Field(default=0, ge=0, lt=2**32)
    threads: int | None = Field(default=None, ge=1)
    device: str = Field(default="auto", pattern=NAMES, examples=["auto", "cpu", "cuda", "cuda:1"])
    memory: str | None = Field(
        default=None,
        pattern=PATTERN,
        examples=["500MB", "2GB", "1.5TB"],
        description="most memory of a fit; a table that needs more is read in parts; default: what the machine has",
    )
    folds: int | Literal["auto"] = "auto"
    data: DataSettings = Field(default_factory=DataSettings)
    features: FeatureSettings
    boosting: BoostingSettings
    network: NetworkSettings
    loss: LossSettings
    training: TrainingSettings
    stage1: Stage1Settings
    stage2: Stage2Settings
    information: InformationSettings
    selection: SelectionSettings
