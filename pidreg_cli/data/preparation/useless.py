"""Feature columns that say nothing: empty, constant, nearly empty, or the same as another of their modality."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from pidreg_cli.data.naming import listing
from pidreg_cli.data.preparation.findings import Finding, note, warning
from pidreg_cli.data.preparation.recipe import Recipe
from pidreg_cli.data.preparation.survey import Survey
from pidreg_cli.errors import DataError

# Of the rows that have the modality at all.
NEARLY_EMPTY = 0.01


@dataclass(frozen=True)
class Useless:
    """Outputs by what is wrong with them; ``copies`` maps a column to the earlier one that it repeats.

    ``shared`` are columns that repeat one of another modality: they stay, as what modalities share is the question.
    """

    constant: tuple[str, ...]
    nearly_empty: tuple[str, ...]
    copies: dict[str, str]
    shared: dict[str, str]

    @property
    def dropped(self) -> tuple[str, ...]:
        """All that may be left out."""
        return (*self.constant, *self.nearly_empty, *self.copies)


def find_useless(recipe: Recipe, survey: Survey) -> Useless:
    """Judge every output that is no list. Raises DataError where a modality has no value at all."""
    for modality, present in survey.present.items():
        if present == 0:
            columns = [encoder.column for encoder in recipe.features[modality]]
            raise DataError(
                "data.empty_modality",
                f"Every cell of modality {modality!r} is missing ({listing(columns)}).",
                "Leave the modality out, or fill its columns.",
            )
    places = {name: place for place, name in enumerate(survey.facts.names)}
    constant: list[str] = []
    empty: list[str] = []
    copies: dict[str, str] = {}
    shared: dict[str, str] = {}
    first: dict[int, tuple[str, str]] = {}
    for modality in recipe.features:
        for name in recipe.outputs(modality):
            if name not in places:
                continue  # A list: its elements are not columns that could be left out.
            place = places[name]
            if survey.facts.low[place] >= survey.facts.high[place]:
                constant.append(name)
                continue
            if survey.facts.filled[place] < NEARLY_EMPTY * survey.present[modality]:
                empty.append(name)
                continue
            owner, original = first.setdefault(int(survey.hashes[place]), (modality, name))
            if original != name:
                (copies if owner == modality else shared)[name] = original
    return Useless(tuple(constant), tuple(empty), copies, shared)


def describe_useless(useless: Useless, *, dropped: bool) -> Iterator[Finding]:
    """What the user should hear of it."""
    done = "left out" if dropped else "kept on request"
    if useless.constant:
        yield note("columns.constant", f"Constant or empty columns, {done}: {listing(useless.constant)}.")
    if useless.nearly_empty:
        yield note(
            "columns.nearly_empty",
            f"Columns with a value in under {NEARLY_EMPTY:.0%} of the rows of their modality, {done}: "
            f"{listing(useless.nearly_empty)}.",
        )
    if useless.copies:
        pairs = [f"{name} = {original}" for name, original in useless.copies.items()]
        yield note("columns.duplicate", f"Columns that repeat another, {done}: {listing(pairs)}.")
    if useless.shared:
        pairs = [f"{name} = {original}" for name, original in useless.shared.items()]
        yield warning(
            "columns.in_two_modalities",
            f"Columns that two modalities share: {listing(pairs)}. What they tell reads as shared.",
        )


def remaining(recipe: Recipe, useless: Useless) -> Recipe:
    """The recipe without them. Raises DataError where a modality would lose every column."""
    shorter = recipe.without(useless.dropped)
    for modality in shorter.features:
        if not shorter.outputs(modality):
            raise DataError(
                "data.empty_modality",
                f"No column of modality {modality!r} is left: {listing(recipe.outputs(modality))} are constant or "
                "nearly empty.",
                "Leave the modality out, or keep its columns with --no-drop.",
            )
    return shorter


def is_useful(survey: Survey, recipe: Recipe) -> np.ndarray:
    """Mask of the survey's columns (list elements included) that the prepared table has, shape (columns,)."""
    kept = {name for modality in recipe.features for name in recipe.outputs(modality)}
    names = survey.facts.names
    return np.array([name in kept or name.partition("[")[0] in kept for name in names], bool)
