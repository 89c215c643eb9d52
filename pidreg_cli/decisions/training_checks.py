"""Diagnostics of the fitted model. Each returns None where there is nothing to say."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.decisions.findings import Diagnostic
from pidreg_cli.memory import amount

Floats = NDArray[np.float64]

WORSE_THAN_BASELINE = 1.02
"""Ratio of RMSE to that of ridge regression above which the network lost more than seeds and rows explain."""
STARVED_GAP = 0.05
STARVED_RATIO = 0.5
"""A modality whose readout explains less than half of what a small model of its own features does, and
at least .05 of R2 less, was neglected in joint training.
"""
COLLAPSED_SHARE = 0.01
VISIBLE_SYNERGY = 0.1
"""Products of codes with less than one per cent of the fusion, where a tenth of the total shows only
together.
"""
DEVICE_MEMORY = "training.device_memory"
RECENT_EPOCHS = 10
FEWEST_EPOCHS = 6
ALTERNATING_SHARE = 0.5
"""Epochs of stage 1 that tell an oscillation, and the share of turns among them that must be swings to and fro."""
SYNERGY_SEEN = 0.05
SYNERGY_KEPT = 0.25
"""Bits of synergy that count as seen in stage 1, over three epochs, and the share that must be left at its end."""
SYNERGY_EPOCHS = 3
MOST_R2 = 1 - 1e-12  # above it, bits are infinite or rounding
CODES_NOT_NORMAL = 0.02
"""Sliced Cauchy-Schwarz divergence (bandwidth .5) of the standardised codes: 256 normal rows score .004, a
scale wrong by half .069, lognormal codes .157.
"""


def chosen_encoders(kinds: Sequence[str | None]) -> Diagnostic | None:
    """``kinds``: for each model of the run, that of its encoders where trials chose another than the usual one."""
    found = [kind for kind in kinds if kind is not None]
    if not found:
        return None
    which = "Encoders" if len(found) == len(kinds) else f"In {len(found)} of {len(kinds)} models encoders"
    return Diagnostic(
        "training.chosen_encoders",
        "info",
        f"{which} without a kind of their own are of kind {found[0]}: short trainings predicted validation rows "
        "clearly better with sines of all features of a modality, as where these are folded over each other. Of "
        "networks that read scores of trees this is the first; the others have the kinds of network.further.",
        "Nothing to do. network.encoder.kind=mlp fits without. With them other values of the preset change, too: of "
        "loss.sufficiency, network.head_width, network.fusion_involvement, stage2.criterion and max_steps.",
        len(found) / len(kinds),
    )


def boosted_scores(models: int, of: int) -> Diagnostic | None:
    """``models``: how many of the models of the run read boosted scores, ``of`` how many."""
    if models == 0:
        return None
    which = "The encoders" if models == of else f"In {models} of {of} models the encoders"
    return Diagnostic(
        "training.boosted_scores",
        "info",
        f"{which} also read what gradient boosted trees predict from their own modality.",
        "Nothing to do: the score is a part of its modality. features.boosted=off fits without.",
        models / of,
    )


def tree_share(shares: Sequence[float]) -> Diagnostic | None:
    """``shares``: of boosted trees in the prediction of each model of the run, in [0, 1]."""
    mean = sum(shares) / len(shares) if shares else 0.0
    if mean == 0:
        return None
    over = "" if len(shares) == 1 else f", on average over {len(shares)} models"
    return Diagnostic(
        "training.tree_share",
        "info",
        f"Boosted trees of all modalities are {mean:.0%} of the prediction{over}; the network is the rest.",
        "Nothing to do: rows that did not train are predicted best so. features.boosted=off fits without.",
        mean,
    )


def smaller_batch(batches: Sequence[int | None]) -> Diagnostic | None:
    """``batches``: for each model of the run, rows of a batch where the device's memory asked for smaller ones."""
    found = [batch for batch in batches if batch is not None]
    if not found:
        return None
    which = "" if len(batches) == 1 else f" in {len(found)} of {len(batches)} models"
    fewest = min(found)
    return Diagnostic(
        "training.smaller_batch",
        "warning",
        f"The device's memory ran out in training, which went on with smaller batches{which}, down to {fewest} rows.",
        f"Give --set training.batch_size={fewest} --set training.largest_batch={fewest} to train so from the start, or "
        "take a device with more memory; a result depends on the batches.",
        fewest,
    )


def device_memory(device: str, peak: int | None) -> Diagnostic | None:
    """``peak``: most bytes of a GPU that tensors took; None where the device is none."""
    if peak is None:
        return None
    return Diagnostic(
        DEVICE_MEMORY,
        "info",
        f"The fit took up to {amount(peak)} of the memory of device '{device}'.",
        "Nothing to do: training.batch_size and the size of the network set most of it.",
        peak,
    )


