"""How a modality shows its latents: an injective, slightly non-linear map to more features than latents."""

from __future__ import annotations

from zlib import crc32

import numpy as np

from pidreg_cli.data.synthetic.interactions import Floats

FEATURES = 6
# Distractors fill up to this number of latents, at least one.
LATENTS = 4

# x -> x + bend x / sqrt(1 + x^2) is strictly increasing for bend > -1.
_BENDS = np.array([0.8, -0.4, 0.4, 0.8, -0.4, 0.4])


def distractors(informative: int) -> int:
    """How many latents without information a modality shows beside ``informative`` others."""
    return max(1, LATENTS - informative)


def mixing_matrix(key: str, latents: int) -> Floats:
    """The fixed matrix (FEATURES, latents) of a modality: orthogonal columns, mean square row norm 1.

    It depends on ``key`` only, so that tables of different seeds follow one law. Raises ValueError when there
    are more latents than features, for then the latents could not be recovered.
    """
    if latents > FEATURES:
        raise ValueError(f"a modality shows at most {FEATURES} latents, however: latents={latents}")
    draws = np.random.default_rng(crc32(key.encode())).standard_normal((FEATURES, latents))
    return np.asarray(np.linalg.qr(draws).Q * np.sqrt(FEATURES / latents))


def mix(latents: Floats, matrix: Floats) -> Floats:
    """Features (n_rows, FEATURES) of ``latents`` (n_rows, n_latents): a linear map, then a bend each."""
    return bend(latents @ matrix.T)


def bend(features: Floats) -> Floats:
    """Each column of ``features`` (n_rows, FEATURES) through a strictly increasing curve of its own."""
    return np.asarray(features + _BENDS * features / np.sqrt(1.0 + features**2))
