"""The reported information of a synthetic system, against simulated pairs of targets."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtri
from scipy.stats import rankdata

from pidreg_cli.data.synthetic import SyntheticSystem
from pidreg_cli.data.synthetic.generate import shaped
from pidreg_cli.data.synthetic.interactions import Floats

PAIRS = 200_000


def assert_reported_as_simulated(system: SyntheticSystem, truth: dict[str, Any]) -> None:
    """Every set's information in ``truth``, within three and a half standard errors.

    Given what A sees the two targets are independent: Cov(Y'_1, Y'_2) = Var E[Y'|X_A] = R2 Var Y'.
    """
    for seed, entry in enumerate(truth["information"]):
        first, second = paired_scores(system, system.latents_of(entry["modalities"]), seed)
        products = first * second
        share = 1.0 - 4.0 ** -entry["reported"]
        assert abs(products.mean() - share) < 3.5 * products.std() / np.sqrt(PAIRS), entry["modalities"]


def paired_scores(system: SyntheticSystem, seen: frozenset[str], seed: int) -> tuple[Floats, Floats]:
    """Standardised normal scores of two targets that share the latents ``seen`` and nothing else."""
    generator = np.random.default_rng(seed)
    common = {name: generator.standard_normal(PAIRS) for name in sorted(seen)}
    targets = []
    for _ in range(2):
        names = sorted(system.latents_of(system.modalities) - seen)
        latents = common | {name: generator.standard_normal(PAIRS) for name in names}
        linear = sum((c * latents[name] for name, c in system.linear.items()), np.zeros(PAIRS))
        noise = system.noise * generator.standard_normal(PAIRS)
        targets.append(shaped(system, linear + system.interaction.values(latents) + noise))
    scores = ndtri((rankdata(np.concatenate(targets)) - 0.375) / (2 * PAIRS + 0.25))
    scores = (scores - scores.mean()) / scores.std()
    return scores[:PAIRS], scores[PAIRS:]