def unconverged_weights(
    converged: bool, movement: float | None, tolerance: float | None, bound: str
) -> Diagnostic | None:
    """``movement``: bits that the windowed atoms last moved; ``tolerance``: what counts as settled; ``bound``: the key
    that ended stage 1.
    """
    if converged:
        return None
    moved = "" if movement is None else f": they still moved by {movement:.3f} bits"
    wanted = "" if tolerance is None else f" (settled: below {tolerance:g})"
    if movement is not None and tolerance is not None and movement < tolerance:
        moved, wanted = f": they moved by less than {tolerance:g} bits, but not for long enough", ""
    return Diagnostic(
        "training.weights_not_converged",
        "warning",
        f"The fusion weights did not settle in stage 1{moved}{wanted}.",
        f"Raise training.batch_size or loss.gaussianity, or give stage 1 more time ({bound} ended it).",
        movement,
    )


def worse_than_baseline(rmse: float, baseline: float, name: str) -> Diagnostic | None:
    """RMSE of the model and of the baseline ``name`` on the same rows."""
    if rmse <= WORSE_THAN_BASELINE * baseline:
        return None
    return Diagnostic(
        "training.worse_than_baseline",
        "warning",
        f"The network predicts worse than {name} regression on the same rows (RMSE {rmse:.4g} against "
        f"{baseline:.4g}).",
        "Try --preset thorough, more rows or linear encoders (network.encoder.kind=linear, network.further=[]); until "
        "then its information is a weak lower bound.",
        rmse / baseline if baseline > 0 else None,
    )


def starved_modality(modality: str, head: float, alone: float) -> Diagnostic | None:
    """R2 on held-out rows of the modality's readout, and of the better of ridge regression and small trees on its own
    features.
    """
    if not (head < STARVED_RATIO * alone and alone - head > STARVED_GAP):
        return None
    return Diagnostic(
        "training.starved_modality",
        "warning",
        f"'{modality}' was neglected in training: its code explains {max(head, 0):.0%} of the target, "
        f"a small model of its own features {alone:.0%} ({bits(head):.2f} and {bits(alone):.2f} bits).",
        "Raise loss.sufficiency; until then its information, and what it shares, are too low.",
        alone - head,
    )


def bits(r2: float) -> float:
    """Information of a squared correlation, as the report states it; 0 for one below 0."""
    return float(-0.5 * np.log2(1 - min(max(r2, 0.0), MOST_R2)))


def collapsed_synergy(product_share: float, synergistic_share: float) -> Diagnostic | None:
    """``product_share``: of products in the squared gains of the fusion, which hold a floor beside the weights;
    ``synergistic_share``: of the total, held-out.
    """
    if product_share >= COLLAPSED_SHARE or synergistic_share < VISIBLE_SYNERGY:
        return None
    return Diagnostic(
        "training.synergy_collapse",
        "warning",
        f"{synergistic_share:.0%} of the information shows only together, but the fusion gives products of "
        f"codes {product_share:.1%} of its variance.",
        "Lower loss.conditional: too strong, it removes what makes the modalities interact.",
        product_share,
    )


def oscillating_weights(atoms: Floats, allowed: float) -> Diagnostic | None:
    """``atoms`` (epochs, k): of stage 1, from which the weights follow; ``allowed``: bits of swing.

    Swings of window times tolerance can move the windowed mean to and fro by the tolerance.
    """
    steps = np.diff(atoms[-RECENT_EPOCHS:], axis=0)
    if len(steps) < FEWEST_EPOCHS - 1:
        return None
    turns = np.where(steps[1:] * steps[:-1] < 0, np.minimum(abs(steps[1:]), abs(steps[:-1])), 0.0)
    alternating = (turns > allowed).mean(axis=0)
    if alternating.max() < ALTERNATING_SHARE:
        return None
    swing = float(np.median(abs(steps), axis=0)[alternating.argmax()])
    return Diagnostic(
        "training.weights_oscillate",
        "warning",
        f"The fusion weights swing to and fro in stage 1: an atom changes by {swing:.3f} bits from epoch to epoch.",
        "Raise training.batch_size or loss.gaussianity; few validation rows swing too.",
        swing,
    )


def vanished_synergy(synergistic: Floats) -> Diagnostic | None:
    """``synergistic`` (epochs,): bits that show only together, after every epoch of stage 1."""
    if len(synergistic) <= SYNERGY_EPOCHS:
        return None
    means = np.convolve(synergistic, np.full(SYNERGY_EPOCHS, 1 / SYNERGY_EPOCHS), "valid")
    most, last = float(means.max()), float(means[-1])
    if most < SYNERGY_SEEN or last > SYNERGY_KEPT * most:
        return None
    return Diagnostic(
        "training.synergy_vanished",
        "warning",
        f"Synergy fell from {most:.3f} to {last:.3f} bits within stage 1, and the weights of products with it.",
        "Lower loss.conditional: too strong, it removes what makes the modalities interact.",
        most - last,
    )


def codes_not_normal(divergence: float) -> Diagnostic | None:
    """``divergence``: average one-dimensional Cauchy-Schwarz divergence of standardised target and codes."""
    if divergence <= CODES_NOT_NORMAL:
        return None
    return Diagnostic(
        "training.codes_not_normal",
        "info",
        f"Target and codes are not jointly normal (divergence {divergence:.3f}, normal rows score .004).",
        "Read bits as a lower bound on the information; a larger loss.gaussianity brings them closer.",
        divergence,
    )
