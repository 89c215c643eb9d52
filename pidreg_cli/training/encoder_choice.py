"""Which encoders suit a table: short trainings tell before the long ones.

NOTE[DIFF]: the paper's encoders are MLPs. Where a modality's features fold its latents over each other, an MLP has to
build every fold of kinks, and the codes miss information that sines of all features find within hundreds of steps. On
other tables both are alike, so that only a clear gain decides.
"""

from __future__ import annotations

from typing import Literal, TypeVar

from pidreg_cli.config.settings import EncoderKind, Settings, StageSettings

AnyStage = TypeVar("AnyStage", bound=StageSettings)

AUTO: Literal["auto"] = "auto"
USUAL: EncoderKind = "mlp"
OTHER: EncoderKind = "fourier"
CANDIDATES = (USUAL, OTHER)
FEWEST_ROWS = 1000
"""Training rows from which ``auto`` tries; with fewer, those that validate are too few to tell."""
STEPS = 600
ROUND_ROWS = 100_000
"""Of a trial: most steps, and rows of a round, of which there is one at least."""
SOON = (400, 1000)
"""Most steps of each stage with sines of all features, or as many as its fewest epochs have."""
CLEAR_GAIN = 0.1
"""Share of the validation error that the other kind must save: of tables without folds it saved less, of folded ones
far more (docs/training.md).
"""


def with_encoders(settings: Settings, kind: EncoderKind) -> Settings:
    """The settings with the kind that ``auto`` stands for.

    Sines of all features are wanted in every network: the mean with one that misses folds would miss a part of them.
    They train for fewer steps, with which they were more accurate (docs/training.md).
    """
    network = settings.network
    encoder = network.encoder.model_copy(update={"kind": kind})
    if kind == USUAL:
        return settings.model_copy(update={"network": network.model_copy(update={"encoder": encoder})})
    further = [kind] * len(network.further)
    return settings.model_copy(
        update={
            "network": network.model_copy(update={"encoder": encoder, "further": further}),
            "stage1": _shortened(settings.stage1, SOON[0]),
            "stage2": _shortened(settings.stage2, SOON[1]),
        }
    )


def _shortened(stage: AnyStage, steps: int) -> AnyStage:
    return stage.model_copy(update={"max_steps": min(stage.max_steps, steps)})


def trial_of(settings: Settings, kind: EncoderKind) -> Settings:
    """A short training of the first network with such encoders, no longer than the long one."""
    chosen = with_encoders(settings, kind)
    stage1 = chosen.stage1.model_copy(update={"min_epochs": 1, "max_epochs": 1})
    stage2 = _shortened(chosen.stage2.model_copy(update={"min_epochs": 1}), STEPS)
    rounds = min(chosen.training.round_rows, ROUND_ROWS)
    training = chosen.training.model_copy(update={"round_rows": rounds})
    return chosen.model_copy(update={"stage1": stage1, "stage2": stage2, "training": training})


def suited(usual: float, other: float) -> EncoderKind:
    """The kind to train with, by the validation errors (mean squares) of the trials."""
    return OTHER if other < (1 - CLEAR_GAIN) * usual else USUAL
