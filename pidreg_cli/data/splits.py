"""Which rows train, stop and test: one split, or folds. Rows of a group always stay together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.arrays import TEST, TRAIN, VALID, MultimodalArrays
from pidreg_cli.errors import DataError, UsageError

Groups = NDArray[np.generic]
Labels = NDArray[np.str_]
Parts = NDArray[np.int8]

SHARES = {TRAIN: 0.7, VALID: 0.1, TEST: 0.2}
PARTS = tuple(SHARES)
"""Parts by their number in ``assign_parts``."""
# Of the training rows where the table brings no validation rows: 10 % of the whole at the usual 80/20.
VALID_SHARE_OF_TRAIN = 0.125
# Below, one split leaves too few test rows to read bits from; every row is then scored by cross-fitting.
CROSS_FIT_BELOW = 2000
AUTO_FOLDS = 5
# Fewer rows show nothing but noise: 5 folds would test on three rows or fewer.
MINIMUM_ROWS = 20
# Readouts are cross-fitted among ten parts of the test rows; validation needs a spread.
MINIMUM_PART = {TRAIN: 10, VALID: 2, TEST: 10}
MOST_SMALL = 128  # numbers of parts that a byte with a sign holds


@dataclass(frozen=True)
class Protocol:
    """How rows are scored by models that did not see them: one split, or ``folds`` (0 with one split)."""

    kind: Literal["split", "folds"]
    folds: int = 0
    notices: tuple[str, ...] = ()


def choose_protocol(rows: int, folds: int | Literal["auto"], split: Labels | None) -> Protocol:
    """Choose one split or folds, for ``rows`` rows with a target and their ``split`` column, if any.

    'auto': folds under 2,000 rows or where the split column has no test rows, else one split. Folds pool all
    rows: the split column is then left unused, with a notice. Raises UsageError for an impossible number of
    folds and DataError for too few rows.
    """
    if rows < MINIMUM_ROWS:
        raise _too_few(f"The table has {rows} rows with a target; a fit needs {MINIMUM_ROWS} or more.")
    if folds != "auto":
        return _pooled(_checked(folds, rows), split, f"{folds} folds were asked for")
    if rows < CROSS_FIT_BELOW:
        return _pooled(AUTO_FOLDS, split, f"there are under {CROSS_FIT_BELOW:,} rows")
    if split is not None and TEST not in split:
        return _pooled(AUTO_FOLDS, split, "it has no test rows")
    return Protocol("split")


def _checked(folds: int, rows: int) -> int:
    if not 2 <= folds <= rows // 2:
        raise UsageError(
            "usage.folds",
            f"The number of folds is {folds}; it must be 'auto' or from 2 to {rows // 2}, half of the rows.",
            "Try --folds 5.",
        )
    return folds


def _pooled(folds: int, split: Labels | None, why: str) -> Protocol:
    if split is None:
        return Protocol("folds", folds)
    notice = f"The split column is not used, because {why}: {folds}-fold cross-fitting scores every row."
    return Protocol("folds", folds, (notice,))


def assign_split(arrays: MultimodalArrays, rng: np.random.Generator) -> Labels:
    """'train', 'valid' or 'test' of each row, shape (n_rows,): the table's split, else 70/10/20 at random.

    Where the table's split has no validation rows, 12.5 % of its training rows become these. Raises DataError
    where a part would be too small or there are too few groups.
    """
    given = None if arrays.split is None else part_numbers(arrays.split)
    return np.array(PARTS)[assign_parts(arrays.rows, given, arrays.groups, rng)]


def part_numbers(labels: Labels) -> Parts:
    """Number of each label in ``PARTS``, shape (n_rows,)."""
    return np.select([labels == part for part in PARTS], range(len(PARTS))).astype(np.int8)


def assign_parts(rows: int, given: Parts | None, groups: Groups | None, rng: np.random.Generator) -> Parts:
    """As ``assign_split``, in a byte a row: part of each row by its number in ``PARTS``, shape (rows,).

    ``given`` (rows,): the table's split, or None.
    """
    if given is None:
        parts = deal(rows, tuple(SHARES.values()), groups, rng).astype(np.int8, copy=False)
    elif (given == PARTS.index(VALID)).any():
        parts = given
    else:
        parts = _with_validation(given, groups, rng)
    _check_parts(parts, required=PARTS if given is None else (TRAIN, VALID))
    return parts


def carve_validation(rows: int, rng: np.random.Generator, groups: Groups | None = None) -> NDArray[np.bool_]:
    """Mask of the validation rows among ``rows`` training rows, shape (rows,): 12.5 %, one row at least.

    Raises DataError where there are fewer than two rows or groups.
    """
    shares = (1 - VALID_SHARE_OF_TRAIN, VALID_SHARE_OF_TRAIN)
    return np.asarray(deal(rows, shares, groups, rng) == 1)


def fold_assignment(
    rows: int, folds: int, rng: np.random.Generator, groups: Groups | None = None
) -> NDArray[np.intp]:
    """Fold 0..folds-1 of each row, shape (rows,), at random, as even as the groups allow.

    Raises DataError where there are fewer rows or groups than folds.
    """
    return deal(rows, (1 / folds,) * folds, groups, rng).astype(np.intp, copy=False)


def _with_validation(given: Parts, groups: Groups | None, rng: np.random.Generator) -> Parts:
    training = given == PARTS.index(TRAIN)
    count = int(training.sum())
    if count == 0:
        raise _too_few("The split column has no row 'train'; there must be some.")
    carved = carve_validation(count, rng, None if groups is None else groups[training])
    parts = given.copy()
    parts[training] = np.where(carved, PARTS.index(VALID), PARTS.index(TRAIN))
    return parts


def _check_parts(parts: Parts, required: tuple[str, ...]) -> None:
    counts = dict(zip(PARTS, np.bincount(parts, minlength=len(PARTS)).tolist(), strict=True))
    for part, least in MINIMUM_PART.items():
        count = counts[part]
        if count < least and (count > 0 or part in required):
            raise _too_few(
                f"The split leaves {count} rows with a target to '{part}'; it needs {least} or more."
            )


def _too_few(message: str) -> DataError:
    return DataError("data.too_few_rows", message, "Add rows, or try --folds 5.")


def deal(
    rows: int, shares: Sequence[float], groups: Groups | None, rng: np.random.Generator
) -> NDArray[np.signedinteger[Any]]:
    """Part of each row, shape (rows,): parts get ``shares`` of the rows, none stays empty, groups stay together.

    Raises DataError where there are fewer rows or groups than parts.
    """
    if groups is None:
        _check_units(rows, "rows", len(shares))
        # Small numbers: of a hundred million rows they are a hundred megabytes, not eight times as many.
        numbers = np.arange(len(shares)).astype(np.int8 if len(shares) <= MOST_SMALL else np.intp)
        return rng.permutation(np.repeat(numbers, whole_counts(rows, shares)))
    _, unit, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    _check_units(len(sizes), "groups", len(shares))
    parts_of_groups = _parts_of_groups(sizes, shares, rng)
    return parts_of_groups[unit]


def _check_units(units: int, what: str, parts: int) -> None:
    if units < parts:
        raise DataError(
            f"data.too_few_{what}",
            f"There are {units} {what} to share among {parts} parts; each part needs one at least.",
            f"Add {what}, or ask for fewer folds.",
        )


def whole_counts(rows: int, shares: Sequence[float]) -> NDArray[np.intp]:
    """Whole numbers, each at least 1, that sum to ``rows`` and are nearest to ``shares`` of it."""
    ideal = np.asarray(shares) * rows
    counts: NDArray[np.intp] = np.floor(ideal).astype(np.intp)
    counts[np.argsort(counts - ideal, kind="stable")[: rows - int(counts.sum())]] += 1
    while (counts == 0).any():
        counts[[np.argmin(counts), np.argmax(counts)]] += [1, -1]
    return counts


def _parts_of_groups(
    sizes: NDArray[np.intp], shares: Sequence[float], rng: np.random.Generator
) -> NDArray[np.intp]:
    """Large groups first (equal ones in random order), each to the part that lacks most rows."""
    order = rng.permutation(len(sizes))
    order = order[np.argsort(-sizes[order], kind="stable")]
    lacking = np.asarray(shares) * sizes.sum()
    parts = np.empty(len(sizes), np.intp)
    empty = np.ones(len(shares), bool)
    for done, group in enumerate(order):
        only_empty = len(order) - done <= int(empty.sum())
        part = int(np.argmax(np.where(empty, lacking, -np.inf) if only_empty else lacking))
        parts[group], empty[part] = part, False
        lacking[part] -= sizes[group]
    return parts
