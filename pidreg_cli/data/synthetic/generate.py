"""Tables drawn from a synthetic system."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.metadata import TableMetadata
from pidreg_cli.data.synthetic.interactions import Floats
from pidreg_cli.data.synthetic.mixing import (
    DEFAULT_MIXING,
    distractors,
    rounded,
    shown_features,
    strength_named,
)
from pidreg_cli.data.synthetic.systems import SyntheticSystem, system_named
from pidreg_cli.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

MINIMUM_ROWS = 20

# Rounded like the features. What the two roundings hide of a target is below 1e-4 bits in every system.
_TARGET_STEPS = 2.0**20


@dataclass(frozen=True)
class SyntheticTable:
    """Rows of a system and what is known of them.

    ``table`` holds the features ``NAME__f0``, ... (float32), ``target`` (float64) and ``id`` (int64);
    ``roles`` names them; ``truth`` is the JSON-ready truth of ``truth_of``.
    """

    table: pa.Table
    roles: TableMetadata
    truth: dict[str, Any]


def generate(
    system: str | SyntheticSystem, rows: int, seed: int, mixing: str = DEFAULT_MIXING
) -> SyntheticTable:
    """Draw ``rows`` rows of a system, given by name or itself, with its exact information.

    ``mixing`` is how hard the latents are to read from the features: ``mild``, ``medium`` or ``strong``. The
    same arguments give the same values; more rows of a seed begin with the rows of fewer; the target and the
    truth are those of any mixing.

    Raises:
        UsageError: unknown system or mixing, fewer than 20 rows, or a negative seed.
    """
    system = system_named(system) if isinstance(system, str) else system
    strength_named(mixing)
    check_request(rows, seed)
    # Imported once the request is known to be good: usage errors answer at once.
    import pyarrow as pa

    from pidreg_cli.data.synthetic.truth import truth_of

    table = pa.table(dict(_Draw(system, rows, seed, mixing).columns()))
    roles = TableMetadata(feature_columns(system, mixing), target="target", id="id")
    return SyntheticTable(table, roles, truth_of(system, rows, seed, mixing))


def drawn_latents(system: SyntheticSystem, rows: int, seed: int) -> dict[str, Floats]:
    """The latents (rows,) by name behind the table that ``generate`` draws with these arguments, of any mixing."""
    draw = _Draw(system, rows, seed, DEFAULT_MIXING)
    return {name: draw.normal(name) for name in sorted(system.latents_of(system.modalities))}


def check_request(rows: int, seed: int) -> None:
    """Raise UsageError unless there are at least 20 rows and the seed is not negative."""
    if rows < MINIMUM_ROWS:
        raise UsageError(
            "synth.rows", f"a synthetic table needs at least {MINIMUM_ROWS} rows, however: rows={rows}"
        )
    if seed < 0:
        raise UsageError("synth.seed", f"a seed must not be negative, however: seed={seed}")


def feature_columns(system: SyntheticSystem, mixing: str) -> dict[str, tuple[str, ...]]:
    """The feature columns of each modality, in the order of a table drawn from ``system``."""
    features = strength_named(mixing).features
    return {name: tuple(f"{name}__f{j}" for j in range(features)) for name in system.modalities}


@dataclass(frozen=True)
class _Draw:
    system: SyntheticSystem
    rows: int
    seed: int
    mixing: str

    def columns(self) -> Iterator[tuple[str, NDArray[Any]]]:
        latents = {name: self.normal(name) for name in self.system.latents_of(self.system.modalities)}
        for modality, names in feature_columns(self.system, self.mixing).items():
            yield from zip(names, self.features(modality, latents).T, strict=True)
        yield "target", self.target(latents)
        yield "id", np.arange(self.rows, dtype=np.int64)

    def normal(self, name: str) -> Floats:
        """Standard normal values (rows,) from the stream of that name."""
        stream = crc32(f"{self.system.name}/{name}".encode())
        return np.random.default_rng([self.seed, stream]).standard_normal(self.rows)

    def features(self, modality: str, latents: Mapping[str, Floats]) -> NDArray[np.float32]:
        """Features (rows, n_features) of one modality."""
        shown = [self.shown(name, latents[name]) for name in self.system.modalities[modality]]
        idle = [self.normal(f"{modality}/distractor {k}") for k in range(distractors(len(shown)))]
        block = np.stack(shown + idle, axis=1)
        return shown_features(block, f"{self.system.name}/{modality}", self.mixing).astype(np.float32)

    def shown(self, name: str, latent: Floats) -> Floats:
        interaction = self.system.interaction
        return interaction.shown(latent) if name in interaction.latents else latent

    def target(self, latents: Mapping[str, Floats]) -> NDArray[Any]:
        """Target (rows,)."""
        total = self.system.noise * self.normal("noise") + self.system.interaction.values(latents)
        for name, coefficient in self.system.linear.items():
            total = total + coefficient * latents[name]
        return shaped(self.system, total)


def shaped(system: SyntheticSystem, total: Floats) -> NDArray[Any]:
    """The target (rows,) as the table has it, of its values before ``T``: int64 where it is an integer."""
    if system.edges:
        return np.searchsorted(system.edges, total).astype(np.int64)
    if system.exponential:
        from pidreg_cli.data.synthetic.quadrature import exponential_margin

        return rounded(exponential_margin(system.mixture(frozenset()), total), _TARGET_STEPS)
    return rounded(total * np.exp(0.5 * system.tail * total**2), _TARGET_STEPS)
