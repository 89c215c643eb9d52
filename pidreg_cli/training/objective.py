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
from pidreg_cli.network.losses.cauchy_schwarz import cs_to_normal, slices
from pidreg_cli.network.losses.conditional import conditional_independence
from pidreg_cli.network.losses.gaussianity import mixing_directions, mixtures
from pidreg_cli.network.noise import BatchNoise, drawn_for, generator_of
from pidreg_cli.network.pidreg import PIDRegNetwork
from pidreg_cli.network.whole_batch import WholeBatch
from pidreg_cli.training.batches import Rows


def random_subsets(rows: int, modalities: int, noise: torch.Generator, device: torch.device) -> Tensor:
    """0/1 flags (rows, modalities): each row's set has a size drawn from 1..n and uniform members."""
    size = torch.randint(1, modalities + 1, (rows, 1), generator=noise, device=device)
    rank = torch.empty(rows, modalities, device=device).uniform_(generator=noise).argsort(-1).argsort(-1)
    return (rank < size).float()


def sufficiency(network: PIDRegNetwork, codes: Sequence[Tensor], score: Tensor, noise: BatchNoise) -> Tensor:
    """Mean squared error of the heads: of each modality, of all together, and (n > 2) of random sets."""
    n = len(codes)
    predictions = network.single_scores(codes, noise)
    predictions.append(network.subset_head(codes, None, noise))
    if n > 2:
        subsets = drawn_for(len(score), noise, lambda rows, g: random_subsets(rows, n, g, score.device))
        predictions.append(network.subset_head(codes, subsets, noise))
    return functional.mse_loss(torch.stack(predictions), score.expand(len(predictions), -1))


def code_terms(
    codes: Sequence[Tensor], batch: Rows, settings: LossSettings, noise: BatchNoise
) -> dict[str, Tensor]:
    """The weighted terms that shape the codes, on at most ``settings.rows`` rows of the batch (kernels are n x n).

    Every ``settings.every``-th step with as many times the weight: the same expected gradient at a fraction of the
    cost, which would exceed that of everything else (lazy regularisation, Karras et al. 2020, arXiv 1912.04958).
    """
    score, *others = first_rows([batch.score, *codes, *batch.inputs], settings.rows, noise)
    codes, inputs = others[: len(codes)], others[len(codes) :]
    terms = divergences(codes, score, settings, generator_of(noise))
    if settings.conditional and len(codes) > 1:
        terms["conditional"] = settings.conditional * conditional_independence(inputs, codes)
    return {name: counted_once(settings.every * term, noise) for name, term in terms.items()}


def first_rows(tensors: Sequence[Tensor], count: int, noise: BatchNoise) -> list[Tensor]:
    """The first rows of the batch of each tensor, ``count`` at most, also where other processes have some of them."""
    if isinstance(noise, WholeBatch):
        return noise.first_rows(tensors, count)
    return [tensor[:count] for tensor in tensors]


def counted_once(term: Tensor, noise: BatchNoise) -> Tensor:
    """A term of the whole batch, known to every process, so that sums over these count it once.

    Its gradient stays: on each process it is that of own rows.
    """
    return term - (1 - 1 / noise.size) * term.detach() if isinstance(noise, WholeBatch) else term


def of_batch(mean: Tensor, noise: BatchNoise) -> Tensor:
    """What a mean over the rows here adds to that over the rows of the batch."""
    return noise.share * mean if isinstance(noise, WholeBatch) else mean


def divergences(
    codes: Sequence[Tensor], score: Tensor, settings: LossSettings, noise: torch.Generator
) -> dict[str, Tensor]:
    """The weighted terms that compare views of the codes with the normal, all in one pass over their kernels."""
    d, k = codes[0].shape[1], settings.directions
    # The first term is a sum over the codes, of means over as many views of each.
    weights = {"cauchy_schwarz": len(codes) * settings.cauchy_schwarz, "gaussianity": settings.gaussianity}
    views: dict[str, Tensor] = {}
    if settings.cauchy_schwarz:
        views["cauchy_schwarz"] = torch.cat([slices(code, k, noise) for code in codes], -1)
    if settings.gaussianity:
        directions = mixing_directions(d * len(codes), k, noise, codes[0])
        views["gaussianity"] = mixtures(score, codes, directions)
    if not views:
        return {}
    found = cs_to_normal(torch.cat([*views.values()], -1), settings.bandwidth)
    parts = torch.tensor_split(found, [next(iter(views.values())).shape[1]])
    return {name: weights[name] * part.mean() for name, part in zip(views, parts, strict=False)}


def loss_terms(
    network: PIDRegNetwork, batch: Rows, settings: LossSettings, noise: BatchNoise, step: int = 0
) -> dict[str, Tensor]:
    """Weighted terms by name; their sum is the loss of this ``step``. Terms of weight 0 are not computed.

    Where several processes share the batch, ``batch`` are the rows of this one, and the sum of their terms is that of
    the batch.
    """
    codes = network.encode(batch.inputs, noise)
    error = functional.mse_loss(network.predict(codes, noise), batch.target)
    terms = {"prediction": of_batch(error, noise)}
    if step % settings.every == 0:
        terms |= code_terms(codes, batch, settings, noise)
    if settings.sufficiency:
        heads = settings.sufficiency * sufficiency(network, codes, batch.score, noise)
        terms["sufficiency"] = of_batch(heads, noise)
    return terms
