"""What the latents themselves tell of some rows of a table: as much as any encoder could, and the luck of the rows.

An information is estimated by the squared errors of test rows. Of 4,000 rows even the exact conditional mean of Y' has
more or less error than of all, by some .015 bits where it tells .2 to .4; an encoder has the same luck.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain, combinations

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.synthetic.generate import drawn_latents, shaped
from pidreg_cli.data.synthetic.systems import SyntheticSystem
from pidreg_cli.data.transforms import TargetTransform

Floats = NDArray[np.float64]
Subset = tuple[str, ...]

DRAWS = 2000
"""Of what a set does not see, for each row: behind a mean of Y', whose error is taken off again.

What is left is chance, some .0005 bits of 4,000 rows.
"""


def told_of(
    system: SyntheticSystem, seed: int, target: Floats, chosen: NDArray[np.intp]
) -> dict[Subset, float]:
    """Bits that each set's latents tell of the rows at ``chosen`` of the table of ``system`` and ``seed``.

    ``target`` (rows,): of the whole table, for normal scores.
    """
    transform = TargetTransform.fit(target)
    latents = {name: values[chosen] for name, values in drawn_latents(system, len(target), seed).items()}
    score, names = transform.forward(target[chosen]), list(system.modalities)
    variance = np.square(score - score.mean()).sum()
    rng = np.random.default_rng([seed, len(target)])
    found = {}
    for subset in chain.from_iterable(combinations(names, size) for size in range(1, len(names) + 1)):
        seen = {name: latents[name] for name in system.latents_of(subset)}
        found[subset] = float(-0.5 * np.log2(_squared_errors(system, transform, seen, score, rng) / variance))
    return found


def _squared_errors(
    system: SyntheticSystem,
    transform: TargetTransform,
    seen: Mapping[str, Floats],
    score: Floats,
    rng: np.random.Generator,
) -> float:
    """Sum of squares of ``score`` (n,) less the conditional mean of Y' given the latents ``seen``."""
    sums, squares = np.zeros((2, len(score)))
    for _ in range(DRAWS):
        values = transform.forward(_target(system, seen, len(score), rng))
        sums += values
        squares += values**2
    mean = sums / DRAWS
    error_of_mean = (squares / DRAWS - mean**2) / (DRAWS - 1)
    return float(np.sum((score - mean) ** 2 - error_of_mean))


def _target(
    system: SyntheticSystem, seen: Mapping[str, Floats], rows: int, rng: np.random.Generator
) -> Floats:
    """A target (rows,) drawn anew but for what is seen."""
    names = sorted(system.latents_of(system.modalities))
    latents = {name: seen[name] if name in seen else rng.standard_normal(rows) for name in names}
    total = system.noise * rng.standard_normal(rows) + system.interaction.values(latents)
    for name, coefficient in system.linear.items():
        total = total + coefficient * latents[name]
    return np.asarray(shaped(system, total), np.float64)
