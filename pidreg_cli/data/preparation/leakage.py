"""Signs that a result would be too good: columns that nearly determine the target, rows or groups on both sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.naming import listing
from pidreg_cli.data.preparation.findings import Finding, warning
from pidreg_cli.data.preparation.survey import PARTS, Survey

Floats = NDArray[np.float64]

# Spearman's correlation from which a column is the target in another unit, but for noise.
RANK_CORRELATION = 0.98
# Share of the variance of the target's ranks that the means of bins of one column tell, on rows they were not made of.
BINNED_SHARE = 0.96
BINS = 64
ROWS_PER_BIN = 8
# Fewer rows with both values show nothing.
FEWEST_ROWS = 64


def leaking_columns(survey: Survey, taken: NDArray[np.bool_], target: str) -> Iterator[Finding]:
    """Columns, of those ``taken`` (shape (columns,)), that alone nearly determine the target, by ranks or by bins."""
    found: list[str] = []
    for place in np.flatnonzero(taken):
        if (how := _determines(survey.sample[:, place], survey.sample_target)) is not None:
            found.append(f"{survey.facts.names[place]} ({how})")
    if found:
        yield warning(
            "leakage.column",
            f"Columns that alone nearly determine {target!r}: {listing(found)}. Leave out what is not known "
            "before the target is.",
        )


def _determines(column: Floats, target: Floats) -> str | None:
    both = ~np.isnan(column) & ~np.isnan(target)
    if int(both.sum()) < FEWEST_ROWS:
        return None
    values, ranks = ranked(column[both]), ranked(target[both])
    if values.std() == 0 or ranks.std() == 0:
        return None
    correlation = float(np.corrcoef(values, ranks)[0, 1])
    if abs(correlation) >= RANK_CORRELATION:
        return f"rank correlation {correlation:.3f}"
    share = binned_share(values, ranks)
    return f"its bins tell {share:.0%}" if share >= BINNED_SHARE else None


def ranked(values: Floats) -> Floats:
    """Mean ranks, shape (n,)."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return ((last - counts + last - 1) / 2)[place]


def binned_share(values: Floats, target: Floats) -> float:
    """Share of the variance of ``target`` that bins of ``values`` (ranks, shape (n,)) tell: each half by the other."""
    bins = max(2, min(BINS, len(values) // (2 * ROWS_PER_BIN)))
    bin_of = np.minimum((values / len(values) * bins).astype(np.intp), bins - 1)
    # Rows in an order that has nothing to do with theirs in the table.
    order = np.random.default_rng(0).permutation(len(values))
    halves = order[::2], order[1::2]
    error = 0.0
    for fitted, scored in (halves, halves[::-1]):
        sums = np.bincount(bin_of[fitted], target[fitted], bins)
        counts = np.bincount(bin_of[fitted], minlength=bins)
        means = np.where(counts > 0, sums / np.maximum(counts, 1), target[fitted].mean())
        error += float(np.square(target[scored] - means[bin_of[scored]]).sum())
    return 1 - error / float(np.square(target - target.mean()).sum())


def repeated_rows(survey: Survey, split: NDArray[np.int8]) -> Iterator[Finding]:
    """Rows (features and target alike) that are in the training rows and in others, too."""
    hashes, places = survey.repeated.held
    if len(hashes) == 0:
        return
    parts = split[places]
    training = np.unique(hashes[parts == 0])
    others = hashes[parts != 0]
    count = int(np.isin(others, training).sum()) * survey.repeated.factor
    if count:
        about = "about " if survey.repeated.factor > 1 else ""
        yield warning(
            "leakage.repeated_rows",
            f"{about}{count} rows of {PARTS[1]} or {PARTS[2]} repeat a row of {PARTS[0]} in every feature and the "
            "target: they test memory. Remove repeated rows, or keep them together with --group.",
        )


def divided_groups(groups: NDArray[np.int64], split: NDArray[np.int8], name: str) -> Iterator[Finding]:
    """Groups with rows in several parts."""
    pairs = np.unique(groups * len(PARTS) + split)
    divided = len(pairs) - len(np.unique(pairs // len(PARTS)))
    if divided:
        yield warning(
            "leakage.divided_groups",
            f"The split column divides {divided} groups of {name!r}: their rows are in more than one part, so that "
            "test rows are not independent of training rows. Split anew with --split group.",
        )
