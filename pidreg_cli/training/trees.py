"""Gradient boosted trees of one block of features: LightGBM behind two functions, its models as short texts.

LightGBM (Ke et al. 2017) is imported where it is first needed: it takes a second, and it needs a system library.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pidreg_cli.config.settings import BoostingSettings
from pidreg_cli.errors import UsageError
from pidreg_cli.memory import available_bytes
from pidreg_cli.training.tree_texts import HEAD, TREE, check_text

Floats = NDArray[np.float64]
Block = NDArray[np.float32]

REGULARISATION = {
    # Leaves of five rows: scores may be rough, the network that reads them is not.
    "min_data_in_leaf": 5,
    # A split sees three features in ten, a tree four rows in five: trees of correlated features differ.
    "feature_fraction_bynode": 0.3,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 1.0,
}
REPEATABLE = {"deterministic": True, "force_row_wise": True, "verbosity": -1}

CELLS_PER_THREAD = 100_000
"""Fewer cells are not worth another thread: a split takes microseconds then, and threads wait for each other."""

TREES_AT_ONCE = 10
"""All rows pass these before the next: ten trees stay in the nearest cache, where a row that passes all of them in
turn reads each from afar. A third of the time is saved."""

READ = HEAD | TREE
"""Keys of the lines that predictions are made of."""
LAST_LINE = "end of trees\n"  # what follows are importances and the parameters of the fit
COMPRESSION = 9

GROWTH = 16
"""Most characters of a byte of all packed trees together: of 127 leaves a tree has 2.7 and of two leaves 8."""
FEW_CHARACTERS = 2**26
"""That are unpacked in any case, of all trees together: two modalities by the presets have 15 million."""


def lightgbm() -> Any:
    """The library. Raises UsageError where it cannot be loaded, with what to install."""
    try:
        import lightgbm as library
    except (ImportError, OSError) as error:
        raise UsageError(
            "usage.lightgbm",
            f"boosted scores need LightGBM and the system's OpenMP library, but they cannot be loaded: {error}",
            "install libgomp1 (such as: apt-get install libgomp1), or fit with --set features.boosted=off",
        ) from error
    return library


@dataclass(frozen=True)
class Trees:
    """The trees of one fit. ``text``: LightGBM's model format, what predictions need of it."""

    text: str

    @cached_property
    def _booster(self) -> Any:
        return lightgbm().Booster(model_str=self.text)

    @property
    def features(self) -> int:
        """Number of columns they read."""
        return int(self._booster.num_feature())

    def predict(self, block: Block) -> Floats:
        """Predictions (n_rows,) for a block (n_rows, n_features), NaN where missing; the same for any threads."""
        threads, trees = threads_for(block), self._booster.num_trees()
        found = np.zeros(len(block))
        for first in range(0, trees, TREES_AT_ONCE):
            found += self._booster.predict(
                block, start_iteration=first, num_iteration=TREES_AT_ONCE, num_threads=threads
            )
        return found

    def packed(self) -> bytes:
        """The text compressed, with a checksum."""
        return zlib.compress(self.text.encode(), COMPRESSION)

    @classmethod
    def unpacked(cls, content: bytes, most: int = FEW_CHARACTERS) -> Trees:
        """Inverse of ``packed``, of at most ``most`` characters, ready to predict.

        Raises ValueError for anything else.
        """
        stream = zlib.decompressobj()
        try:
            text = stream.decompress(content, most + 1).decode("ascii")
        except (zlib.error, UnicodeDecodeError) as error:
            raise ValueError(f"boosted trees are damaged: {error}") from error
        if len(text) > most:
            raise ValueError("boosted trees are much larger than their file")
        if not stream.eof or not text.endswith(LAST_LINE):
            raise ValueError("boosted trees are not whole")
        trees = cls(text)
        try:
            check_text(text)
            trees._booster  # noqa: B018
        except (ValueError, lightgbm().basic.LightGBMError) as error:
            raise ValueError(f"boosted trees are damaged: {error}") from error
        return trees


def fit_trees(block: Block, target: Floats, settings: BoostingSettings, seed: int) -> Trees:
    """Trees for ``target`` (n_rows,) by squared error from ``block`` (n_rows, n_features), NaN where missing.

    By one thread: LightGBM's sums depend on how many share them.
    """
    library = lightgbm()
    parameters = {
        "objective": "regression",
        "learning_rate": settings.learning_rate,
        "num_leaves": settings.leaves,
        "num_threads": 1,
        "seed": seed,
        **REGULARISATION,
        **REPEATABLE,
    }
    rows = library.Dataset(block, target, params=parameters)
    booster = library.train(parameters, rows, num_boost_round=settings.rounds)
    return Trees(shortened(booster.model_to_string()))


def most_characters(packed: int) -> int:
    """Of all trees of a model, packed in so many bytes: a small file must not fill the memory."""
    return max(FEW_CHARACTERS, min(GROWTH * packed, available_bytes() // 2))


def threads_for(block: Block) -> int:
    """As many of torch's threads as have enough to do."""
    return min(torch.get_num_threads(), 1 + block.size // CELLS_PER_THREAD)


def shortened(text: str) -> str:
    """LightGBM's text without lines that say how trees came about, or that other versions may add: predictions are the
    same, in half the size.
    """
    trees, end, _ = text.partition(LAST_LINE)
    lines = (
        line for line in trees.splitlines(keepends=True) if "=" not in line or line.partition("=")[0] in READ
    )
    return "".join(lines) + end
