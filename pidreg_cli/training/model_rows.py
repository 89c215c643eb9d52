"""The rows that judge a model, as its readouts see them, and everything that is estimated from them.

Whoever has these rows needs neither the table nor the network to estimate information again, in another way or on
other sets of modalities.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.config.settings import Settings
from pidreg_cli.information.features import ReadoutBlocks
from pidreg_cli.training.evaluation import (
    ReadoutRows,
    Readouts,
    cross_fitted,
    debiased_informations,
    null_error_sums,
    pooled,
)
from pidreg_cli.training.seeds import Stream, numpy_generator

Floats = NDArray[np.float64]
Array = NDArray[np.generic]

LARGEST = 1e100
"""Of what a fit keeps: sums of squares, and squares of these, are still numbers."""


@dataclass(frozen=True)
class ModelRows:
    """Rows that did not train model ``number``: ``held`` out, and those of ``valid``, which stopped its training."""

    number: int
    held: ReadoutRows
    valid: ReadoutRows

    def to_arrays(self) -> dict[str, Array]:
        """Plain arrays by name; ``from_arrays`` restores the rows exactly."""
        return {
            f"{part}.{name}": array
            for part, rows in (("held", self.held), ("valid", self.valid))
            for name, array in _arrays_of(rows).items()
        }

    @classmethod
    def from_arrays(cls, number: int, arrays: Mapping[str, Array]) -> ModelRows:
        """Restore what ``to_arrays`` gave. Raises KeyError or ValueError on anything else."""
        held, valid = (_rows_of(_under(arrays, f"{part}.")) for part in ("held", "valid"))
        if _widths(held) != _widths(valid):
            raise ValueError(f"rows of model {number} have other codes or scores held out than validating")
        return cls(number, held, valid)


def _arrays_of(rows: ReadoutRows) -> dict[str, Array]:
    codes = {f"code.{i}": np.asarray(code) for i, code in enumerate(rows.blocks.codes)}
    scores = {f"score.{mask}": np.asarray(score) for mask, score in rows.blocks.scores.items()}
    return {**codes, **scores, "targets": rows.targets, "groups": rows.groups, "rows": rows.rows}


def _rows_of(arrays: Mapping[str, Array]) -> ReadoutRows:
    codes, scores = _under(arrays, "code."), _under(arrays, "score.")
    # By number: names come back in the order of the alphabet.
    masks = sorted(map(int, scores))
    blocks = ReadoutBlocks(
        tuple(codes[str(i)] for i in range(len(codes))), {mask: scores[str(mask)] for mask in masks}
    )
    _check([*codes.values(), *scores.values(), arrays["targets"]], [arrays["groups"], arrays["rows"]])
    groups, rows = np.asarray(arrays["groups"], np.int64), np.asarray(arrays["rows"], np.intp)
    return ReadoutRows(blocks, np.asarray(arrays["targets"], np.float64), groups, rows)


def _widths(rows: ReadoutRows) -> tuple[list[int], list[tuple[int, int]]]:
    """Columns of the codes, and of the scores by set."""
    codes = [np.shape(code)[1] for code in rows.blocks.codes]
    return codes, [(mask, np.shape(score)[1]) for mask, score in rows.blocks.scores.items()]


def _moderate(block: Array) -> bool:
    """Whether all are numbers within ``LARGEST``; ``block``: floats as they were read, which single ones may be."""
    # Looked at before they become doubles: some bits that are no number warn on the way.
    return bool(np.isfinite(block).all() and np.abs(block, dtype=np.float64).max(initial=0.0) <= LARGEST)


def _check(blocks: Sequence[Array], numbers: Sequence[Array]) -> None:
    """Raise ValueError unless all are of the same rows; the last of ``blocks`` are the targets."""
    lengths = {len(array) for array in (*blocks, *numbers)}
    if len(lengths) != 1 or len(blocks) < 2 or any(block.ndim != 2 for block in blocks):
        raise ValueError(f"tables of the same rows were expected, however: {sorted(lengths)}")
    if blocks[-1].shape[1] != 2 or any(array.ndim != 1 or array.dtype.kind != "i" for array in numbers):
        raise ValueError("targets must have two columns, groups and positions must be whole numbers")
    if not all(block.dtype.kind == "f" and _moderate(block) for block in blocks):
        raise ValueError(f"codes, scores and targets must be numbers of at most {LARGEST:g}")


def _under(arrays: Mapping[str, Array], prefix: str) -> dict[str, Array]:
    return {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}


@dataclass(frozen=True)
class Estimates:
    """What held-out rows of one model, or of several pooled, say of every set of modalities.

    ``null_sums`` (models, 1 + tested sets, 1 + draws): error sums of Y' and of null targets. ``debiased`` (models,
    1 + G, 2**n): debiased informations and their jackknife replicates, NaN where a model has too few held-out rows.
    """

    readouts: Readouts
    null_sums: Floats
    debiased: Floats

    @classmethod
    def of(cls, rows: ModelRows, settings: Settings, *, nulls: bool = True) -> Estimates:
        """Of one model, with its own streams of random numbers; without ``nulls`` none are fitted, which take half of
        the time.
        """

        def rng(stream: Stream) -> np.random.Generator:
            return numpy_generator(settings.seed, stream, rows.number)

        return cls(
            cross_fitted(rows.held, rows.valid, settings, rng(Stream.READOUT)),
            null_error_sums(rows.held, rows.valid, settings, rng(Stream.NULL))[None]
            if nulls
            else np.empty((0, 0, 0)),
            debiased_informations(rows.held, settings, rng(Stream.INTERVALS))[None],
        )

    @classmethod
    def pooled(cls, parts: Sequence[Estimates]) -> Estimates:
        """Of several models together."""
        return cls(
            pooled([part.readouts for part in parts]),
            np.concatenate([part.null_sums for part in parts]),
            np.concatenate([part.debiased for part in parts]),
        )


def validation_readouts(rows: ModelRows, settings: Settings) -> Readouts:
    """Readouts of the validation rows, cross-fitted among them: where one split is, they select."""
    return cross_fitted(rows.valid, None, settings, numpy_generator(settings.seed, Stream.SELECTION))
