"""Tables with holes, and what can be known of the target through them.

Whether a cell or a modality is there does not depend on the data. So what a set of modalities says of Y' is a mixture
over what of it is there, and R2 is the mean of the R2 of each case.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.fits.synthetic import Floats, Sample
from pidreg_cli.data.arrays import MultimodalArrays
from pidreg_cli.data.synthetic.interactions import SignProduct
from pidreg_cli.data.synthetic.mixing import FEATURES, distractors, mixing_matrix
from pidreg_cli.data.synthetic.quadrature import target_law
from pidreg_cli.data.synthetic.systems import SYSTEMS, SyntheticSystem
from pidreg_cli.information.bivariate import squared_correlation

# Draws behind a truth with missing cells: standard errors of about .002 bits.
DRAWS = 1_000_000
CHUNK = 20_000


@dataclass(frozen=True)
class Holes:
    """Share of rows that lack a modality, for each modality by itself, and share of cells missing beside that."""

    absent: float
    cells: float

    def present(self, sample: MultimodalArrays, rng: np.random.Generator) -> dict[str, np.ndarray]:
        """Masks (n_rows, n_features) of the cells that are there."""
        there = {}
        for name, block in sample.features.items():
            modality = rng.random((len(block), 1)) >= self.absent
            there[name] = modality & (rng.random(block.shape) >= self.cells)
        return there


def punched(arrays: MultimodalArrays, present: Mapping[str, np.ndarray]) -> MultimodalArrays:
    """The same rows with NaN where a cell is not there."""
    features = {
        name: np.where(present[name], block, np.float32("nan")) for name, block in arrays.features.items()
    }
    return replace(arrays, features=features)


def complete_rows(present: Mapping[str, np.ndarray]) -> np.ndarray:
    """Mask (n_rows,) of the rows without a hole."""
    return np.logical_and.reduce([mask.all(1) for mask in present.values()])


def true_with_holes(sample: Sample, holes: Holes, rng: np.random.Generator) -> Floats:
    """True informations (2**n,) through the holes: exact for absent modalities, by simulation for missing cells."""
    if holes.cells == 0:
        return informations(mixed_r2(squared_correlations(sample.truth), holes.absent))
    return simulated(SYSTEMS[sample.system], holes, rng)


def squared_correlations(v: Floats) -> Floats:
    """R2 of informations in bits."""
    return np.array([squared_correlation(float(value)) for value in v])


def informations(r2: Floats) -> Floats:
    """Inverse of ``squared_correlations``."""
    return np.asarray(-0.5 * np.log2(1 - r2))


def mixed_r2(r2: Floats, absent: float) -> Floats:
    """``R2(A) = sum over B in A of P(exactly B of A is there) R2(B)``, both (2**n,)."""
    made = np.zeros_like(r2)
    for whole in range(len(r2)):
        for part in range(whole + 1):
            if part & ~whole == 0:
                there, gone = part.bit_count(), (whole & ~part).bit_count()
                made[whole] += (1 - absent) ** there * absent**gone * r2[part]
    return made


def simulated(system: SyntheticSystem, holes: Holes, rng: np.random.Generator) -> Floats:
    """Informations by drawing each target twice, alike only in what the cells that are there tell of the latents.

    The mean square of the difference of two such Y' is twice the variance that remains. Features are increasing
    functions of linear maps of normal latents, so a second draw keeps the latents' projection on the rows of the map
    that are there, and takes the rest from new latents. Raises ValueError where a sign is shown by a gap: no such
    function.
    """
    if isinstance(system.interaction, SignProduct):
        raise ValueError(f"there is no truth with missing cells for {system.name!r}")
    draws, names = _Draws(system), list(system.modalities)
    remaining = np.zeros(2 ** len(names))
    for _ in range(DRAWS // CHUNK):
        first = rng.standard_normal((CHUNK, draws.width))
        there = [
            (rng.random((CHUNK, 1)) >= holes.absent) & (rng.random((CHUNK, FEATURES)) >= holes.cells)
            for _ in names
        ]
        score = draws.score(first, rng)
        for mask in range(1, len(remaining)):
            seen = [t & bool(mask >> i & 1) for i, t in enumerate(there)]
            again = draws.score(draws.redrawn(first, np.hstack(seen), rng), rng)
            remaining[mask] += np.square(score - again).mean() / 2
    remaining *= CHUNK / DRAWS
    remaining[0] = 1
    return informations(1 - remaining)


class _Draws:
    """The latents of all modalities as one vector, distractors included, and the maps to features stacked."""

    def __init__(self, system: SyntheticSystem) -> None:
        self.system = system
        self.transform = target_law(system.mixture(frozenset())).normal_transform()
        shared = sorted(system.latents_of(system.modalities))
        idle = {name: distractors(len(seen)) for name, seen in system.modalities.items()}
        own = [f"{name}/{k}" for name, count in idle.items() for k in range(count)]
        self.position = {name: i for i, name in enumerate([*shared, *own])}
        self.width = len(self.position)
        blocks = []
        for name, seen in system.modalities.items():
            columns = [*seen, *(f"{name}/{k}" for k in range(idle[name]))]
            block = np.zeros((FEATURES, self.width))
            block[:, [self.position[c] for c in columns]] = mixing_matrix(
                f"{system.name}/{name}", len(columns)
            )
            blocks.append(block)
        self.map = np.vstack(blocks)

    def score(self, latents: Floats, rng: np.random.Generator) -> Floats:
        """Y' with fresh noise, (rows,)."""
        named = {name: latents[:, i] for name, i in self.position.items()}
        total = self.system.interaction.values(named) + self.system.noise * rng.standard_normal(len(latents))
        for name, coefficient in self.system.linear.items():
            total = total + coefficient * named[name]
        return self.transform(total)

    def redrawn(self, latents: Floats, seen: np.ndarray, rng: np.random.Generator) -> Floats:
        """Other latents that show the same in the features ``seen`` (rows, all features)."""
        maps = self.map * seen[:, :, None]
        projection = np.linalg.pinv(maps, rcond=1e-9) @ maps
        fresh = rng.standard_normal(latents.shape)
        return np.asarray(fresh + np.einsum("nij,nj->ni", projection, latents - fresh))
