"""Signs that a result would be too good: columns that nearly determine the target, rows or groups on both sides."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pidreg_cli.data.naming import listing
from pidreg_cli.data.preparation.encoders import OneHot, Ordinal
from pidreg_cli.data.preparation.findings import Finding, warning
from pidreg_cli.data.preparation.recipe import Recipe
from pidreg_cli.data.preparation.survey import PARTS, Survey
from pidreg_cli.data.preparation.useless import is_useful

Floats = NDArray[np.float64]

# Spearman's correlation from which a column is the target in another unit, but for noise.
RANK_CORRELATION = 0.98
# Share of the variance of the target's ranks that the means of bins (or categories) of one column tell, on rows they
# were not made of.
BINNED_SHARE = 0.96
BINS = 64
ROWS_PER_BIN = 8
# Fewer rows with both values show nothing.
FEWEST_ROWS = 64


def leaking_columns(survey: Survey, recipe: Recipe, target: str) -> Iterator[Finding]:
    """Columns of ``recipe`` that alone nearly determine the target: by ranks, by bins, or by their categories."""
    found = {
        survey.facts.names[place]: how
        for place in np.flatnonzero(is_useful(survey, recipe))
        if (how := _determines(survey.sample[:, place], survey.sample_target)) is not None
    }
    for encoder in _category_encoders(recipe):
        how = _categories_determine(_categories(survey, encoder), survey.sample_target)
        if how is not None:
            found.setdefault(encoder.name, how)
    if found:
        columns = [f"{name} ({how})" for name, how in found.items()]
        yield warning(
            "leakage.column",
            f"Columns that alone nearly determine {target!r}: {listing(columns)}. Leave out what is not known "
            "before the target is.",
        )


def _category_encoders(recipe: Recipe) -> Iterator[OneHot | Ordinal]:
    for encoders in recipe.features.values():
        for encoder in encoders:
            if isinstance(encoder, OneHot | Ordinal) and not recipe.dropped.issuperset(encoder.outputs):
                yield encoder


def _categories(survey: Survey, encoder: OneHot | Ordinal) -> Floats:
    """The category of each row of the sample as a whole number, NaN where missing."""
    places = [survey.facts.names.index(output) for output in encoder.outputs]
    if isinstance(encoder, Ordinal):
        return survey.sample[:, places[0]]
    indicators = survey.sample[:, places]
    # A value without an indicator would be a category, too: 0 of the places counted from 1.
    return indicators @ np.arange(1.0, len(places) + 1)


def _categories_determine(category: Floats, target: Floats) -> str | None:
    both = ~np.isnan(category) & ~np.isnan(target)
    if int(both.sum()) < FEWEST_ROWS:
        return None
    values, place = np.unique(category[both], return_inverse=True)
    ranks = ranked(target[both])
    if ranks.std() == 0:
        return None
    share = share_told(place, len(values), ranks)
    return f"its categories tell {share:.0%}" if share >= BINNED_SHARE else None


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
    """Share of the variance of ``target`` that bins of ``values`` (ranks, shape (n,)) tell."""
    bins = max(2, min(BINS, len(values) // (2 * ROWS_PER_BIN)))
    return share_told(np.minimum((values / len(values) * bins).astype(np.intp), bins - 1), bins, target)


def share_told(bin_of: NDArray[np.intp], bins: int, target: Floats) -> float:
    """Share of the variance of ``target`` (n,) that its means in ``bins`` bins tell: each half of rows by the other.

    A bin that the other half lacks is predicted by the mean of all.
    """
    # Rows in an order that has nothing to do with theirs in the table.
    order = np.random.default_rng(0).permutation(len(bin_of))
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
