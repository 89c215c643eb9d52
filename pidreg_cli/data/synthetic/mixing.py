"""How a modality shows its latents: an injective map to more features than latents, in three strengths.

``mild`` is a linear map and a bend of each feature. ``medium`` and ``strong`` first fold the latents over each
other by steps that can be undone exactly, so that the features tell no less and the truth stays what it is; what
grows is the effort to read it. How strong a mixing is, is the share of the latents' variance that a linear readout
of the features recovers, mean over latents: 0.95 and more, 0.6 to 0.75, 0.3 to 0.45.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from zlib import crc32

import numpy as np

from pidreg_cli.data.synthetic.interactions import Floats
from pidreg_cli.errors import UsageError

DEFAULT_MIXING = "mild"
FEATURES = 6
# Distractors fill up to this number of latents, at least one.
LATENTS = 4

# x -> x + bend x / sqrt(1 + x^2) is strictly increasing for bend > -1.
_BENDS = np.array([0.8, -0.4, 0.4, 0.8, -0.4, 0.4])


@dataclass(frozen=True)
class Strength:
    """A mixing: its number of ``features``, the ``height`` of its folds, 0 for none, and what rounding leaves.

    ``steps`` per unit are what features are rounded to.
    """

    features: int
    height: float
    steps: float


# Values are rounded to binary fractions: files halve, and the last bit of a machine's exp or matrix product does
# not show in them. Undoing folds enlarges what rounding hides, so that folded features keep four more bits.
STRENGTHS: Mapping[str, Strength] = {
    DEFAULT_MIXING: Strength(FEATURES, 0.0, 2.0**10),
    "medium": Strength(24, 2.0, 2.0**14),
    "strong": Strength(24, 5.0, 2.0**14),
}

# The first step moves one half of the latents, the second the other.
_FOLDS = 2
# Variance and mean of cos(x) for a standard normal x.
_WAVE_VARIANCE = 0.5 * (1.0 - np.exp(-1.0)) ** 2
_WAVE_MEAN = np.exp(-0.5)


def strength_named(mixing: str) -> Strength:
    """The strength of that name.

    Raises:
        UsageError: there is none; the hint lists all names.
    """
    if mixing not in STRENGTHS:
        raise UsageError(
            "synth.unknown_mixing",
            f"there is no mixing {mixing!r}",
            f"choose one of: {', '.join(STRENGTHS)}",
        )
    return STRENGTHS[mixing]


def distractors(informative: int) -> int:
    """How many latents without information a modality shows beside ``informative`` others."""
    return max(1, LATENTS - informative)


def mixing_matrix(key: str, latents: int, features: int = FEATURES) -> Floats:
    """The fixed matrix (features, latents) of a modality: orthogonal columns, mean square row norm 1.

    It depends on ``key`` only, so that tables of different seeds follow one law. Raises ValueError when there
    are more latents than features, for then the latents could not be recovered.
    """
    if latents > features:
        raise ValueError(f"a modality shows at most {features} latents, however: latents={latents}")
    draws = np.random.default_rng(crc32(key.encode())).standard_normal((features, latents))
    return np.asarray(np.linalg.qr(draws).Q * np.sqrt(features / latents))


def mix(latents: Floats, matrix: Floats) -> Floats:
    """Features (n_rows, n_features) of ``latents`` (n_rows, n_latents): a linear map, then a bend each."""
    return bend(latents @ matrix.T)


def bend(features: Floats) -> Floats:
    """Each column of ``features`` (n_rows, n_features) through a strictly increasing curve."""
    bends = np.resize(_BENDS, features.shape[1])
    return np.asarray(features + bends * features / np.sqrt(1.0 + features**2))


@dataclass(frozen=True)
class Folds:
    """An invertible map of latents: a rotation, then steps that fold one half of them over the other.

    ``rotation`` (n_latents, n_latents); a matrix of ``directions`` (n_moved, n_kept) a step, rows of norm 1.
    Each of the moved latents gets a wave of the kept ones added; as the kept ones stay, it can be subtracted.
    """

    rotation: Floats
    directions: tuple[Floats, ...]
    height: float

    @property
    def scale(self) -> float:
        """Standard deviation of a standard normal latent with its wave, by which it is divided."""
        return float(np.sqrt(1.0 + self.height**2 * _WAVE_VARIANCE))

    def wave(self, kept: Floats, directions: Floats) -> Floats:
        """What is added to the moved latents, (n_rows, n_moved): even, so that no line follows it; mean 0."""
        return np.asarray(self.height * (np.cos(kept @ directions.T) - _WAVE_MEAN))

    def folded(self, latents: Floats) -> Floats:
        """The folded latents, (n_rows, n_latents) like ``latents``."""
        turned = latents @ self.rotation.T
        for directions in self.directions:
            moved, kept = np.split(turned, [len(directions)], axis=1)
            turned = np.hstack([kept, (moved + self.wave(kept, directions)) / self.scale])
        return np.asarray(turned)


def folds_of(key: str, latents: int, height: float) -> Folds:
    """The fixed folds of a modality; like its matrix they depend on ``key`` only.

    Raises ValueError when there are fewer than two latents, one to move and one to keep.
    """
    if latents < 2:
        raise ValueError(f"folds need two latents, however: latents={latents}")
    generator = np.random.default_rng(crc32(f"{key}/folds".encode()))
    moved = (latents + 1) // 2
    turns = [np.linalg.qr(generator.standard_normal((latents - moved,) * 2)).Q for _ in range(_FOLDS)]
    # A latent more is moved than kept where their number is odd: it gets the wave of another.
    directions = tuple(turn[np.arange(moved) % len(turn)] for turn in turns)
    # Mixed over all columns, every latent is folded alike, whichever of them informs.
    return Folds(_hartley(latents) * generator.choice([-1.0, 1.0], latents), directions, height)


def _hartley(size: int) -> Floats:
    """The orthogonal matrix of the discrete Hartley transform, which spreads every latent over all columns."""
    angles = 2.0 * np.pi / size * np.outer(np.arange(size), np.arange(size))
    return np.asarray((np.cos(angles) + np.sin(angles)) / np.sqrt(size))


def shown_features(latents: Floats, key: str, mixing: str) -> Floats:
    """Features (n_rows, n_features) that the modality ``key`` shows of ``latents`` (n_rows, n_latents), rounded.

    Raises UsageError for an unknown mixing.
    """
    strength, count = strength_named(mixing), latents.shape[1]
    if strength.height > 0.0:
        key = f"{key}/{mixing}"
        latents = folds_of(key, count, strength.height).folded(latents)
    return rounded(mix(latents, mixing_matrix(key, count, strength.features)), strength.steps)


def rounded(values: Floats, steps: float) -> Floats:
    """``values`` at multiples of ``1 / steps``."""
    return np.asarray(np.rint(values * steps) / steps)
