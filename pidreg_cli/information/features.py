"""Features of the readouts: codes, their products and the predictions of the heads, found by subset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations_with_replacement
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from pidreg_cli.information.arrays import Floats, Ints, columns
from pidreg_cli.information.errors import ShapeError, UnknownMeasureError
from pidreg_cli.information.lattice import sources_of

Interactions = Literal["products", "none"]

GIVEN = ("given", 0, 0)
"""Where a layout keeps the covariates."""


@dataclass(frozen=True)
class ReadoutBlocks:
    """What readouts may use of the same N rows.

    ``codes[i]`` has shape (N, d_i). ``scores[mask]`` has shape (N, k): predictions that belong to the subset
    ``mask`` (a head of one modality, of a pair, of all; for all of them the network's own prediction too).
    They enter the readout of that subset, and those of single modalities enter every subset that contains the
    modality. ``weights`` (N,) count rows: one of weight 2 as two rows. ``given`` (N, c): covariates, in the readout
    of every subset and, alone, of the empty one: information is then that beyond them.
    """

    codes: tuple[ArrayLike, ...]
    scores: Mapping[int, ArrayLike] = field(default_factory=dict)
    weights: ArrayLike | None = None
    given: ArrayLike | None = None


@dataclass(frozen=True)
class FeatureLayout:
    """Where the features of each subset stand among ``width`` columns.

    ``slices``: columns by kind and by the two modalities they belong to (``code`` and ``product``), or by the bitmask
    of their subset, twice (``score``); covariates, which every readout has, are ``("given", 0, 0)``.
    """

    slices: Mapping[tuple[str, int, int], range]
    width: int

    @property
    def given(self) -> Ints:
        """Columns of the covariates."""
        return _positions([self.slices.get(GIVEN, range(0))])

    def shrunk(self, mask: int) -> Ints:
        """Columns of the codes and products within ``mask``."""
        keys = (key for key in self.slices if key[0] not in ("score", "given") and _inside(key, mask))
        return _positions(self.slices[key] for key in keys)

    def free(self, mask: int) -> Ints:
        """Unpenalised columns of ``mask``: covariates, scores of its single modalities and its own."""
        own = dict.fromkeys([*(1 << i for i in sources_of(mask)), mask])
        keys = (GIVEN, *(("score", m, m) for m in own))
        return _positions(self.slices[key] for key in keys if key in self.slices)

    def columns(self, mask: int) -> Ints:
        """Every column of the readout of ``mask``: the unpenalised ones first."""
        return np.concatenate([self.free(mask), self.shrunk(mask)])


@dataclass(frozen=True)
class FeatureTable:
    """All features of some rows, shape (N, P), and where those of each subset stand."""

    values: Floats
    layout: FeatureLayout


def laid_out(widths: Mapping[tuple[str, int, int], int]) -> FeatureLayout:
    """The layout of blocks of these numbers of columns, side by side."""
    stops = np.cumsum(list(widths.values()), dtype=np.int64).tolist()
    spans = (range(stop - width, stop) for stop, width in zip(stops, widths.values(), strict=True))
    return FeatureLayout(dict(zip(widths, spans, strict=True)), stops[-1] if stops else 0)


def _inside(key: tuple[str, int, int], mask: int) -> bool:
    return bool(mask >> key[1] & 1) and bool(mask >> key[2] & 1)


def _positions(ranges: Iterable[range]) -> Ints:
    return np.array([position for span in ranges for position in span], dtype=np.int64)


def feature_table(blocks: ReadoutBlocks, interactions: Interactions = "products") -> FeatureTable:
    """Codes Z_i, products ``Z_i * Z_j`` for i <= j (squares included) and scores, side by side.

    Squares belong to the family of every subset: without them information that one modality carries
    non-linearly would be booked as synergy. ``interactions="none"`` leaves codes and scores.
    """
    if interactions not in get_args(Interactions):
        raise UnknownMeasureError(
            f"interactions must be one of {get_args(Interactions)}, however: {interactions!r}"
        )
    codes = [columns(code, f"codes of modality {i}") for i, code in enumerate(blocks.codes)]
    scores = {mask: columns(score, f"scores of subset {mask}") for mask, score in blocks.scores.items()}
    given = {} if blocks.given is None else {GIVEN: columns(blocks.given, "covariates")}
    _check_fit(codes, scores, given.values())
    parts: dict[tuple[str, int, int], Floats] = {("code", i, i): code for i, code in enumerate(codes)}
    if interactions == "products":
        parts |= _products(codes)
    parts |= {("score", mask, mask): score for mask, score in scores.items()}
    parts |= given
    layout = laid_out({key: part.shape[1] for key, part in parts.items()})
    return FeatureTable(np.hstack(list(parts.values())), layout)


def _products(codes: Sequence[Floats]) -> dict[tuple[str, int, int], Floats]:
    if len({code.shape[1] for code in codes}) > 1:
        raise ShapeError(
            f"products need codes of one width, however: {[code.shape[1] for code in codes]}",
            "give every modality the same number of code dimensions, or use interactions='none'",
        )
    pairs = combinations_with_replacement(range(len(codes)), 2)
    return {("product", i, j): codes[i] * codes[j] for i, j in pairs}


def _check_fit(codes: Sequence[Floats], scores: Mapping[int, Floats], given: Iterable[Floats]) -> None:
    rows = {block.shape[0] for block in (*codes, *scores.values(), *given)}
    if len(rows) != 1:
        raise ShapeError(f"all blocks must have the same rows, however: {sorted(rows)}")
    strange = [mask for mask in scores if not 0 < mask < 1 << len(codes)]
    if strange:
        raise ShapeError(f"scores belong to non-empty subsets of {len(codes)} modalities, however: {strange}")
