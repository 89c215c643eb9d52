"""Which encoders suit a table: short trainings tell before the long ones.

NOTE[DIFF]: the paper's encoders are MLPs. Where a modality's features fold its latents over each other, an MLP has to
build every fold of kinks, and the codes miss information that sines of all features find within hundreds of steps. They
take longer, and on other tables both are mostly alike, so that only a clear gain decides.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

from pidreg_cli.config.presets import preset_tree
from pidreg_cli.config.settings import EncoderKind, Settings
from pidreg_cli.training.rounds import BatchPlan
from pidreg_cli.training.stages import stage_epochs

AUTO: Literal["auto"] = "auto"
USUAL: EncoderKind = "mlp"
OTHER: EncoderKind = "fourier"
CANDIDATES = (USUAL, OTHER)
FEWEST_ROWS = 1000
"""Training rows from which ``auto`` tries; with fewer, those that validate are too few to tell."""
STEPS = 600
ROUND_ROWS = 100_000
"""Of a trial: most steps, and rows of a round, of which there is one at least."""
SOON = (400, 2600)
"""Most steps of each stage with sines of all features, or as many as its fewest epochs have."""
SUFFICIENCY = 10.0
"""Times the usual weight of the heads: the prediction from all codes is soon as good as it gets, and then its gradient
is noise that hides from an encoder what its own modality tells yet.
"""
HEAD_DROPOUT = 0.25
"""Of the hidden units that read the codes: sines follow the noise of training rows, and what reads their codes, too."""
WAVE_DROPOUT, MANY_PASSES = 0.1, 32
"""Of the encoders' hidden units, where stage 2 sees every training row so often: with fewer passes networks still
learn at the last step, and dropout only keeps them from it (docs/training.md).
"""
INVOLVEMENT = 0.02
"""Weight in the fusion from which a modality gets its share of the floor: sines fit noise as well as anything."""
CLEAR_GAIN = 0.08
"""Share of the validation error that the other kind must save (docs/training.md)."""
CHANCE = 2.0
"""Over the root of the validation rows, the same where these are few: two standard errors of the difference between
mean squares of normal errors that correlate by .87, as those of networks of one table do."""


def with_encoders(settings: Settings, kind: EncoderKind) -> Settings:
    """The settings with the kind that ``auto`` stands for.

    Sines of all features are wanted in every network: the mean with one that misses folds would miss a part of them.
    (Where networks read scores of trees, ``ModelChoice`` gives the others the kinds and settings that were asked for.)
    They train for fewer steps, with more weight on what each code tells alone, and the epoch that is kept is the best
    by this, too: more of the information is found (docs/training.md). What of this is not as in the preset somebody
    asked for, and stays; and what nothing would follow from, as from heads that do not train.
    """
    network = settings.network
    encoder = network.encoder.model_copy(update={"kind": kind})
    if kind == USUAL:
        return settings.model_copy(update={"network": network.model_copy(update={"encoder": encoder})})
    network = network.model_copy(update={"encoder": encoder, "further": [kind] * len(network.further)})
    return _changed(settings.model_copy(update={"network": network}), _changes(settings))


def with_dropout(settings: Settings, rows: int) -> Settings:
    """The settings for sines in all of a training with so many rows: dropout, where none was asked for.

    Trials have none: nobody overfits so soon, and sines would only show later what they can.
    """
    changes = {"network": {"head_dropout": HEAD_DROPOUT}} if settings.loss.sufficiency else {}
    found = _changed(settings, changes)
    network = found.network
    if network.encoder.wave_dropout is None and _passes(settings, rows) >= MANY_PASSES:
        encoder = network.encoder.model_copy(update={"wave_dropout": WAVE_DROPOUT})
        found = found.model_copy(update={"network": network.model_copy(update={"encoder": encoder})})
    return found


def _passes(settings: Settings, rows: int) -> float:
    """How often stage 2 may see each of so many training rows; 0 where sines learn by AdamW, too slowly for noise."""
    if settings.training.waves_learning_rate is None:
        return 0.0
    epochs = stage_epochs(settings.stage2, BatchPlan.of(rows, settings.training).steps)
    return epochs * min(1.0, settings.training.round_rows / rows)


def _changed(settings: Settings, changes: Mapping[str, Mapping[str, object]]) -> Settings:
    """With these values, by section, of settings that are the preset's."""
    preset = preset_tree(settings.preset)
    for name, values in changes.items():
        section, usual = getattr(settings, name), preset[name]
        update = {key: value for key, value in values.items() if getattr(section, key) == usual[key]}
        settings = settings.model_copy(update={name: section.model_copy(update=update)})
    return settings


def _changes(settings: Settings) -> dict[str, dict[str, object]]:
    """What changes with sines, by section, where it is still the preset's."""
    network, stage1, stage2 = settings.network, settings.stage1, settings.stage2
    found: dict[str, dict[str, object]] = {"network": {}, "loss": {}, "stage1": {}, "stage2": {}}
    if network.fusion_floor:
        found["network"]["fusion_involvement"] = INVOLVEMENT
    if settings.loss.sufficiency:
        found["loss"]["sufficiency"] = SUFFICIENCY * settings.loss.sufficiency
        # What a code tells alone is as hard to read as what all tell.
        found["network"]["head_width"] = max(network.head_width, network.predictor_width)
        found["stage2"]["criterion"] = "codes"
    if settings.training.waves_learning_rate is not None:
        # By AdamW they learn as slowly as others.
        found["stage1"]["max_steps"] = min(stage1.max_steps, SOON[0])
        found["stage2"]["max_steps"] = min(stage2.max_steps, SOON[1])
    return found


def trial_of(settings: Settings, kind: EncoderKind) -> Settings:
    """A short training of the first network with such encoders, no longer than the long one."""
    chosen = with_encoders(settings, kind)
    stage1 = chosen.stage1.model_copy(update={"min_epochs": 1, "max_epochs": 1})
    steps = min(chosen.stage2.max_steps, STEPS)
    # Kinds are compared by their predictions.
    stage2 = chosen.stage2.model_copy(update={"min_epochs": 1, "max_steps": steps, "criterion": "prediction"})
    rounds = min(chosen.training.round_rows, ROUND_ROWS)
    training = chosen.training.model_copy(update={"round_rows": rounds})
    return chosen.model_copy(update={"stage1": stage1, "stage2": stage2, "training": training})


def suited(usual: float, other: float, rows: int) -> EncoderKind:
    """The kind to train with, by the errors (mean squares) of the trials on so many validation rows."""
    wanted = max(CLEAR_GAIN, CHANCE / math.sqrt(rows))
    return OTHER if other < (1 - wanted) * usual else USUAL
