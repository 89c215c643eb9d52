"""The loss of the method: prediction, and the terms that make the codes fit for a decomposition.

``L = L_pred + l1 sum_i CS(Z_i || N(0,I)) + l2 sum_i CMI(Z_i; X_rest | X_i) + l3 L_Gauss(Y', Z) + l4 L_suff``
(PIDReg, arXiv 2512.22102). NOTE[DIFF]: ``L_suff``, through the heads, is not in the paper: under joint training the
stronger modality starves the weaker one's code, and its information is underestimated.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from pidreg_cli.config.settings import LossSettings
from pidreg_cli.network.losses.cauchy_schwarz import sliced_cs_to_normal
from pidreg_cli.network.losses.conditional import conditional_independence
from pidreg_cli.network.losses.gaussianity import joint_gaussianity, mixing_directions
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.training.batches import Rows


def random_subsets(rows: int, modalities: int, noise: torch.Generator, device: torch.device) -> Tensor:
    """0/1 flags (rows, modalities): each row's set has a size drawn from 1..n and uniform members."""
    size = torch.randint(1, modalities + 1, (rows, 1), generator=noise, device=device)
    rank = torch.empty(rows, modalities, device=device).uniform_(generator=noise).argsort(-1).argsort(-1)
    return (rank < size).float()


def sufficiency(
    network: PIDRegNetwork, codes: Sequence[Tensor], score: Tensor, noise: torch.Generator
) -> Tensor:
    """Mean squared error of the heads: of each modality, of all together, and (n > 2) of random sets."""
    n = len(codes)
    predictions = network.single_scores(codes, noise)
    predictions.append(network.subset_head(codes, torch.ones(n, device=score.device), noise))
    if n > 2:
        subsets = random_subsets(len(score), n, noise, score.device)
        predictions.append(network.subset_head(codes, subsets, noise))
    return functional.mse_loss(torch.stack(predictions), score.expand(len(predictions), -1))


def code_terms(
    codes: Sequence[Tensor], batch: Rows, settings: LossSettings, noise: torch.Generator
) -> dict[str, Tensor]:
    """The weighted terms that shape the codes, on at most ``settings.rows`` rows of the batch (kernels are n x n).

    Every ``settings.every``-th step with as many times the weight: the same expected gradient at a fraction of the
    cost, which would exceed that of everything else (lazy regularisation, Karras et al. 2020, arXiv 1912.04958).
    """
    codes = [code[: settings.rows] for code in codes]
    d, k = codes[0].shape[1], settings.directions
    terms: dict[str, Tensor] = {}
    if settings.cauchy_schwarz:
        divergences = [sliced_cs_to_normal(code, settings.bandwidth, k, noise) for code in codes]
        terms["cauchy_schwarz"] = settings.every * settings.cauchy_schwarz * torch.stack(divergences).sum()
    if settings.conditional and len(codes) > 1:
        inputs = [torch.cat(pair, -1)[: settings.rows] for pair in batch.inputs]
        terms["conditional"] = settings.every * settings.conditional * conditional_independence(inputs, codes)
    if settings.gaussianity:
        mixed = mixing_directions(d * len(codes), k, noise, codes[0])
        statistic = joint_gaussianity(batch.score[: settings.rows], codes, settings.bandwidth, mixed)
        terms["gaussianity"] = settings.every * settings.gaussianity * statistic
    return terms


def loss_terms(
    network: PIDRegNetwork, batch: Rows, settings: LossSettings, noise: torch.Generator, step: int = 0
) -> dict[str, Tensor]:
    """Weighted terms by name; their sum is the loss of this ``step``. Terms of weight 0 are not computed."""
    codes = network.encode(batch.inputs, noise)
    terms = {"prediction": functional.mse_loss(network.predict(codes, noise), batch.target)}
    if step % settings.every == 0:
        terms |= code_terms(codes, batch, settings, noise)
    if settings.sufficiency:
        terms["sufficiency"] = settings.sufficiency * sufficiency(network, codes, batch.score, noise)
    return terms
